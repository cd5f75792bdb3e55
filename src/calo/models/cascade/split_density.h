#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/cascade/draw.h"

namespace calo::cascade {

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

/// Density of the total energy: normals in t = ln(total / (incident x mean response)) / width(incident).
/// Outputs: weights, centres, ln widths.
double total_loss(const float* outputs, float t, float* gradient);

}  // namespace calo::cascade
