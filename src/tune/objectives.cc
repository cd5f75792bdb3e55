#include "tune/objectives.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/json_file.h"
#include "tune/pareto.h"

namespace tune {
namespace {

using nlohmann::json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kErrors = 2;  // of this many errors a difference must be
constexpr std::size_t kFewestTrials = 10;
constexpr std::size_t kGroups = 6;  // of values of a parameter, for its importance

const json* find_in(const json& object, const std::string& path) {
  const json* at = &object;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const auto found = at->is_object() ? at->find(path.substr(begin, end - begin)) : at->end();
    if (!at->is_object() || found == at->end()) return nullptr;
    at = &*found;
    begin = end + 1;
  }
  return at;
}

// Names of the numbers of an object and of its summary.
std::vector<std::string> names_of(const json& object) {
  std::vector<std::string> names;
  const auto add = [&](const json& from) {
    for (const auto& [name, value] : from.items())
      if (value.is_number() && !name.ends_with("_error")) names.push_back(name);
  };
  if (object.is_object()) add(object);
  if (const json* summary = find_in(object, "summary"); summary != nullptr && summary->is_object())
    add(*summary);
  return names;
}

std::vector<const Trial*> done(const std::vector<Trial>& trials) {
  std::vector<const Trial*> out;
  for (const Trial& trial : trials)
    if (trial.state == TrialState::kDone) out.push_back(&trial);
  return out;
}

}  // namespace

Objectives::Objectives(std::vector<Objective> all) : all_(std::move(all)) {
  const auto fail = [](const std::string& message, const std::string& hint) {
    throw core::UsageError({.message = message, .field = "objectives", .hint = hint});
  };
  if (all_.empty()) fail("there is none", "name a number that the pipeline writes: metrics.json:fpd");
  for (const Objective& one : all_) {
    if (one.value.find(':') == std::string::npos || one.file().empty() || one.name().empty())
      fail(fmt::format("\"{}\" must have the form FILE:NAME", one.value), "metrics.json:fpd");
    if (one.weight.has_value() != all_[0].weight.has_value())
      fail("some objectives have a weight and others not",
           "give all of them weights, or none for a Pareto front");
  }
}

Measured mean(const std::vector<Measured>& repeats) {
  const auto count = static_cast<double>(repeats.size());
  double sum = 0, own = 0, spread = 0;
  for (const Measured& one : repeats) {
    sum += one.value;
    if (std::isfinite(one.error)) own += one.error * one.error;
  }
  if (repeats.size() == 1) return repeats[0];
  for (const Measured& one : repeats) spread += std::pow(one.value - sum / count, 2);
  return {sum / count, std::sqrt(std::max(spread / (count - 1) / count, own / count / count))};
}

Measured Objectives::read(const Objective& objective, const std::filesystem::path& file) {
  const json content = core::read_json(file);
  for (const std::string& path : {objective.name(), "summary/" + objective.name()}) {
    const json* value = find_in(content, path);
    if (value == nullptr || !value->is_number()) continue;
    const json* error = find_in(content, path + "_error");
    return {value->get<double>(), error != nullptr && error->is_number() ? error->get<double>() : kNone};
  }
  const std::vector<std::string> known = names_of(content);
  const std::string near = core::nearest(objective.name(), known);
  throw core::InputError({.message = "has no such number, which is an objective of the study",
                          .file = file,
                          .field = objective.name(),
                          .hint = near.empty() ? fmt::format("it has {}", fmt::join(known, ", "))
                                               : fmt::format("did you mean \"{}\"?", near)});
}

std::vector<double> Objectives::loss(const Trial& trial) const {
  std::vector<double> losses;
  losses.reserve(all_.size());
  for (std::size_t i = 0; i < all_.size(); ++i)
    losses.push_back(all_[i].sign() * all_[i].weight.value_or(1) * trial.values.at(i));
  if (is_sum()) return {std::accumulate(losses.begin(), losses.end(), 0.0)};
  return losses;
}

double Objectives::loss_error(const Trial& trial) const {
  double square = 0;
  for (std::size_t i = 0; i < all_.size(); ++i) {
    const double error = all_[i].weight.value_or(1) * trial.errors.at(i);
    if (std::isfinite(error)) square += error * error;
  }
  return std::sqrt(square);
}

