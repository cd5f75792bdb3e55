#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/json_reader.h"
#include "tune/study.h"

namespace tune {

/// A number that a pipeline writes, and that a study makes small or large.
struct Objective {
  std::string value;  ///< product and name: "metrics.json:fpd", "metrics.json:cost/fast/seconds_per_shower"
  std::string goal = "minimize";
  std::optional<double> weight;  ///< of a sum; if no objective has one, several give a Pareto front

  std::string file() const { return value.substr(0, value.find(':')); }
  std::string name() const { return value.substr(value.find(':') + 1); }
  double sign() const { return goal == "maximize" ? -1 : 1; }

  template <class V>
  void describe(V& v) {
    v("value", value, {.required = true});
    v("goal", goal, {.choices = {"minimize", "maximize"}});
    v("weight", weight, {.min = 0, .above_min = true});
  }
};

/// A number with its statistical error; NaN if that is not known.
struct Measured {
  double value = 0, error = 0;
};

/// The mean of repeated measurements. Its error is the standard error from their spread, or from their own
/// errors if that is larger: the spread of two or three is often small by chance. NaN for one without an
/// error.
Measured mean(const std::vector<Measured>& repeats);

/// The objectives of a study.
class Objectives {
 public:
  Objectives() = default;
  /// @throws core::UsageError if there is none, some have weights and others not, or one has not the form
  /// FILE:NAME
  explicit Objectives(std::vector<Objective> all);

  const std::vector<Objective>& all() const { return all_; }
  /// True if all objectives are one sum, so that trials have one order.
  bool is_sum() const { return all_.size() == 1 || all_[0].weight.has_value(); }
  /// Number of losses that an algorithm sees.
  std::size_t losses() const { return is_sum() ? 1 : all_.size(); }

  /// Reads a number from a product; `NAME_error` beside it is its error. A name without "/" is looked up in
  /// `summary`, too.
  /// @throws core::InputError if the product has no such number (with the nearest name)
  static Measured read(const Objective& objective, const std::filesystem::path& file);

  /// What algorithms make small: the weighted sum, or each objective.
  std::vector<double> loss(const Trial& trial) const;
  /// The error of the sum; an objective without an error adds nothing.
  double loss_error(const Trial& trial) const;
  /// True if `a` is better than `b` by more than two statistical errors; without errors, if it is better at
  /// all.
  bool is_better(const Trial& a, const Trial& b) const;

  /// The best of the trials that are done: the one with the smallest sum, or the Pareto front.
  std::vector<const Trial*> best(const std::vector<Trial>& trials) const;
  /// Those that are not worse than the best one by more than the errors; only for is_sum().
  std::vector<const Trial*> equal_to_best(const std::vector<Trial>& trials) const;

  nlohmann::json to_json() const;
  /// Reads a list whose elements are "FILE:NAME" or mappings.
  static Objectives read_json(const nlohmann::json& list, core::JsonPlace& place);

 private:
  std::vector<Objective> all_;
};

/// How much each parameter matters by itself: the share of the variance of the ranks of the losses that the
/// mean of the other trials with a similar value predicts; between 0 and 1. Empty for fewer than 10 trials.
/// @param losses of the trials that are done, in their order
std::map<std::string, double> importance(const Space& space, const std::vector<Trial>& trials,
                                         const std::vector<double>& losses);

}  // namespace tune
