#include "calo/validate/run_classifiers.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "calo/validate/detail/logistic_classifier.h"

namespace calo {
namespace {

// AUC after trainings with a quarter and half of the showers, if all of them tell something new.
std::vector<SampleSizeAuc> by_sample_size(const Classifier& classifier, const Classification& with_all,
                                          ClassifiedShowers showers, core::ThreadPool& pool) {
  constexpr double kShares[] = {0.25, 0.5};
  const auto fewest = static_cast<std::int64_t>(kShares[0] * static_cast<double>(with_all.train_showers));
  if (fewest < static_cast<std::int64_t>(kFewestClassified) || with_all.auc.value > kSeparatedAuc) return {};
  std::vector<SampleSizeAuc> result;
  showers.most_trainings = 1;
  for (const double share : kShares) {
    showers.train_share = share;
    spdlog::info("{}: the same with {:.0f} % of the training showers", classifier.title(), 100 * share);
    const Classification with_few = classifier.classify(showers, pool);
    result.push_back({.train_showers = with_few.train_showers, .auc = with_few.auc});
  }
  result.push_back({.train_showers = with_all.train_showers,
                    .auc = with_all.trainings.empty() ? with_all.auc : with_all.trainings.front().auc});
  return result;
}

std::vector<double> of_rows(const std::vector<double>& values, const std::vector<std::size_t>& rows) {
  std::vector<double> result;
  result.reserve(rows.size());
  for (const std::size_t row : rows) result.push_back(values.at(row));
  return result;
}

Classification run(const Classifier& classifier, const BalancedSample& sample, const BalancedTables& tables,
                   const BalancedShowers& showers, const VoxelMesh& mesh, core::ThreadPool& pool) {
  const ClassifiedShowers both{
      .full = {tables.full, showers.full}, .fast = {tables.fast, showers.fast}, .mesh = mesh};
  Classification result = classifier.classify(both, pool);
  const auto incident_mev = [](const GroupSample& group, std::size_t i) { return group.incident_mev[i]; };
  if (result.test_rows.size() == result.full_scores.size())
    result.by_energy = auc_by_energy(
        result.full_scores, of_rows(sample.values(sample.full(), incident_mev), result.test_rows),
        result.fast_scores, of_rows(sample.values(sample.fast(), incident_mev), result.test_rows));
  result.by_sample_size = by_sample_size(classifier, result, both, pool);
  if (tables.first_half.rows() < kFewestClassified) return result;
  spdlog::info("{}: the same between two halves of the full simulation", classifier.title());
  const Classification between = classifier.classify({.full = {tables.first_half, showers.first_half},
                                                      .fast = {tables.second_half, showers.second_half},
                                                      .mesh = mesh},
                                                     pool);
  result.floor = {.auc = between.auc, .jensen_shannon = between.best_jensen_shannon()};
  return result;
}

}  // namespace

std::vector<Classification> run_classifiers(const BalancedSample& sample, ShowerReader& full,
                                            ShowerReader& fast, const ClassifierOptions& options,
                                            core::ThreadPool& pool) {
  std::vector<Classification> results;
  if (sample.size() < kFewestClassified) return results;
  const VoxelMesh& mesh = full.info().mesh;
  const LogisticClassifier logistic(options.seed);
  results.push_back(
      run(logistic, sample, sample.tables(&GroupSample::high_level, options.seed), {}, mesh, pool));
  if (options.others.empty()) return results;
  const bool need_cells = std::any_of(options.others.begin(), options.others.end(),
                                      [](const auto& classifier) { return classifier->needs_cells(); });
  const BalancedSample seen = need_cells ? sample.at_most(options.most_in_memory) : sample;
  const BalancedTables tables = seen.tables(&GroupSample::calochallenge, options.seed);
  BalancedShowers showers;
  if (need_cells) showers = seen.showers(full, fast, options.seed);
  for (const auto& classifier : options.others)
    results.push_back(run(*classifier, seen, tables, showers, mesh, pool));
  return results;
}

}  // namespace calo
