#include <fmt/format.h>

#include <cmath>
#include <map>

#include "calo/validate/validation.h"

namespace calo {
namespace {

using nlohmann::json;

void put(json& entry, const std::string& name, const Estimate& estimate) {
  entry[name] = estimate.value;
  entry[name + "_error"] = estimate.error;
  if (!estimate.has_floor) return;
  entry[name + "_floor"] = estimate.floor;
  entry[name + "_floor_error"] = estimate.floor_error;
}

json numbers(const Comparison& c) {
  json entry = {{"unit", c.unit},
                {"full_mean", c.full_mean},
                {"full_mean_error", c.full_mean_error},
                {"fast_mean", c.fast_mean},
                {"fast_mean_error", c.fast_mean_error}};
  for (std::size_t k = 0; k < std::size(kDistances); ++k)
    if (c.has(kDistances[k])) put(entry, kDistances[k].name, c.distances[k]);
  if (c.chi_squared.degrees > 0) {
    entry["chi2"] = c.chi_squared.value;
    entry["chi2_degrees"] = c.chi_squared.degrees;
    entry["chi2_p_value"] = c.chi_squared.p_value;
  }
  if (c.has_ks) {
    entry["ks_p_value"] = c.ks_p_value;
    entry["ks_p_value_corrected"] = c.corrected_p_value;
  }
  return entry;
}

json scan_json(const EnergyScan& scan) {
  json quantities = json::object();
  for (const EnergyScan::Quantity& quantity : scan.quantities)
    quantities[quantity.name.substr(quantity.name.find('_') + 1)] = {{"unit", quantity.unit},
                                                                     {"full", quantity.full.values},
                                                                     {"full_error", quantity.full.errors},
                                                                     {"fast", quantity.fast.values},
                                                                     {"fast_error", quantity.fast.errors}};
  json result = {{"geometry", scan.geometry},
                 {"angle_deg", scan.angle_deg},
                 {"energies_gev", scan.energies_gev},
                 {"quantities", std::move(quantities)}};
  for (const auto& [name, fit] :
       {std::pair{"full_fit", &scan.full_fit}, std::pair{"fast_fit", &scan.fast_fit}})
    if (fit->is_fitted)
      result[name] = {{"stochastic", fit->stochastic},
                      {"stochastic_error", fit->stochastic_error},
                      {"constant", fit->constant},
                      {"constant_error", fit->constant_error}};
  return result;
}

}  // namespace

json Validation::summary() const {
  json result = {{"conditions", groups.size()}, {"tests", tests}, {"tests_rejected", rejected}};
  for (const char* name : {"response", "longitudinal_first_moment", "lateral_first_moment"}) {
    double worst = 0;
    for (const ConditionComparison& group : groups) {
      const Comparison& c = group.observable(name);
      if (c.full_mean != 0) worst = std::max(worst, std::abs(c.fast_mean / c.full_mean - 1));
    }
    result[fmt::format("{}_largest_deviation", name)] = worst;
  }
  std::map<std::string, double> divergence;
  for (const ConditionComparison& group : groups)
    for (const Comparison& c : group.observables)
      divergence[c.name] += c.distances.of("jsd").value / static_cast<double>(groups.size());
  for (const auto& [name, mean] : divergence) result[name + "_jsd_mean"] = mean;
  for (const Score& score : scores) put(result, score.name, score.estimate);
  if (speed_up() > 0) result["speed_up"] = speed_up();
  return result;
}

json Validation::to_json() const {
  json list = json::array();
  for (const ConditionComparison& group : groups) {
    json observables = json::object(), layered_numbers = json::object();
    for (const Comparison& c : group.observables) observables[c.name] = numbers(c);
    for (const LayeredComparison& kind : group.layered) {
      json& layers = layered_numbers[kind.name] = json::array();
      for (const Comparison& c : kind.layers) layers.push_back(numbers(c));
    }
    json entry = {{"name", group.name},
                  {"geometry", group.geometry},
                  {"energy_gev", group.energy_gev},
                  {"angle_deg", group.angle_deg},
                  {"full_showers", group.full_showers},
                  {"fast_showers", group.fast_showers},
                  {"full_empty_showers", group.full_empty},
                  {"fast_empty_showers", group.fast_empty},
                  {"observables", std::move(observables)},
                  {"layers", std::move(layered_numbers)}};
    if (!group.correlations.full.empty()) put(entry, "correlations", group.correlations.mean_difference);
    list.push_back(std::move(entry));
  }
  const auto bad = [](const BadCells& cells) {
    return json{{"not_finite", cells.not_finite}, {"negative", cells.negative}};
  };
  const auto cost = [](const ShowerCost& known) {
    json entry = json::object();
    for (const auto& [name, value] : {std::pair{"seconds_per_shower", known.seconds_per_shower},
                                      std::pair{"peak_memory_bytes", known.peak_memory_bytes},
                                      std::pair{"memory_per_shower_bytes", known.memory_per_shower_bytes}})
      if (value > 0) entry[name] = value;
    return entry;
  };
  json tested = json::array(), scanned = json::array(), scored = json::object();
  for (const Classification& classification : classifiers) tested.push_back(classification.to_json());
  for (const EnergyScan& scan : scans) scanned.push_back(scan_json(scan));
  for (const Score& score : scores) {
    json& entry = scored[score.name] = {{"title", score.title}, {"agrees", score.agrees()}};
    put(entry, "value", score.estimate);
  }
  return {{"groups", std::move(list)},
          {"scores", std::move(scored)},
          {"scans", std::move(scanned)},
          {"classifiers", std::move(tested)},
          {"bad_cells", {{"full", bad(full_bad_cells)}, {"fast", bad(fast_bad_cells)}}},
          {"cost", {{"full", cost(full_cost)}, {"fast", cost(fast_cost)}}},
          {"only_full", only_full},
          {"only_fast", only_fast},
          {"threshold_mev", threshold_mev},
          {"summary", summary()}};
}

}  // namespace calo
