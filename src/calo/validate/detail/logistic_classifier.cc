#include "calo/validate/detail/logistic_classifier.h"

#include "calo/validate/detail/logistic.h"

namespace calo {

Classification LogisticClassifier::classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const {
  const FeatureTable& full = showers.full.features;
  const FeatureTable& fast = showers.fast.features;
  const Split split = split_rows(full.rows(), seed_, showers.train_share);
  const LogisticRegression model =
      LogisticRegression::fit({.negative = full, .positive = fast, .rows = split.train},
                              {.negative = full, .positive = fast, .rows = split.validation}, pool);
  std::vector<double> full_logits, fast_logits;
  for (const std::size_t row : split.test) {
    full_logits.push_back(model.logit(full.row(row)));
    fast_logits.push_back(model.logit(fast.row(row)));
  }
  Classification result = judge(name(), title(), full_logits, fast_logits);
  result.train_showers = static_cast<std::int64_t>(split.train.size());
  result.validation_showers = static_cast<std::int64_t>(split.validation.size());
  result.test_rows = split.test;
  result.l2 = model.l2();
  result.features = full.names;
  return result;
}

}  // namespace calo
