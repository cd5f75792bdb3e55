// Drawing from the densities of splits and of the total energy.
#include "calo/infer/cascade/draw.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/philox.h"

namespace calo::cascade {
namespace {

using O = SplitOutputs;

constexpr std::uint32_t kSplitStream = 0x63617363;

// Weights within this need no largest one to be taken off before their exponentials.
constexpr float kModerate = 80;

// In proportion to the softmax of any finite weights.
void softmax_odds(const float* weights, int count, float* odds) {
  const double top = *std::max_element(weights, weights + count);
  for (int k = 0; k < count; ++k) odds[k] = static_cast<float>(std::exp(weights[k] - top));
}

template <std::size_t kCount>
bool all_within(const float* values, float most) {
  bool fine = true;
  for (std::size_t i = 0; i < kCount; ++i) fine &= std::abs(values[i]) <= most;
  return fine;
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

SplitDrawer::SplitDrawer(infer::Isa isa) : exp_(infer::float_function(infer::Activation::Kind::kExp, isa)) {}

bool SplitDrawer::calculate_odds(const float* first, float* odds) const {
  if (all_within<kFirst>(first, kModerate)) {
    exp_({}, first, odds, kFirst);
    return true;
  }
  softmax_odds(first, O::kClasses, odds);
  softmax_odds(first + O::kWeight, O::kParametric, odds + O::kWeight);
  return all_within<kFirst>(first, std::numeric_limits<float>::max());
}

bool SplitDrawer::add_spectra(const float* first, const float* odds, std::array<float, 2> of_spectra,
                              float* weights) const {
  if (all_within<kFirst>(first, kModerate) && all_within<2>(of_spectra.data(), kModerate)) {
    std::copy_n(odds + O::kWeight, O::kParametric, weights);
    exp_({}, of_spectra.data(), weights + O::kParametric, 2);
    return true;
  }
  float all[O::kParametric + 2];
  std::copy_n(first + O::kWeight, O::kParametric, all);
  std::copy_n(of_spectra.data(), 2, all + O::kParametric);
  softmax_odds(all, O::kParametric + 2, weights);
  return all_within<2>(of_spectra.data(), std::numeric_limits<float>::max());
}

namespace {

// Chooses among odds[begin] to odds[end − 1], and leaves in `u` what is left of it, uniform again.
template <class Number>
int chosen_of(const Number* odds, int begin, int end, double rest, double& u) {
  while (begin + 1 < end && rest >= odds[begin]) rest -= odds[begin++];
  u = odds[begin] > 0 ? std::clamp(rest / odds[begin], 0.0, 1.0) : 0.5;
  return begin;
}

}  // namespace

int SplitDrawer::choose_class(const float* odds, double& u) {
  const double sum = static_cast<double>(odds[0]) + odds[1] + odds[2];
  return chosen_of(odds, 0, O::kClasses, u * sum, u);
}

int SplitDrawer::choose_component(const float* odds, double u) {
  // By groups of four, whose sums do not wait for one another.
  double sums[kMostComponents / 4], sum = 0;
  for (int group = 0; group < kMostComponents / 4; ++group) {
    const float* const of = odds + 4 * group;
    sum += sums[group] = (of[0] + of[1]) + (of[2] + of[3]);
  }
  double rest = u * sum;
  int group = 0;
  // Behind the last component the odds are zero: they are never chosen.
  while (group + 1 < kMostComponents / 4 && sums[group + 1] > 0 && rest >= sums[group]) rest -= sums[group++];
  int end = 4 * group + 4;
  while (end > 4 * group + 1 && !(odds[end - 1] > 0)) --end;
  return chosen_of(odds, 4 * group, end, rest, u);
}

Parts SplitDrawer::parts_of(int component, std::array<float, 2> place, float energy_mev, float threshold_mev,
                            const Spectra* spectra, int ring, double u) {
  const double energy = energy_mev;
  double part, rest;  // the one that the component speaks of
  bool is_a = true;
  const double centre = place[0],
               width = component < O::kParametric
                           ? std::exp(std::clamp<double>(place[1], O::kNarrowest, O::kWidest))
                           : 1;
  if (component < O::kNormals) {
    const double log_ratio = centre + width * normal_quantile(u);
    part = energy * sigmoid(log_ratio);
    rest = energy * sigmoid(-log_ratio);
  } else {
    const double log_e = std::log(energy / threshold_mev);
    double y;
    if (component < O::kParametric) {
      const double p = std::clamp(u * sigmoid((log_e - centre) / width), 1e-300, 1 - 1e-16);
      y = centre + width * std::log(p / (1 - p));
      is_a = component < O::kNormals + CascadeSizes::kLogistics;
    } else {
      y = draw_from(*spectra, ring, log_e, u);
      is_a = component == O::kParametric;
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
  for (int i = 0; i < 3 * kCount; ++i)
    if (!std::isfinite(out[i])) return std::numeric_limits<double>::quiet_NaN();
  double u = noise.choice, sum = 0, odds[kCount];
  const double top = *std::max_element(out, out + kCount);
  for (int k = 0; k < kCount; ++k) sum += odds[k] = std::exp(out[k] - top);
  const int k = chosen_of(odds, 0, kCount, u * sum, u);
  return out[kCount + k] +
         std::exp(std::clamp(out[2 * kCount + k], -4.0f, 2.0f)) * normal_quantile(noise.place);
}

double normal_quantile(double p) {
  const auto ratio = [](double r, const double(&above)[8], const double(&below)[8]) {
    double a = above[7], b = below[7];
    for (int i = 6; i >= 0; --i) a = a * r + above[i], b = b * r + below[i];
    return a / b;
  };
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    static constexpr double kAbove[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                        1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                        4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                        3.3430575583588128105e+4, 2.5090809287301226727e+3},
                            kBelow[] = {1.0,
                                        4.2313330701600911252e+1,
                                        6.8718700749205790830e+2,
                                        5.3941960214247511077e+3,
                                        2.1213794301586595867e+4,
                                        3.9307895800092710610e+4,
                                        2.8729085735721942674e+4,
                                        5.2264952788528545610e+3};
    return q * ratio(0.180625 - q * q, kAbove, kBelow);
  }
  const double r = std::sqrt(-std::log(std::min(p, 1 - p)));
  double x;
  if (r <= 5) {
    static constexpr double kAbove[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                        5.76949722146069140550e0,  3.64784832476320460504e0,
                                        1.27045825245236838258e0,  2.41780725177450611770e-1,
                                        2.27238449892691845833e-2, 7.74545014278341407640e-4},
                            kBelow[] = {1.0,
                                        2.05319162663775882187e0,
                                        1.67638483018380384940e0,
                                        6.89767334985100004550e-1,
                                        1.48103976427480074590e-1,
                                        1.51986665636164571966e-2,
                                        5.47593808499534494600e-4,
                                        1.05075007164441684324e-9};
    x = ratio(r - 1.6, kAbove, kBelow);
  } else {
    static constexpr double kAbove[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                        1.78482653991729133580e0,  2.96560571828504891230e-1,
                                        2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                        2.71155556874348757815e-5, 2.01033439929228813265e-7},
                            kBelow[] = {1.0,
                                        5.99832206555887937690e-1,
                                        1.36929880922735805310e-1,
                                        1.48753612908506148525e-2,
                                        7.86869131145613259100e-4,
                                        1.84631831751005468180e-5,
                                        1.42151175831644588870e-7,
                                        2.04426310338993978564e-15};
    x = ratio(r - 5, kAbove, kBelow);
  }
  return q < 0 ? -x : x;
}

}  // namespace calo::cascade
