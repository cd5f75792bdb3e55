#include "calo/classify/classifiers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "calo/classify/detail/tree_classifier.h"
#include "calo/classify/network_classifier.h"
#include "calo/validate/named_rows.h"
#include "core/error.h"

namespace calo {
namespace {

template <NetworkKind Kind>
std::unique_ptr<Classifier> network(const ClassifierSettings& settings) {
  return std::make_unique<NetworkClassifier>(Kind, NetworkOptions{.seed = settings.seed,
                                                                  .max_epochs = settings.epochs,
                                                                  .trainings = settings.trainings,
                                                                  .threshold_mev = settings.threshold_mev});
}

template <bool Expert>
std::unique_ptr<Classifier> trees(const ClassifierSettings& settings) {
  return std::make_unique<TreeClassifier>(TreeClassifierOptions{.seed = settings.seed,
                                                                .trainings = settings.trainings,
                                                                .expert = Expert,
                                                                .threshold_mev = settings.threshold_mev});
}

// A classifier that can be asked for by name.
struct Row {
  const char* name;
  const char* help;
  std::unique_ptr<Classifier> (*make)(const ClassifierSettings& settings);
};

constexpr Row kClassifiers[] = {
    {"features", "a network on high-level features", network<NetworkKind::kHighLevel>},
    {"trees", "boosted trees on high-level features", trees<false>},
    {"expert-trees", "boosted trees on features of single cells and their neighbours", trees<true>},
    {"voxels", "a network on the cells", network<NetworkKind::kVoxels>},
    {"normalised-voxels", "a network on the cells' shares of their layers",
     network<NetworkKind::kNormalisedVoxels>},
    {"cnn", "a convolutional network on the cells", network<NetworkKind::kCnn>},
};
static_assert(has_unique_names(kClassifiers));

}  // namespace

std::vector<std::string> classifier_names() {
  std::vector<std::string> names;
  for (const Row& row : kClassifiers) names.emplace_back(row.name);
  return names;
}

std::string classifiers_help() {
  std::vector<std::string> phrases;
  for (const Row& row : kClassifiers) phrases.push_back(fmt::format("{} ({})", row.name, row.help));
  return fmt::format("{}", fmt::join(phrases, ", "));
}

std::unique_ptr<Classifier> make_classifier(const std::string& name, const ClassifierSettings& settings) {
  for (const Row& row : kClassifiers)
    if (name == row.name) return row.make(settings);
  throw core::UsageError({.message = fmt::format("\"{}\" is no classifier", name),
                          .field = "classifiers",
                          .hint = fmt::format("known: {}", fmt::join(classifier_names(), ", "))});
}

}  // namespace calo
