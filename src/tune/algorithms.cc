#include "tune/detail/algorithms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "tune/algorithm.h"

namespace tune {
namespace {

struct Entry {
  const char* name;
  const char* summary;
  bool several_objectives;
  std::unique_ptr<Algorithm> (*make)(const Space&, const AlgorithmOptions&);
};

const Entry kAlgorithms[] = {
    {"tpe", "tree-structured Parzen estimator; takes every space, and several objectives", true, make_tpe},
    {"gp", "Gaussian process; for few, expensive trials", false, make_gaussian_process},
    {"cma-es", "evolution strategy; for many trials, ranges without conditions only", false, make_cma_es},
    {"random", "uniform points", true, make_random},
    {"sobol", "points of a Sobol sequence, spread evenly", true, make_sobol},
    {"grid", "all combinations of the values", true, make_grid},
};

}  // namespace

const std::vector<std::pair<std::string, std::string>>& algorithm_names() {
  static const auto kNames = [] {
    std::vector<std::pair<std::string, std::string>> names;
    for (const Entry& entry : kAlgorithms) names.emplace_back(entry.name, entry.summary);
    return names;
  }();
  return kNames;
}

std::unique_ptr<Algorithm> make_algorithm(const std::string& name, const Space& space,
                                          const AlgorithmOptions& options) {
  std::vector<std::string> known;
  for (const Entry& entry : kAlgorithms) {
    known.emplace_back(entry.name);
    if (name != entry.name) continue;
    if (options.objectives > 1 && !entry.several_objectives)
      throw core::UsageError(
          {.message = fmt::format("{} searches for one objective, not for a Pareto front", name),
           .field = "algorithm",
           .hint = "give the objectives weights, or choose tpe"});
    return entry.make(space, options);
  }
  const std::string near = core::nearest(name, known);
  throw core::UsageError(
      {.message = fmt::format("cannot be \"{}\"{}", name,
                              near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near)),
       .field = "algorithm",
       .hint = fmt::format("allowed: {}", fmt::join(known, ", "))});
}

}  // namespace tune
