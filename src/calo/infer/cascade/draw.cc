// Drawing from the densities of splits and of the total energy.
#include "calo/infer/cascade/draw.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/philox.h"

namespace calo::cascade {
namespace {

using O = SplitOutputs;

constexpr std::uint32_t kSplitStream = 0x63617363;

// Chooses one of `count` outcomes by the softmax of weight(k); `u` goes on as what is left of it, uniform
// again.
template <class Weight>
int choose(int count, const Weight& weight, double& u) {
  double top = weight(0), p[O::kMost], sum = 0;
  for (int k = 1; k < count; ++k) top = std::max<double>(top, weight(k));
  for (int k = 0; k < count; ++k) sum += p[k] = std::exp(weight(k) - top);
  double rest = u * sum;
  int chosen = 0;
  while (chosen + 1 < count && rest >= p[chosen]) rest -= p[chosen++];
  u = std::clamp(rest / p[chosen], 0.0, 1.0);
  return chosen;
}

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

// Draws ln(part / T) below ln(E / T) from a spectrum.
double draw_from(const Spectra& spectra, int ring, double top, double u) {
  const float* below = spectra.below(ring);
  const double at = std::clamp(top / Spectra::kBinWidth, 0.0, static_cast<double>(Spectra::kBins));
  const int bin = std::min(static_cast<int>(at), Spectra::kBins - 1);
  const double share = u * (below[bin] + (at - bin) * (below[bin + 1] - below[bin]));
  const float* found = std::upper_bound(below, below + Spectra::kBins, static_cast<float>(share));
  const auto place = std::max<std::ptrdiff_t>(found - below - 1, 0);
  const double width = below[place + 1] - below[place];
  const double inside = width > 0 ? std::clamp((share - below[place]) / width, 0.0, 1.0) : 0.5;
  return (static_cast<double>(place) + inside) * Spectra::kBinWidth;
}

}  // namespace

Spectra::Spectra(std::span<const float> logits) {
  const std::size_t rings = logits.size() / kBins;
  log_probability_.resize(rings * kBins);
  below_.resize(rings * (kBins + 1));
  for (std::size_t ring = 0; ring < rings; ++ring) {
    const float* from = logits.data() + ring * kBins;
    const double top = *std::max_element(from, from + kBins);
    double sum = 0, share = 0;
    for (int bin = 0; bin < kBins; ++bin) sum += std::exp(from[bin] - top);
    for (int bin = 0; bin < kBins; ++bin) {
      const auto at = static_cast<std::size_t>(bin);
      const double log_p = from[bin] - top - std::log(sum);
      log_probability_[ring * kBins + at] = static_cast<float>(log_p);
      below_[ring * (kBins + 1) + at] = static_cast<float>(share);
      share += std::exp(log_p);
    }
    below_[ring * (kBins + 1) + kBins] = 1;
  }
}

SplitNoise split_noise(const ShowerKey& shower, std::size_t split) {
  const core::Philox::Block block = core::Philox::round10(
      {static_cast<std::uint32_t>(split), kSplitStream + shower.particle,
       static_cast<std::uint32_t>(shower.event), static_cast<std::uint32_t>(shower.event >> 32)},
      {static_cast<std::uint32_t>(shower.seed), static_cast<std::uint32_t>(shower.seed >> 32)});
  const auto uniform = [](std::uint32_t high, std::uint32_t low) {
    const std::uint64_t bits =
        (static_cast<std::uint64_t>(high) << 32 | low) >> 12;  // 52: 1 is never reached
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
  };
  return {.choice = uniform(block[0], block[1]), .place = uniform(block[2], block[3])};
}

SplitNoise split_noise(const float latents[2]) {
  // Inside (0, 1), whatever a latent number is.
  const auto uniform = [](double normal) {
    return std::clamp(0.5 * std::erfc(-normal * (std::numbers::sqrt2 / 2)), 0x1p-53, 1 - 0x1p-53);
  };
  return {.choice = uniform(latents[0]), .place = uniform(latents[1])};
}

std::vector<float> split_latents(const ShowerKey& shower, std::size_t splits) {
  std::vector<float> latents;
  latents.reserve(2 * splits);
  for (std::size_t split = 0; split < splits; ++split) {
    const SplitNoise noise = split_noise(shower, split);
    latents.push_back(static_cast<float>(normal_quantile(noise.choice)));
    latents.push_back(static_cast<float>(normal_quantile(noise.place)));
  }
  return latents;
}

Parts draw_split(const float* out, float energy_mev, float threshold_mev, const Spectra* spectra, int ring,
                 SplitNoise noise) {
  double u = noise.choice;
  const int of = choose(
      O::kClasses, [&](int k) { return out[k]; }, u);
  if (of == 0) return {energy_mev, 0};
  if (of == 1) return {0, energy_mev};
  const int components = O::kParametric + (spectra != nullptr ? 2 : 0);
  const double energy = energy_mev, log_e = std::log(energy / threshold_mev);
  const int k = choose(
      components,
      [&](int i) { return i < O::kParametric ? out[O::kWeight + i] : out[O::kSpectra + i - O::kParametric]; },
      u);
  double part, rest;  // the one that the component speaks of
  bool is_a = true;
  if (k < O::kNormals) {
    const double width = std::exp(std::clamp(out[O::kLogWidth + k], O::kNarrowest, O::kWidest));
    const double log_ratio = out[O::kCentre + k] + width * normal_quantile(noise.place);
    part = energy * sigmoid(log_ratio);
    rest = energy * sigmoid(-log_ratio);
  } else {
    double y;
    if (k < O::kParametric) {
      const double width = std::exp(std::clamp(out[O::kLogWidth + k], O::kNarrowest, O::kWidest));
      const double centre = out[O::kCentre + k];
      const double p = std::clamp(noise.place * sigmoid((log_e - centre) / width), 1e-300, 1 - 1e-16);
      y = centre + width * (std::log(p) - std::log1p(-p));
      is_a = k < O::kNormals + CascadeSizes::kLogistics;
    } else {
      y = draw_from(*spectra, ring, log_e, noise.place);
      is_a = k == O::kParametric;
    }
    part = std::min(threshold_mev * std::exp(y), energy);
    rest = energy - part;
  }
  double a = is_a ? part : rest, b = is_a ? rest : part;
  if (std::min(a, b) < threshold_mev) return a >= b ? Parts{energy_mev, 0} : Parts{0, energy_mev};
  // The smaller part is rounded, the larger is what is left: their sum is right to rounding.
  if (a < b) {
    const auto small = static_cast<float>(a);
    return {small, energy_mev - small};
  }
  const auto small = static_cast<float>(b);
  return {energy_mev - small, small};
}

double draw_total(const float* out, SplitNoise noise) {
  constexpr int kCount = CascadeSizes::kTotalComponents;
  double u = noise.choice;
  const int k = choose(
      kCount, [&](int i) { return out[i]; }, u);
  return out[kCount + k] +
         std::exp(std::clamp(out[2 * kCount + k], -4.0f, 2.0f)) * normal_quantile(noise.place);
}

double normal_quantile(double p) {
  // Newton's steps from a rational start (Hastings, within 4.5e-4), on the tail that is the smaller one.
  const double tail = std::min(p, 1 - p);
  const double t = std::sqrt(-2 * std::log(tail));
  double x =
      t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int step = 0; step < 2; ++step) {
    const double error = 0.5 * std::erfc(x * std::numbers::sqrt2 / 2) - tail;
    const double density = std::exp(-0.5 * x * x) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    const double newton = error / density;
    x += newton / (1 + 0.5 * x * newton);  // Halley's
  }
  return p < 0.5 ? -x : x;
}

}  // namespace calo::cascade
