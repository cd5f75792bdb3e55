#include "calo/generate/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calo/infer/program.h"
#include "core/error.h"

namespace calo {
namespace {

using infer::Activation;

const WeightTensor& tensor(const ModelFolder& model, const std::string& name) {
  const auto found = model.weights.find(name);
  if (found == model.weights.end())
    throw core::InputError({.message = "is missing in the model", .field = name});
  return found->second;
}

Activation hidden_activation(const ModelDescription& description) {
  using Kind = Activation::Kind;
  const std::string& name = description.activation;
  const auto slope = static_cast<float>(description.activation_slope);
  if (name == "relu") return {Kind::kRelu};
  if (name == "elu") return {Kind::kElu, slope};
  if (name == "selu") return {Kind::kSelu, Activation::kSeluAlpha};
  if (name == "gelu") return {Kind::kGelu};
  if (name == "tanh") return {Kind::kTanh};
  if (name == "sigmoid") return {Kind::kSigmoid};
  return {Kind::kLeakyRelu, slope};
}

Activation output_activation(const std::string& name) {
  using Kind = Activation::Kind;
  return {name == "relu"       ? Kind::kRelu
          : name == "softplus" ? Kind::kSoftplus
          : name == "linear"   ? Kind::kIdentity
                               : Kind::kSigmoid};
}

}  // namespace

Decoder::Decoder(const ModelFolder& model, infer::Precision precision)
    : transform_(model.transform),
      latent_dim_(model.description.latent_dim),
      cells_(model.transform.mesh.num_cells()) {
  const Activation activation = hidden_activation(model.description);
  for (std::size_t i = 0; i < model.description.intermediate_dims.size(); ++i) {
    const std::string prefix = fmt::format("decoder.{}", i);
    const WeightTensor& weight = tensor(model, prefix + ".weight");
    infer::DenseLayer layer{
        .layer = infer::PackedLayer(weight.values, tensor(model, prefix + ".bias").values, weight.shape[1]),
        .activation = activation};
    const auto out = static_cast<std::size_t>(layer.layer.out());
    layer.scale.assign(out, 1.0f);
    layer.shift.assign(out, 0.0f);
    if (model.description.batch_norm) {
      const auto& gamma = tensor(model, prefix + ".norm.weight").values;
      const auto& beta = tensor(model, prefix + ".norm.bias").values;
      const auto& mean = tensor(model, prefix + ".norm.running_mean").values;
      const auto& variance = tensor(model, prefix + ".norm.running_var").values;
      for (std::size_t j = 0; j < layer.scale.size(); ++j) {
        const double scale = gamma[j] / std::sqrt(variance[j] + model.description.batch_norm_epsilon);
        layer.scale[j] = static_cast<float>(scale);
        layer.shift[j] = static_cast<float>(beta[j] - mean[j] * scale);
      }
    }
    hidden_.push_back(std::move(layer));
  }
  const std::int64_t width = hidden_.back().layer.out();
  const WeightTensor& weight = tensor(model, "decoder.output.weight");
  if (width * cells_ < infer::kSmallLayer) precision = infer::Precision::kFp32;  // as the engine has it
  output_ = infer::OutputLayer(
      infer::PackedLayer(
          {.data = reinterpret_cast<const std::byte*>(weight.values.data()), .out_stride = width},
          tensor(model, "decoder.output.bias").values, width, {.precision = precision}),
      output_activation(model.description.out_activation));
}

class Decoder::Workspace {
 public:
  std::vector<float> hidden_rows;  // [shower, width of the last hidden layer]
  std::vector<float> scale;        // incident energy, MeV, by shower
  infer::OutputLayer::Work output;
  infer::SparseShowers found;
};

void Decoder::Free::operator()(Workspace* workspace) const {
  delete workspace;
}

std::unique_ptr<Decoder::Workspace, Decoder::Free> Decoder::make_workspace() {
  return std::unique_ptr<Workspace, Free>(new Workspace);
}

void Decoder::decode(std::span<const float> latents, std::span<const Conditions> conditions,
                     const std::vector<std::string>& geometries, double threshold_mev, core::ThreadPool& pool,
                     Workspace& workspace, Showers& out) const {
  constexpr std::size_t kRows = 48;  // that one thread takes at once: whole groups of 6 or 16
  const std::size_t count = conditions.size();
  const auto width = static_cast<std::size_t>(hidden_.back().layer.out());
  const auto latent_dim = static_cast<std::size_t>(latent_dim_);
  const auto condition_dim = static_cast<std::size_t>(transform_.condition_dim());
  workspace.hidden_rows.resize(count * width);
  workspace.scale.resize(count);
  pool.for_each((count + kRows - 1) / kRows, [&](std::size_t group) {
    const std::size_t begin = group * kRows, rows = std::min(count - begin, kRows);
    std::vector<float> current(rows * (latent_dim + condition_dim)), next;
    for (std::size_t i = 0; i < rows; ++i) {
      float* input = current.data() + i * (latent_dim + condition_dim);
      std::copy_n(latents.data() + (begin + i) * latent_dim, latent_dim, input);
      const Conditions& condition = conditions[begin + i];
      transform_.encode(condition, geometries.at(condition.geometry), {input + latent_dim, condition_dim});
      workspace.scale[begin + i] = condition.incident_energy_mev;
    }
    infer::LargeArray<std::byte> scratch;
    for (const infer::DenseLayer& layer : hidden_) {
      next.resize(rows * static_cast<std::size_t>(layer.layer.out()));
      layer.forward(current.data(), static_cast<std::int64_t>(rows), next.data(), scratch);
      std::swap(current, next);
    }
    std::copy(current.begin(), current.end(),
              workspace.hidden_rows.begin() + static_cast<std::ptrdiff_t>(begin * width));
  });
  output_.sparse(workspace.hidden_rows.data(), workspace.scale, static_cast<float>(threshold_mev), &pool,
                 workspace.output, workspace.found);
  replace(out, cells_, conditions, geometries, workspace.found);
}

void replace(Showers& out, std::int64_t cells, std::span<const Conditions> conditions,
             const std::vector<std::string>& geometries, const infer::SparseShowers& found) {
  Showers kept = std::move(out);
  out = Showers(cells, geometries);
  out.cells = std::move(kept.cells);
  out.energies_mev = std::move(kept.energies_mev);
  out.conditions.assign(conditions.begin(), conditions.end());
  out.offsets.assign(found.offsets().begin(), found.offsets().end());
  out.cells.assign(found.cells(), found.cells() + found.num_hits());
  out.energies_mev.assign(found.energies_mev(), found.energies_mev() + found.num_hits());
}

}  // namespace calo
