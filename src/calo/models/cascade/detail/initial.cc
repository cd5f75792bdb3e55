#include "calo/models/cascade/detail/initial.h"

#include <algorithm>
#include <cmath>

#include "calo/models/cascade/detail/cascade_shape.h"
#include "core/philox.h"

namespace calo::cascade {
namespace {

using O = SplitOutputs;
constexpr std::uint32_t kInitialStream = 0x696e6974;

// The most frequent ln(energy / T) of a hit, over all rings.
float peak_of(const std::vector<double>& spectra) {
  std::vector<double> sum(Spectra::kBins);
  for (std::size_t i = 0; i < spectra.size(); ++i) sum[i % Spectra::kBins] += spectra[i];
  const auto top = std::max_element(sum.begin(), sum.end()) - sum.begin();
  return (static_cast<float>(top) + 0.5f) * Spectra::kBinWidth;
}

std::vector<float> split_bias(std::size_t outputs, float peak) {
  std::vector<float> bias(outputs, 0.0f);
  for (int k = 0; k < O::kNormals; ++k) {
    const auto at = static_cast<std::size_t>(k);
    bias[O::kWeight + at] = 1;
    bias[O::kCentre + at] = -2.5f + 5.0f * static_cast<float>(k) / (O::kNormals - 1);
    bias[O::kLogWidth + at] = -0.7f;
  }
  constexpr std::size_t kEach = CascadeSizes::kLogistics, kFirst = O::kNormals;
  constexpr float kAbove[kEach] = {0, 0.3f, 0.8f, 1.6f}, kWidth[kEach] = {0.08f, 0.12f, 0.2f, 0.4f};
  for (std::size_t k = 0; k < 2 * kEach; ++k) {
    const std::size_t at = kFirst + k;
    bias[O::kCentre + at] = peak + kAbove[k % kEach];
    bias[O::kLogWidth + at] = std::log(kWidth[k % kEach]);
  }
  return bias;
}

std::vector<float> total_bias() {
  constexpr std::size_t kCount = CascadeSizes::kTotalComponents;
  std::vector<float> bias(3 * kCount, 0.0f);
  for (std::size_t k = 0; k < kCount; ++k)
    bias[kCount + k] = -1.0f + 2.0f * static_cast<float>(k) / (kCount - 1);
  return bias;
}

}  // namespace

std::vector<Parameter> initial_parameters(const ModelDescription& description, const Transform& transform,
                                          const Fit& fit, std::uint64_t seed) {
  std::vector<Parameter> all;
  std::uint64_t number = 0;
  int part = -1;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) -> Parameter& {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    const std::vector<float> zeros(count);
    all.push_back({.name = name,
                   .shape = std::move(shape),
                   .values = zeros,
                   .first = zeros,
                   .second = zeros,
                   .part = part,
                   .adapts_first = true});
    return all.back();
  };
  const auto fill_uniform = [&](Parameter& parameter, double bound) {
    core::Philox random(seed, number++, kInitialStream);
    for (float& value : parameter.values) value = static_cast<float>((2 * random.uniform() - 1) * bound);
  };
  for (const CascadeNet& net : cascade_nets(cascade_shape(description, transform))) {
    ++part;
    for (std::int64_t i = 0; i < net.depth; ++i) {
      const std::int64_t in = i == 0 ? net.inputs : net.width;
      const std::string layer = net.name + "." + std::to_string(i);
      const double bound = 1 / std::sqrt(static_cast<double>(in));
      Parameter& weight = add(layer + ".weight", {net.width, in});
      weight.adapts_first = false;
      fill_uniform(weight, bound);
      fill_uniform(add(layer + ".bias", {net.width}), bound);
    }
    add(net.name + ".output.weight", {net.outputs, net.width});
    add(net.name + ".output.bias", {net.outputs}).values =
        net.name == "total" ? total_bias()
                            : split_bias(static_cast<std::size_t>(net.outputs), peak_of(fit.spectra));
    constexpr double kTableBound = 0.09;  // standard deviation 0.05
    if (net.layers > 0) fill_uniform(add(net.name + ".layer_table", {net.layers, net.width}), kTableBound);
    if (net.positions > 0)
      fill_uniform(add(net.name + ".position_table", {net.positions, net.width}), kTableBound);
    if (net.spectra > 0) {
      Parameter& spectra = add(net.name + ".spectra", {net.spectra, CascadeSizes::kSpectrumBins});
      for (std::size_t i = 0; i < spectra.values.size(); ++i)
        spectra.values[i] = static_cast<float>(std::log(fit.spectra[i] + 2));  // 2 makes every bin possible
    }
  }
  part = -1;
  const auto fixed = [&](const std::string& name, std::vector<float> values) {
    Parameter& parameter = add(name, {static_cast<std::int64_t>(values.size())});
    parameter.values = std::move(values);
    parameter.first.clear();
    parameter.second.clear();
    parameter.adapts_first = false;
  };
  fixed("threshold_mev", {fit.threshold_mev});
  fixed("response", {fit.mean_response, fit.response_width});
  fixed("layer_cuts", fit.layer_cuts);
  return all;
}

}  // namespace calo::cascade