bool Objectives::is_better(const Trial& a, const Trial& b) const {
  const double error = std::hypot(loss_error(a), loss_error(b));
  return loss(a)[0] < loss(b)[0] - kErrors * error;
}

std::vector<const Trial*> Objectives::best(const std::vector<Trial>& trials) const {
  std::vector<const Trial*> candidates = done(trials), out;
  std::vector<std::vector<double>> losses;
  losses.reserve(candidates.size());
  for (const Trial* trial : candidates) losses.push_back(loss(*trial));
  for (const std::size_t i : pareto_front(losses)) out.push_back(candidates[i]);
  // Equal losses are both on the front; of a sum, the first one is the best.
  if (is_sum() && out.size() > 1) out.resize(1);
  return out;
}

std::vector<const Trial*> Objectives::equal_to_best(const std::vector<Trial>& trials) const {
  const std::vector<const Trial*> first = best(trials);
  std::vector<const Trial*> out;
  for (const Trial* trial : done(trials))
    if (!first.empty() && trial != first[0] && !is_better(*first[0], *trial)) out.push_back(trial);
  return out;
}

json Objectives::to_json() const {
  json out = json::array();
  for (const Objective& one : all_) {
    out.push_back({{"value", one.value}, {"goal", one.goal}});
    if (one.weight) out.back()["weight"] = *one.weight;
  }
  return out;
}

Objectives Objectives::read_json(const json& list, core::JsonPlace& place) {
  if (!list.is_array()) place.wrong_type(list, "a list of objectives");
  std::vector<Objective> all(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const core::JsonPlace::Step step(place, i);
    if (list[i].is_string())
      all[i].value = list[i].get<std::string>();
    else
      core::read_json(all[i], list[i], place);
  }
  return place.checked([&] { return Objectives(std::move(all)); });
}

namespace {

// Ranks of values, from 0 to 1.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    out[order[i]] = static_cast<double>(i) / static_cast<double>(order.size() - 1);
  return out;
}

// Group of each trial by the value of one parameter: inactive, or an interval of its range.
std::vector<std::size_t> groups(const Dimension& dimension, const std::vector<const Trial*>& trials) {
  const auto size = static_cast<std::size_t>(dimension.size());
  const std::size_t count = dimension.is_categorical() ? size : size > 0 ? std::min(kGroups, size) : kGroups;
  std::vector<std::size_t> out;
  for (const Trial* trial : trials) {
    const auto found = trial->parameters.find(dimension.name);
    if (found == trial->parameters.end()) {
      out.push_back(count);
      continue;
    }
    const double place = dimension.interval(*found).middle();
    out.push_back(std::min(count - 1, static_cast<std::size_t>(place * static_cast<double>(count))));
  }
  return out;
}

}  // namespace

std::map<std::string, double> importance(const Space& space, const std::vector<Trial>& trials,
                                         const std::vector<double>& losses) {
  const std::vector<const Trial*> used = done(trials);
  std::map<std::string, double> out;
  if (used.size() < kFewestTrials || losses.size() != used.size()) return out;
  const std::vector<double> rank = ranks(losses);
  for (const Dimension& dimension : space.dimensions()) {
    const std::vector<std::size_t> group = groups(dimension, used);
    // Each trial is predicted by the mean of the others in its group.
    double explained = 0, total = 0;
    for (std::size_t i = 0; i < used.size(); ++i) {
      double sum = 0, all = 0;
      std::size_t count = 0;
      for (std::size_t j = 0; j < used.size(); ++j) {
        if (j == i) continue;
        all += rank[j];
        if (group[j] != group[i]) continue;
        sum += rank[j];
        ++count;
      }
      const double mean = all / static_cast<double>(used.size() - 1);
      const double predicted = count > 0 ? sum / static_cast<double>(count) : mean;
      explained += (rank[i] - predicted) * (rank[i] - predicted);
      total += (rank[i] - mean) * (rank[i] - mean);
    }
    out[dimension.name] = total > 0 ? std::max(0.0, 1 - explained / total) : 0;
  }
  return out;
}

}  // namespace tune
