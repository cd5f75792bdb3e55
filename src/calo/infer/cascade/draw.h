#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "calo/infer/cascade/nets.h"
#include "calo/infer/float_functions.h"

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

/// Draws from the densities of splits.
class SplitDrawer {
 public:
  /// Outputs of a network that draw() takes from the start: classes and weights, without those of the
  /// spectra.
  static constexpr int kFirst = SplitOutputs::kCentre;

  explicit SplitDrawer(infer::Isa isa = infer::best_isa());

  /// Draws the parts of `energy_mev` from the density. A part below the threshold joins the other; the parts
  /// sum to `energy_mev` to rounding, and none is negative.
  /// @param first  kFirst outputs of the network
  /// @param more  gives two of the others: std::array<float, 2> more(int, int)
  /// @param spectra  null = the density has none
  /// @return nothing if an output is not finite
  template <class More>
  std::optional<Parts> draw(const float* first, const More& more, float energy_mev, float threshold_mev,
                            const Spectra* spectra, int ring, SplitNoise noise) const {
    using O = SplitOutputs;
    float odds[kFirst];
    double u = noise.choice;
    if (!calculate_odds(first, odds)) return {};
    const int outcome = choose_class(odds, u);
    if (outcome == 0) return Parts{energy_mev, 0};
    if (outcome == 1) return Parts{0, energy_mev};
    float weights[kMostComponents] = {};
    if (spectra != nullptr) {
      const std::array<float, 2> of_spectra = more(O::kSpectra, O::kSpectra + 1);
      if (!add_spectra(first, odds, of_spectra, weights)) return {};
    } else {
      std::copy_n(odds + O::kWeight, O::kParametric, weights);
    }
    const int component = choose_component(weights, u);
    std::array<float, 2> place = {0, 0};
    if (component < O::kParametric) place = more(O::kCentre + component, O::kLogWidth + component);
    if (!std::isfinite(place[0] + place[1])) return {};
    return parts_of(component, place, energy_mev, threshold_mev, spectra, ring, noise.place);
  }

  /// The same from all outputs of the network.
  std::optional<Parts> draw(const float* outputs, float energy_mev, float threshold_mev,
                            const Spectra* spectra, int ring, SplitNoise noise) const {
    return draw(
        outputs,
        [&](int i, int j) {
          return std::array<float, 2>{outputs[i], outputs[j]};
        },
        energy_mev, threshold_mev, spectra, ring, noise);
  }

 private:
  static constexpr int kMostComponents = 16;
  static_assert(SplitOutputs::kParametric + 2 <= kMostComponents);

  // Numbers in proportion to the probabilities of the classes, and to those of the components without
  // spectra.
  bool calculate_odds(const float* first, float* odds) const;
  bool add_spectra(const float* first, const float* odds, std::array<float, 2> of_spectra,
                   float* weights) const;
  // Choose by odds. After the class, `u` is what is left of it, uniform again.
  static int choose_class(const float* odds, double& u);
  static int choose_component(const float* odds, double u);
  static Parts parts_of(int component, std::array<float, 2> place, float energy_mev, float threshold_mev,
                        const Spectra* spectra, int ring, double u);

  infer::FloatFunction exp_;
};

/// Draws t = ln(total / (incident x mean response)) / width(incident) from normals. Outputs: weights,
/// centres, ln widths. NaN if one of them is not finite.
double draw_total(const float* outputs, SplitNoise noise);

/// The inverse of the standard normal distribution function, within 1e-15: algorithm AS 241 (M. J. Wichura,
/// Applied Statistics 37 (1988) 477).
double normal_quantile(double p);

}  // namespace calo::cascade
