#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/model/cascade_nets.h"

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

/// Gradient of a loss by the logits of spectra, gathered split by split and finished once.
class SpectraGradient {
 public:
  explicit SpectraGradient(std::size_t rings)
      : hits_(rings * Spectra::kBins), whole_(rings * (Spectra::kBins + 1)), part_(rings * Spectra::kBins) {}

  /// One component with the responsibility `share` that met a part in `bin`, of a split whose energy lies at
  /// `fraction` of `top_bin` and has the share `below` of the spectrum under it.
  void add(int ring, float share, int bin, int top_bin, float fraction, float below) {
    const auto at = static_cast<std::size_t>(ring) * Spectra::kBins;
    hits_[at + static_cast<std::size_t>(bin)] += share;
    whole_[at + static_cast<std::size_t>(ring + top_bin)] += share / below;
    if (top_bin < Spectra::kBins) part_[at + static_cast<std::size_t>(top_bin)] += fraction * share / below;
  }
  /// Adds to `gradient` `[rings, kBins]` and starts anew.
  void finish(const Spectra& spectra, std::span<float> gradient);

 private:
  std::vector<float> hits_, whole_, part_;
};

/// Splits of one network, of a_mev[i] + b_mev[i] into the two.
struct SplitRows {
  std::size_t count = 0;
  const float* outputs = nullptr;  ///< `[count, stride]` of the network
  std::size_t stride = 0;
  const float* a_mev = nullptr;
  const float* b_mev = nullptr;
  const std::uint16_t* ring = nullptr;  ///< of each split; read where there are spectra
};

/// −ln of the density of the splits, summed: of the class, and of ln(a/b) where both parts have energy.
/// @param gradient  `[count, stride]`, the derivative of the sum by the outputs; null = not wanted
/// @param spectra   null = none
double split_loss(const SplitRows& rows, float threshold_mev, const Spectra* spectra, float* gradient,
                  SpectraGradient* spectra_gradient);

/// Random numbers of one split, uniform in (0, 1): of the class and the component, and of the place.
struct SplitNoise {
  double choice = 0.5, place = 0.5;
};

struct Parts {
  float a_mev = 0, b_mev = 0;
};

/// Draws the parts of `energy_mev` from the density. A part below the threshold joins the other; the parts
/// sum to `energy_mev` to rounding, and none is negative.
Parts draw_split(const float* outputs, float energy_mev, float threshold_mev, const Spectra* spectra,
                 int ring, SplitNoise noise);

/// Density of the total energy: normals in t = ln(total / (incident x mean response)) / width(incident).
/// Outputs: weights, centres, ln widths.
double total_loss(const float* outputs, float t, float* gradient);
double draw_total(const float* outputs, SplitNoise noise);

/// The inverse of the standard normal distribution function, within 1e-9.
double normal_quantile(double p);

}  // namespace calo::cascade
