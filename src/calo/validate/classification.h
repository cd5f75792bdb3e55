#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calo/validate/roc.h"

namespace calo {

/// Fewest showers of each side that a classifier is trained on.
constexpr std::size_t kFewestClassified = 50;

/// Indices [0, rows) in three parts: 60 % to train, 20 % to choose by, 20 % to test.
struct Split {
  std::vector<std::size_t> train, validation, test;
};
/// @param train_share  share of the first two parts that is kept
Split split_rows(std::size_t rows, std::uint64_t seed, double train_share = 1);

/// 1 - cross-entropy / ln 2 of a classifier's logits, in bits, as in the CaloChallenge (code/evaluate.py): a
/// lower bound, up to fluctuations, of the Jensen–Shannon divergence of what the classifier sees. Below 0
/// where it guesses badly.
struct LogitDivergence {
  double value = 0;
  double error = 0;  ///< standard error, from the spread of the showers' cross-entropies
};
/// @param full_logits,fast_logits finite, at least one of each; each side counts half
LogitDivergence logit_divergence(const std::vector<double>& full_logits,
                                 const std::vector<double>& fast_logits);

/// Showers whose probability of being fast, by the classifier, lies in one bin.
struct CalibrationBin {
  double predicted = 0;  ///< mean of the probabilities
  double observed = 0;   ///< share of fast showers
  /// Binomial standard error of `observed`, taken at (fast + 1) / (showers + 2), so that it is not 0 where
  /// all showers of a bin are alike.
  double error = 0;
  std::int64_t showers = 0;
};
/// Calibration (reliability) curve: `bins` even bins of the probability, those without showers left out.
/// @param full_scores,fast_scores probabilities of being fast, as many of each
std::vector<CalibrationBin> calibration_curve(const std::vector<double>& full_scores,
                                              const std::vector<double>& fast_scores, int bins = 10);

/// One of several trainings of a classifier, each with its own split and initial weights.
struct TrainingResult {
  Auc auc;              ///< of this training's test part
  double accuracy = 0;  ///< at probability 0.5
  LogitDivergence jensen_shannon, calibrated_jensen_shannon;
  int best_epoch = 0;  ///< from 1; the epoch that was tested
  int epochs = 0;      ///< trained
};

/// AUC of the test showers of a range of incident energies.
struct EnergyAuc {
  double min_energy_mev = 0, max_energy_mev = 0;  ///< of the showers in it
  Auc auc;
  std::int64_t showers = 0;  ///< of each side, the fewer
};
/// In ranges with as many full showers each, at most `most` and with kFewestByEnergy or more of each side.
/// @param full_energies_mev,fast_energies_mev  of each score
std::vector<EnergyAuc> auc_by_energy(std::span<const double> full_scores,
                                     std::span<const double> full_energies_mev,
                                     std::span<const double> fast_scores,
                                     std::span<const double> fast_energies_mev, int most = 5);
constexpr std::size_t kFewestByEnergy = 40;

/// AUC after a training with fewer showers, tested on the same test part.
struct SampleSizeAuc {
  std::int64_t train_showers = 0;  ///< of each side
  Auc auc;
};

/// Why there are not more trainings.
enum class TrainingsEnd {
  kAll,        ///< as many as asked for
  kSeparated,  ///< the two are told apart nearly always: AUC above kSeparatedAuc
  kDecided,    ///< |AUC - 0.5| is above kDecidedErrors errors
};
constexpr double kSeparatedAuc = 0.995, kDecidedErrors = 10;

/// How well a classifier tells showers that it has not seen. The full simulation ("Geant4") is the negative
/// class, fast showers are the positive one; there are as many of each.
struct Classification {
  std::string name;   ///< "high_level"
  std::string title;  ///< "Classifier on high-level features"
  /// Of several trainings the mean. Its error is then the larger of two numbers: the standard deviation over
  /// the trainings (the test parts overlap, so it does not shrink with their number), which holds the
  /// fluctuations of training and test, and the mean of the trainings' Hanley–McNeil errors, which hold only
  /// the test's but are known well from few trainings.
  Auc auc;
  /// The same of two halves of the full simulation: what a perfect fast simulation reaches. None where that
  /// was not tried.
  struct Floor {
    Auc auc;
    LogitDivergence jensen_shannon;
  };
  std::optional<Floor> floor;
  double accuracy = 0;  ///< at probability 0.5; of several trainings the mean
  /// logit_divergence() of the test part, and its error; of several trainings combined as the AUC is.
  double jensen_shannon = 0, jensen_shannon_error = 0;
  /// The same after the probabilities were calibrated on the selection part; none if they were not.
  std::optional<LogitDivergence> calibrated_jensen_shannon;
  std::vector<TrainingResult> trainings;  ///< of a network; what follows up to `calibration` is the first's
  TrainingsEnd trainings_end = TrainingsEnd::kAll;
  std::vector<RocPoint> roc;                               ///< over the probability of being fast
  std::array<std::array<std::int64_t, 2>, 2> confusion{};  ///< [true][said], 0 = full, 1 = fast
  std::vector<double> full_scores, fast_scores;            ///< probability of being fast, of the test showers
  std::vector<CalibrationBin> calibration;
  std::vector<std::size_t> test_rows;  ///< of the test showers, in the order of the scores;
                                       ///< none = no AUC by energy
  std::vector<EnergyAuc> by_energy;    ///< none if there are too few test showers
  /// From few to all training showers, each of one training; none if there are too few, or if the two are
  /// told apart anyway.
  std::vector<SampleSizeAuc> by_sample_size;
  std::int64_t train_showers = 0, validation_showers = 0, test_showers = 0;  ///< of each side
  double l2 = 0;                                                             ///< penalty chosen
  std::vector<std::string> features;

  /// Calibrated, where that was done.
  LogitDivergence best_jensen_shannon() const {
    return calibrated_jensen_shannon.value_or(
        LogitDivergence{.value = jensen_shannon, .error = jensen_shannon_error});
  }
  /// Change of the AUC with the last doubling of the training showers, and its error (as if the test showers
  /// were others): a classifier whose AUC still grows would see more in a larger sample.
  std::optional<Auc> growth_of_auc() const;
  bool tells_apart() const { return std::abs(auc.value - 0.5) > 2 * auc.error; }
  /// Figures without the curve.
  nlohmann::json to_json() const;
  /// What Kubeflow's ClassificationMetrics carries: `{"confidenceMetrics": […], "confusionMatrix": {…}}`.
  nlohmann::json kubeflow_metadata() const;
};

/// Judges a classifier by its logits (finite) of test showers, at least one of each side.
Classification judge(std::string name, std::string title, const std::vector<double>& full_logits,
                     const std::vector<double>& fast_logits);

}  // namespace calo
