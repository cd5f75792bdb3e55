#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/cascade/draw.h"

namespace calo::cascade {

/// Gradient of a loss with respect to the logits of spectra, accumulated over splits and finished once.
class SpectraGradient {
 public:
  explicit SpectraGradient(std::size_t rings)
      : hits_(rings * Spectra::kBins), whole_(rings * (Spectra::kBins + 1)), part_(rings * Spectra::kBins) {}

  /// Adds a component with the responsibility `share` and a part in `bin`. The energy of the split is at
  /// `fraction` of `top_bin`, and the spectrum has the share `below` below it.
  void add(int ring, float share, int bin, int top_bin, float fraction, float below) {
    const auto at = static_cast<std::size_t>(ring) * Spectra::kBins;
    hits_[at + static_cast<std::size_t>(bin)] += share;
    whole_[at + static_cast<std::size_t>(ring + top_bin)] += share / below;
    if (top_bin < Spectra::kBins) part_[at + static_cast<std::size_t>(top_bin)] += fraction * share / below;
  }
  /// Adds the gradient to `gradient` `[rings, kBins]` and resets this object.
  void finish(const Spectra& spectra, std::span<float> gradient);

 private:
  std::vector<float> hits_, whole_, part_;
};

/// Splits of one network, of energies a_mev[i] + b_mev[i] into the two parts.
struct SplitRows {
  std::size_t count = 0;
  const float* outputs = nullptr;  ///< outputs of the network, `[count, stride]`
  std::size_t stride = 0;
  const float* a_mev = nullptr;
  const float* b_mev = nullptr;
  const std::uint16_t* ring = nullptr;  ///< ring of each split; used only with spectra
};

/// Sum over the splits of −ln of their density: that of the class, and that of ln(a/b) if both parts have
/// energy.
/// @param gradient  `[count, stride]`, the derivative of the sum with respect to the outputs; null = not
///        needed
/// @param spectra   null = none
double split_loss(const SplitRows& rows, float threshold_mev, const Spectra* spectra, float* gradient,
                  SpectraGradient* spectra_gradient);

/// −ln of the density of the total energy: normals in t = ln(total / (incident x mean response)) /
/// width(incident). Outputs: weights, centres, ln widths.
double total_loss(const float* outputs, float t, float* gradient);

}  // namespace calo::cascade
