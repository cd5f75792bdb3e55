#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/cascade/nets.h"

namespace calo::cascade {

/// Components of the density of ln(a/b) where both parts have energy, and where a network's outputs lie:
/// 3 classes (a only, b only, both), then the components' weights, centres and ln widths, then the weights of
/// the two hit spectra, if there are any.
struct SplitOutputs {
  static constexpr int kClasses = 3;
  static constexpr int kNormals = CascadeSizes::kNormals;
  static constexpr int kLogistics =
      2 * CascadeSizes::kLogistics;  ///< those in ln(a/T), then those in ln(b/T)
  static constexpr int kParametric = kNormals + kLogistics;
  static constexpr int kWeight = kClasses;
  static constexpr int kCentre = kWeight + kParametric;
  static constexpr int kLogWidth = kCentre + kParametric;
  static constexpr int kSpectra = kLogWidth + kParametric;
  static constexpr int kMost = kSpectra + 2;
  /// Bounds of ln width.
  static constexpr float kNarrowest = -4.5f, kWidest = 2.0f;
};

/// Spectra of ln(cell energy / T), one a ring, as histograms over [0, kTop): learned by their logarithms.
class Spectra {
 public:
  static constexpr int kBins = CascadeSizes::kSpectrumBins;
  static constexpr float kTop = 11.0f;
  static constexpr float kBinWidth = kTop / kBins;

  Spectra() = default;
  /// @param logits `[rings, kBins]`, normalised here
  explicit Spectra(std::span<const float> logits);

  /// ln of the probability of each bin; share below each edge, kBins + 1 of them.
  const float* log_probability(int ring) const { return log_probability_.data() + ring * kBins; }
  const float* below(int ring) const { return below_.data() + ring * (kBins + 1); }

 private:
  std::vector<float> log_probability_, below_;
};

/// Random numbers of one split, uniform in (0, 1): of the class and the component, and of the place.
struct SplitNoise {
  double choice = 0.5, place = 0.5;
};

/// Which shower random numbers belong to.
struct ShowerKey {
  std::uint64_t seed = 0, event = 0;
  std::uint32_t particle = 0;
};

/// The random numbers of one split of a shower, the same whatever was drawn before.
SplitNoise split_noise(const ShowerKey& shower, std::size_t split);

/// The random numbers that normal ones are the quantiles of.
SplitNoise split_noise(const float latents[2]);

/// Those of the first `splits` splits of a shower, as normal numbers: what the model's ONNX graph takes
/// (doc/onnx.md), choice and place of one split after the other.
std::vector<float> split_latents(const ShowerKey& shower, std::size_t splits);

struct Parts {
  float a_mev = 0, b_mev = 0;
};

/// Draws the parts of `energy_mev` from the density. A part below the threshold joins the other; the parts
/// sum to `energy_mev` to rounding, and none is negative.
Parts draw_split(const float* outputs, float energy_mev, float threshold_mev, const Spectra* spectra,
                 int ring, SplitNoise noise);

/// Draws t = ln(total / (incident x mean response)) / width(incident) from normals. Outputs: weights,
/// centres, ln widths.
double draw_total(const float* outputs, SplitNoise noise);

/// The inverse of the standard normal distribution function, within 1e-9.
double normal_quantile(double p);

}  // namespace calo::cascade
