#include "calo/classify/detail/trainings.h"

#include <algorithm>
#include <cmath>

#include "calo/classify/detail/isotonic.h"

namespace calo {
namespace {

TrainingResult judged(const TrainedClassifier& trained) {
  TrainingResult result{.best_epoch = trained.best_epoch, .epochs = trained.epochs};
  const PartLogits& test = trained.test;
  result.auc = roc_auc(test.full, test.fast);
  result.accuracy = test.accuracy();
  result.jensen_shannon = logit_divergence(test.full, test.fast);
  const IsotonicRegression calibration =
      IsotonicRegression::fit(trained.selection.full, trained.selection.fast);
  const auto calibrated = [&](std::vector<double> logits) {
    for (double& logit : logits) {
      const double p = calibration(logit);
      logit = std::log(p / (1 - p));
    }
    return logits;
  };
  result.calibrated_jensen_shannon = logit_divergence(calibrated(test.full), calibrated(test.fast));
  return result;
}

// Mean over the trainings, and the larger of their standard deviation and their mean error: see
// Classification.
template <class NumberOf>
auto combined(const std::vector<TrainingResult>& trainings, const NumberOf& number_of) {
  auto result = number_of(trainings.front());
  result.value = result.error = 0;
  const auto count = static_cast<double>(trainings.size());
  for (const TrainingResult& training : trainings) {
    result.value += number_of(training).value / count;
    result.error += number_of(training).error / count;
  }
  double squares = 0;
  for (const TrainingResult& training : trainings) {
    const double difference = number_of(training).value - result.value;
    squares += difference * difference;
  }
  if (trainings.size() > 1) result.error = std::max(result.error, std::sqrt(squares / (count - 1)));
  return result;
}

}  // namespace

double PartLogits::accuracy() const {
  double right = 0;
  for (const double logit : full) right += logit < 0 ? 1 : 0;
  for (const double logit : fast) right += logit >= 0 ? 1 : 0;
  return right / static_cast<double>(full.size() + fast.size());
}

double PartLogits::cross_entropy() const {
  return 1 - logit_divergence(full, fast).value;
}

Classification of_trainings(const std::string& name, const std::string& title, int most,
                            const std::function<TrainedClassifier(int number)>& train) {
  Classification result;
  std::vector<TrainingResult> trainings;
  TrainingsEnd end = TrainingsEnd::kAll;
  Auc auc;
  for (int number = 1; number <= most && end == TrainingsEnd::kAll; ++number) {
    const TrainedClassifier trained = train(number);
    trainings.push_back(judged(trained));
    if (number == 1) {
      result = judge(name, title, trained.test.full, trained.test.fast);
      result.train_showers = static_cast<std::int64_t>(trained.split.train.size());
      result.validation_showers = static_cast<std::int64_t>(trained.split.validation.size());
      result.test_rows = trained.split.test;
    }
    auc = combined(trainings, [](const TrainingResult& one) { return one.auc; });
    if (number == most) break;
    // One training alone does not tell how much trainings differ.
    if (auc.value > kSeparatedAuc)
      end = TrainingsEnd::kSeparated;
    else if (number > 1 && std::abs(auc.value - 0.5) > kDecidedErrors * auc.error)
      end = TrainingsEnd::kDecided;
  }
  result.auc = auc;
  const auto divergence = combined(trainings, [](const TrainingResult& one) { return one.jensen_shannon; });
  result.jensen_shannon = divergence.value;
  result.jensen_shannon_error = divergence.error;
  result.calibrated_jensen_shannon =
      combined(trainings, [](const TrainingResult& one) { return one.calibrated_jensen_shannon; });
  result.accuracy = 0;
  for (const TrainingResult& one : trainings)
    result.accuracy += one.accuracy / static_cast<double>(trainings.size());
  result.trainings = std::move(trainings);
  result.trainings_end = end;
  return result;
}

}  // namespace calo
