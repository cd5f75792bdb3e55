#include "calo/models/cascade/detail/split_density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/simd.h"

namespace calo::cascade {
namespace {

using O = SplitOutputs;
constexpr std::size_t kLanes = 16;
constexpr float kLogSqrtTwoPi = 0.91893853f;
constexpr float kNever = -1e30f;  // ln of the density of a component that cannot have made a split
constexpr int kComponents = O::kParametric + 2;

// Splits with two parts, as many as a vector has lanes; outputs are transposed.
struct Block {
  alignas(64) float out[O::kMost][kLanes];
  alignas(64) float gradient[O::kMost][kLanes];
  alignas(64) float log_density[kComponents][kLanes];
  alignas(64) float log_a[kLanes], log_b[kLanes], log_e[kLanes];  // ln of energy / T
  alignas(64) float loss[kLanes];
};

// softplus is ln(1 + e^x); its derivative is e^x / (1 + e^x).
inline __attribute__((always_inline)) float softplus(float x) {
  return (x > 0 ? x : 0) + core::fast_log1p(core::fast_exp(x > 0 ? -x : x));
}

// Losses of a block and their derivatives with respect to the outputs. The caller fills in log_density of the
// spectra; at the end, log_density has the responsibilities.
CALOPIPE_SIMD_CLONES void mixture(Block& block, int components) {
  for (int k = 0; k < O::kNormals; ++k)
    for (std::size_t i = 0; i < kLanes; ++i) {
      const float log_width = std::min(std::max(block.out[O::kLogWidth + k][i], O::kNarrowest), O::kWidest);
      const float z =
          (block.log_a[i] - block.log_b[i] - block.out[O::kCentre + k][i]) * core::fast_exp(-log_width);
      block.log_density[k][i] = -log_width - 0.5f * z * z - kLogSqrtTwoPi;
    }
  for (int k = O::kNormals; k < O::kParametric; ++k) {
    const bool in_a = k < O::kNormals + CascadeSizes::kLogistics;
    const float* y = in_a ? block.log_a : block.log_b;
    const float* other = in_a ? block.log_b : block.log_a;
    for (std::size_t i = 0; i < kLanes; ++i) {
      const float log_width = std::min(std::max(block.out[O::kLogWidth + k][i], O::kNarrowest), O::kWidest);
      const float inverse = core::fast_exp(-log_width), centre = block.out[O::kCentre + k][i];
      const float z = (y[i] - centre) * inverse, top = (block.log_e[i] - centre) * inverse;
      block.log_density[k][i] =
          -log_width - z - 2 * softplus(-z) + softplus(-top) + other[i] - block.log_e[i];
    }
  }
  const auto weight = [](int k) {
    return k < O::kParametric ? O::kWeight + k : O::kSpectra + k - O::kParametric;
  };
  alignas(64) float top_weight[kLanes], weights[kLanes], top[kLanes], sum[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) top_weight[i] = top[i] = -std::numeric_limits<float>::max();
  for (int k = 0; k < components; ++k)
    for (std::size_t i = 0; i < kLanes; ++i) {
      top_weight[i] = std::max(top_weight[i], block.out[weight(k)][i]);
      block.log_density[k][i] += block.out[weight(k)][i];
      top[i] = std::max(top[i], block.log_density[k][i]);
    }
  for (std::size_t i = 0; i < kLanes; ++i) weights[i] = sum[i] = 0;
  for (int k = 0; k < components; ++k)
    for (std::size_t i = 0; i < kLanes; ++i) {
      block.gradient[weight(k)][i] = core::fast_exp(block.out[weight(k)][i] - top_weight[i]);
      weights[i] += block.gradient[weight(k)][i];
      block.log_density[k][i] = core::fast_exp(block.log_density[k][i] - top[i]);
      sum[i] += block.log_density[k][i];
    }
  for (std::size_t i = 0; i < kLanes; ++i) {
    block.loss[i] = top_weight[i] - top[i];
    weights[i] = 1 / weights[i];
    sum[i] = 1 / sum[i];
  }
  for (std::size_t i = 0; i < kLanes; ++i) block.loss[i] += std::log(sum[i] / weights[i]);
  for (int k = 0; k < components; ++k)
    for (std::size_t i = 0; i < kLanes; ++i) {
      block.log_density[k][i] *= sum[i];  // responsibility of the component
      block.gradient[weight(k)][i] = block.gradient[weight(k)][i] * weights[i] - block.log_density[k][i];
    }
  for (int k = 0; k < O::kParametric; ++k) {
    const bool in_a = k < O::kNormals + CascadeSizes::kLogistics, normal = k < O::kNormals;
    for (std::size_t i = 0; i < kLanes; ++i) {
      const float raw = block.out[O::kLogWidth + k][i];
      const float log_width = std::min(std::max(raw, O::kNarrowest), O::kWidest);
      const float inverse = core::fast_exp(-log_width), centre = block.out[O::kCentre + k][i];
      const float x = normal ? block.log_a[i] - block.log_b[i] : in_a ? block.log_a[i] : block.log_b[i];
      const float z = (x - centre) * inverse, top_z = (block.log_e[i] - centre) * inverse;
      const float slope = normal ? z : 1 - 2 * core::fast_sigmoid(-z);  // −d ln f / dz
      const float cut = normal ? 0 : core::fast_sigmoid(-top_z);        // −d ln(truncation) / d top_z
      const float by_centre = inverse * (slope + cut), by_width = z * slope + top_z * cut - 1;
      const float share = block.log_density[k][i];
      block.gradient[O::kCentre + k][i] = -share * by_centre;
      block.gradient[O::kLogWidth + k][i] = raw == log_width ? -share * by_width : 0;
    }
  }
}

struct Place {
  int bin;
  float fraction;
};

// Position of ln(E/T) in a spectrum; the end of the last bin if it is above.
Place place_of(float y) {
  const float at = std::max(y, 0.0f) / Spectra::kBinWidth;
  if (!(at < Spectra::kBins)) return {Spectra::kBins, 0};
  const int bin = static_cast<int>(at);
  return {bin, at - static_cast<float>(bin)};
}

// Share of a spectrum below a position.
float share_below(const float* below, Place place) {
  const float low = below[place.bin];
  return place.bin < Spectra::kBins ? low + place.fraction * (below[place.bin + 1] - low) : low;
}

constexpr float kLeastShare = 1e-8f;

// Returns −ln of the probability of the class, and adds to the gradient. Class probabilities are normalised.
double class_loss(const float* out, int of, float* gradient) {
  const double top = std::max({out[0], out[1], out[2]});
  double p[3], sum = 0;
  for (int i = 0; i < 3; ++i) sum += p[i] = std::exp(out[i] - top);
  if (gradient != nullptr)
    for (int i = 0; i < 3; ++i) gradient[i] = static_cast<float>(p[i] / sum - (i == of ? 1 : 0));
  return std::log(sum) - (out[of] - top);
}

}  // namespace

void SpectraGradient::finish(const Spectra& spectra, std::span<float> gradient) {
  for (std::size_t ring = 0; ring < hits_.size() / Spectra::kBins; ++ring) {
    float above = 0;
    for (int bin = Spectra::kBins; bin-- > 0;) {
      const auto at = ring * Spectra::kBins + static_cast<std::size_t>(bin);
      above += whole_[at + ring + 1];
      const float p = std::exp(spectra.log_probability(static_cast<int>(ring))[bin]);
      gradient[at] += p * (above + part_[at]) - hits_[at];
    }
  }
  std::fill(hits_.begin(), hits_.end(), 0.0f);
  std::fill(whole_.begin(), whole_.end(), 0.0f);
  std::fill(part_.begin(), part_.end(), 0.0f);
}

double split_loss(const SplitRows& rows, float threshold_mev, const Spectra* spectra, float* gradient,
                  SpectraGradient* spectra_gradient) {
  const int used = spectra != nullptr ? O::kMost : O::kSpectra;
  const int components = spectra != nullptr ? kComponents : O::kParametric;
  double sum = 0;
  Block block = {};
  std::size_t lane_row[kLanes], lanes = 0;
  Place place_a[kLanes], place_b[kLanes], place_e[kLanes];
  float below[kLanes];
  const auto flush = [&] {
    for (std::size_t i = lanes; i < kLanes; ++i) {  // unused lanes repeat the first
      for (int k = 0; k < used; ++k) block.out[k][i] = block.out[k][0];
      block.log_a[i] = block.log_a[0], block.log_b[i] = block.log_b[0], block.log_e[i] = block.log_e[0];
      block.log_density[O::kParametric][i] = block.log_density[O::kParametric][0];
      block.log_density[O::kParametric + 1][i] = block.log_density[O::kParametric + 1][0];
    }
    mixture(block, components);
    for (std::size_t i = 0; i < lanes; ++i) {
      sum += block.loss[i];
      if (gradient == nullptr) continue;
      float* to = gradient + lane_row[i] * rows.stride;
      for (int k = O::kClasses; k < used; ++k) to[k] = block.gradient[k][i];
      if (spectra == nullptr) continue;
      const int ring = rows.ring[lane_row[i]];
      for (int part = 0; part < 2; ++part) {
        const Place place = part == 0 ? place_a[i] : place_b[i];
        const float share = block.log_density[O::kParametric + part][i];
        if (place.bin < Spectra::kBins && share > 0)
          spectra_gradient->add(ring, share, place.bin, place_e[i].bin, place_e[i].fraction, below[i]);
      }
    }
    lanes = 0;
  };
  for (std::size_t row = 0; row < rows.count; ++row) {
    const float* out = rows.outputs + row * rows.stride;
    const float a = rows.a_mev[row], b = rows.b_mev[row];
    const int of = b <= 0 ? 0 : a <= 0 ? 1 : 2;
    float* to = gradient != nullptr ? gradient + row * rows.stride : nullptr;
    sum += class_loss(out, of, to);
    if (of != 2) {
      if (to != nullptr) std::fill(to + O::kClasses, to + rows.stride, 0.0f);
      continue;
    }
    for (int k = 0; k < used; ++k) block.out[k][lanes] = out[k];
    block.log_a[lanes] = std::log(a / threshold_mev);
    block.log_b[lanes] = std::log(b / threshold_mev);
    block.log_e[lanes] = std::log((a + b) / threshold_mev);
    if (spectra != nullptr) {
      const int ring = rows.ring[row];
      place_a[lanes] = place_of(block.log_a[lanes]);
      place_b[lanes] = place_of(block.log_b[lanes]);
      place_e[lanes] = place_of(block.log_e[lanes]);
      below[lanes] = std::max(share_below(spectra->below(ring), place_e[lanes]), kLeastShare);
      const float common = -std::log(Spectra::kBinWidth * below[lanes]) - block.log_e[lanes];
      const auto density = [&](Place place, float y, float other) {
        if (place.bin == Spectra::kBins || y < 0) return kNever;
        return spectra->log_probability(ring)[place.bin] + common + other;
      };
      block.log_density[O::kParametric][lanes] =
          density(place_a[lanes], block.log_a[lanes], block.log_b[lanes]);
      block.log_density[O::kParametric + 1][lanes] =
          density(place_b[lanes], block.log_b[lanes], block.log_a[lanes]);
    }
    lane_row[lanes++] = row;
    if (lanes == kLanes) flush();
  }
  if (lanes > 0) flush();
  return sum;
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

}  // namespace calo::cascade
