#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "calo/validate/classifier.h"

namespace calo {

/// What every classifier is told.
struct ClassifierSettings {
  std::uint64_t seed = 42;   ///< of splits, initial weights and the order of the showers
  int trainings = 3;         ///< at most
  int epochs = 50;           ///< of each training of a network, at most
  double threshold_mev = 0;  ///< cells below count as 0
};

/// Names of the classifiers that make_classifier() knows.
std::vector<std::string> classifier_names();

/// What each of them is, in one phrase: "features (a network on high-level features), …".
std::string classifiers_help();

/// @throws core::UsageError if the name is not known
std::unique_ptr<Classifier> make_classifier(const std::string& name, const ClassifierSettings& settings);

}  // namespace calo
