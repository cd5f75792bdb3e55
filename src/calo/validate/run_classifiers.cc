#include "calo/validate/run_classifiers.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "calo/validate/detail/logistic_classifier.h"

namespace calo {
namespace {

Classification run(const Classifier& classifier, const BalancedTables& tables, const BalancedShowers& showers,
                   const VoxelMesh& mesh, core::ThreadPool& pool) {
  Classification result = classifier.classify(
      {.full = {tables.full, showers.full}, .fast = {tables.fast, showers.fast}, .mesh = mesh}, pool);
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
  results.push_back(run(logistic, sample.tables(&GroupSample::high_level, options.seed), {}, mesh, pool));
  if (options.others.empty()) return results;
  const bool need_cells = std::any_of(options.others.begin(), options.others.end(),
                                      [](const auto& classifier) { return classifier->needs_cells(); });
  const BalancedSample seen = need_cells ? sample.at_most(options.most_in_memory) : sample;
  const BalancedTables tables = seen.tables(&GroupSample::calochallenge, options.seed);
  BalancedShowers showers;
  if (need_cells) showers = seen.showers(full, fast, options.seed);
  for (const auto& classifier : options.others)
    results.push_back(run(*classifier, tables, showers, mesh, pool));
  return results;
}

}  // namespace calo
