#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/validate/features.h"
#include "calo/validate/roc.h"
#include "core/thread_pool.h"

namespace calo {

struct ClassifierOptions {
  std::uint64_t seed = 42;             ///< of the split
  std::int64_t max_showers = 100'000;  ///< of each side; the first ones of each condition
};

/// Fewest showers of each side that a classifier is trained on.
constexpr std::size_t kFewestClassified = 50;

/// Indices [0, rows) in three parts: 60 % to train, 20 % to choose by, 20 % to test.
struct Split {
  std::vector<std::size_t> train, validation, test;
};
Split split_rows(std::size_t rows, std::uint64_t seed);

/// How well a classifier tells showers that it has not seen. The full simulation ("Geant4") is the negative
/// class, fast showers are the positive one; there are as many of each.
struct Classification {
  std::string name;   ///< "high_level"
  std::string title;  ///< "Classifier on high-level features"
  Auc auc;
  double accuracy = 0;  ///< at probability 0.5
  /// 1 - cross-entropy / ln 2, as in the CaloChallenge (code/evaluate.py): a lower bound, up to fluctuations,
  /// of the Jensen–Shannon divergence of the features, in bits. Below 0 where the classifier guesses badly.
  double jensen_shannon = 0;
  std::vector<RocPoint> roc;                               ///< over the probability of being fast
  std::array<std::array<std::int64_t, 2>, 2> confusion{};  ///< [true][said], 0 = full, 1 = fast
  std::vector<double> full_scores, fast_scores;            ///< probability of being fast, of the test showers
  std::int64_t train_showers = 0, validation_showers = 0, test_showers = 0;  ///< of each side
  double l2 = 0;                                                             ///< penalty chosen
  std::vector<std::string> features;

  bool tells_apart() const { return std::abs(auc.value - 0.5) > 2 * auc.error; }
  /// Figures without the curve.
  nlohmann::json to_json() const;
  /// What Kubeflow's ClassificationMetrics carries: `{"confidenceMetrics": […], "confusionMatrix": {…}}`.
  nlohmann::json kubeflow_metadata() const;
};

/// Judges a classifier by its logits (finite) of test showers, at least one of each side.
Classification judge(std::string name, std::string title, const std::vector<double>& full_logits,
                     const std::vector<double>& fast_logits);

/// Trains and tests LogisticRegression on high-level features.
/// @param full,fast tables of equal size, kFewestClassified rows or more; row i of both has the same
/// conditions
///        and is in the same part of the split
Classification classify_high_level(const FeatureTable& full, const FeatureTable& fast,
                                   const ClassifierOptions& options, core::ThreadPool& pool);

}  // namespace calo
