// Drawing from the densities of splits and of the total energy.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "calo/models/cascade/split_density.h"

namespace calo::cascade {
namespace {

using O = SplitOutputs;

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

double total_loss(const float* out, float t, float* gradient) {
  constexpr int kCount = CascadeSizes::kTotalComponents;
  double top_weight = out[0], top = -1e300, weight[kCount], share[kCount], z[kCount], weights = 0, sum = 0;
  for (int k = 0; k < kCount; ++k) {
    top_weight = std::max<double>(top_weight, out[k]);
    const double log_width = std::clamp(out[2 * kCount + k], -4.0f, 2.0f);
    z[k] = (t - out[kCount + k]) * std::exp(-log_width);
    share[k] = out[k] - log_width - 0.5 * z[k] * z[k] - 0.5 * std::log(2 * std::numbers::pi);
    top = std::max(top, share[k]);
  }
  for (int k = 0; k < kCount; ++k) {
    weights += weight[k] = std::exp(out[k] - top_weight);
    sum += share[k] = std::exp(share[k] - top);
  }
  if (gradient != nullptr)
    for (int k = 0; k < kCount; ++k) {
      const float raw = out[2 * kCount + k];
      const bool inside = raw >= -4.0f && raw <= 2.0f;
      share[k] /= sum;
      gradient[k] = static_cast<float>(weight[k] / weights - share[k]);
      gradient[kCount + k] = static_cast<float>(-share[k] * z[k] * std::exp(-std::clamp(raw, -4.0f, 2.0f)));
      gradient[2 * kCount + k] = inside ? static_cast<float>(share[k] * (1 - z[k] * z[k])) : 0;
    }
  return std::log(weights) + top_weight - std::log(sum) - top;
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
