#include "calo/classify/detail/tree_classifier.h"

#include <fmt/format.h>

#include <algorithm>

#include "calo/classify/detail/expert_features.h"
#include "calo/classify/detail/trainings.h"
#include "core/error.h"

namespace calo {

Classification TreeClassifier::classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const {
  if (!options_.expert) return classify_tables(showers.full.features, showers.fast.features, showers, pool);
  const ExpertFeatures expert(showers.mesh, showers.full.showers, options_.threshold_mev);
  return classify_tables(expert.table(showers.full, pool), expert.table(showers.fast, pool), showers, pool);
}

Classification TreeClassifier::classify_tables(const FeatureTable& full, const FeatureTable& fast,
                                               const ClassifiedShowers& showers,
                                               core::ThreadPool& pool) const {
  if (options_.trainings < 1)
    throw core::UsageError(
        {.message = fmt::format("is {}; must be at least 1", options_.trainings), .field = "trainings"});
  if (full.rows() < kFewestClassified || full.rows() != fast.rows())
    throw core::InputError(
        {.message = fmt::format("a classifier needs as many fast as full showers, {} or more of "
                                "each; there are {} and {}",
                                kFewestClassified, fast.rows(), full.rows()),
         .field = "showers"});
  Classification result =
      of_trainings(name(), title(), std::min(options_.trainings, showers.most_trainings), [&](int number) {
        TrainedClassifier trained;
        trained.split = split_rows(full.rows(), options_.seed + static_cast<std::uint64_t>(number - 1),
                                   showers.train_share);
        const BoostedTrees model = BoostedTrees::fit(
            {.negative = full, .positive = fast, .rows = trained.split.train},
            {.negative = full, .positive = fast, .rows = trained.split.validation}, options_.trees, pool);
        const auto say = [&](const std::vector<std::size_t>& rows, PartLogits& logits) {
          for (const std::size_t row : rows) {
            logits.full.push_back(model.logit(full.row(row)));
            logits.fast.push_back(model.logit(fast.row(row)));
          }
        };
        say(trained.split.validation, trained.selection);
        say(trained.split.test, trained.test);
        trained.best_epoch = model.trees();
        trained.epochs = model.tried();
        return trained;
      });
  result.features = full.names;
  return result;
}

}  // namespace calo
