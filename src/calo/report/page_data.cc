#include "calo/report/page_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <set>
#include <span>

#include "calo/shower/energy.h"
#include "core/base64.h"
#include "core/error.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr int kVersion = 3;
constexpr int kScoreBins = 20;
// Bytes of examples in a page, about: the cells with least energy are left out where there are more.
constexpr std::size_t kExampleBytes = 6u << 20;

template <class Number>
std::string base64(std::span<const Number> numbers) {
  return core::to_base64({reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()});
}

// Numbers with as many digits as a plot can show; null if there is none.
json short_number(double value, int digits = 5) {
  if (!std::isfinite(value)) return nullptr;
  // Of numbers near 0 std::stod would throw.
  const double rounded = std::strtod(fmt::format("{:.{}g}", value, digits).c_str(), nullptr);
  if (rounded == std::floor(rounded) && std::abs(rounded) < 1e15) return static_cast<std::int64_t>(rounded);
  return rounded;
}

json short_numbers(const std::vector<double>& values, int digits = 5) {
  json list = json::array();
  for (const double value : values) list.push_back(short_number(value, digits));
  return list;
}

// All digits of an energy that files can hold; the mean of a spectrum has no more to say than other means.
json shown_energy(double gev) {
  constexpr int kAllDigits = 9;  // of float32
  return energy_gev(static_cast<float>(gev * 1000)) == gev ? short_number(gev, kAllDigits)
                                                           : short_number(gev);
}

json shown_energies(const std::vector<double>& gev) {
  json list = json::array();
  for (const double energy : gev) list.push_back(shown_energy(energy));
  return list;
}

json number(double value, double error) {
  return {{"value", short_number(value, 6)}, {"error", short_number(error, 3)}};
}

json number(const Estimate& estimate) {
  json result = number(estimate.value, estimate.error);
  if (estimate.has_floor)
    result["floor"] = {{"value", short_number(estimate.floor, 4)},
                       {"error", short_number(estimate.floor_error, 3)}};
  return result;
}

json numbers_of(const Comparison& c) {
  json result = {{"full_mean", number(c.full_mean, c.full_mean_error)},
                 {"fast_mean", number(c.fast_mean, c.fast_mean_error)}};
  for (std::size_t k = 0; k < std::size(kDistances); ++k)
    if (c.has(kDistances[k])) result[kDistances[k].name] = number(c.distances[k]);
  if (c.chi_squared.degrees > 0)
    result["chi2"] = {{"value", short_number(c.chi_squared.value)},
                      {"ndf", c.chi_squared.degrees},
                      {"p", short_number(c.chi_squared.p_value, 3)}};
  if (c.has_ks) {
    result["ks_p"] = short_number(c.ks_p_value, 3);
    result["p_corrected"] = short_number(c.corrected_p_value, 3);
  }
  return result;
}

json figure(const Comparison& c) {
  const auto side = [&](const std::vector<double>& values, const std::vector<double>& errors,
                        double entries) {
    json result = {{"n", short_number(entries, 12)},
                   {"values", short_numbers(values, c.is_profile ? 5 : 12)}};
    // The page takes the square roots of plain counts itself; cells of one shower are correlated: their
    // errors are larger.
    if (c.is_profile || c.name == "cell_energy") result["errors"] = short_numbers(errors, 3);
    return result;
  };
  return {{"name", c.name},
          {"title", c.title},
          {"unit", c.unit},
          {"kind", c.is_profile ? "profile" : "counts"},
          {"x_title",
           c.unit.empty()
               ? c.title
               : fmt::format("{} [{}]", c.is_profile ? (c.unit == "deg" ? "angle" : "position") : c.title,
                             c.unit)},
          {"y_title", c.is_profile              ? "mean energy [MeV]"
                      : c.name == "cell_energy" ? "cells per shower"
                                                : "share of showers"},
          {"log_y", c.log_y},
          {"low", short_number(c.low, 8)},
          {"high", short_number(c.high, 8)},
          {"full", side(c.full, c.full_error, c.full_entries)},
          {"fast", json::array({side(c.fast, c.fast_error, c.fast_entries)})},
          {"numbers", json::array({numbers_of(c)})}};
}

json correlation_figure(const ConditionComparison& group) {
  return {{"name", "layer_correlations"},
          {"title", "Correlations of layer energies"},
          {"unit", ""},
          {"kind", "matrix"},
          {"x_title", "layer"},
          {"y_title", "layer"},
          {"log_y", false},
          {"size", group.layers().size()},
          {"full", short_numbers(group.correlations.full, 3)},
          {"fast", json::array({short_numbers(group.correlations.fast, 3)})},
          {"numbers", json::array({{{"mean_difference", number(group.correlations.mean_difference)}}})}};
}

json scan_figures(const std::vector<EnergyScan>& scans) {
  json figures = json::array();
  if (scans.empty()) return figures;
  for (std::size_t q = 0; q < scans.front().quantities.size(); ++q) {
    const EnergyScan::Quantity& first = scans.front().quantities[q];
    json series = json::array();
    for (const EnergyScan& scan : scans) {
      const EnergyScan::Quantity& quantity = scan.quantities[q];
      const auto side = [&](const ScanSide& points, const ResolutionFit& fit) {
        json result = {{"values", short_numbers(points.values)}, {"errors", short_numbers(points.errors, 3)}};
        if (quantity.name == "scan_resolution" && fit.is_fitted) {
          std::vector<double> x, y;
          constexpr int kSteps = 40;
          const double ratio = scan.energies_gev.back() / scan.energies_gev.front();
          for (int i = 0; i <= kSteps; ++i) {
            x.push_back(scan.energies_gev.front() * std::pow(ratio, static_cast<double>(i) / kSteps));
            y.push_back(fit.at(x.back()));
          }
          result["fit"] = {
              {"text", fmt::format("({:.2f} ± {:.2f}) % / √E ⊕ ({:.2f} ± {:.2f}) %", 100 * fit.stochastic,
                                   100 * fit.stochastic_error, 100 * fit.constant, 100 * fit.constant_error)},
              {"x", short_numbers(x)},
              {"y", short_numbers(y)}};
        }
        return result;
      };
      series.push_back({{"label", fmt::format("{}, {:g} deg", scan.geometry, scan.angle_deg)},
                        {"x", shown_energies(scan.energies_gev)},
                        {"full", side(quantity.full, scan.full_fit)},
                        {"fast", json::array({side(quantity.fast, scan.fast_fit)})}});
    }
    figures.push_back(
        {{"name", first.name},
         {"title", first.title},
         {"unit", first.unit},
         {"kind", "curve"},
         {"x_title", "incident energy [GeV]"},
         {"y_title", first.unit.empty() ? first.title : fmt::format("{} [{}]", first.title, first.unit)},
         {"log_x", true},
         {"log_y", false},
         {"series", std::move(series)},
         {"numbers", json::array({nullptr})}});
  }
  return figures;
}

json shower_data(const Showers& showers, std::size_t i, std::size_t most_cells) {
  const auto cells = showers.cells_of(i);
  const auto energies = showers.energies_of(i);
  std::vector<std::size_t> order;
  double total = 0;
  for (std::size_t hit = 0; hit < cells.size(); ++hit)
    if (energies[hit] > 0 && std::isfinite(energies[hit])) {
      order.push_back(hit);
      total += energies[hit];
    }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return energies[a] > energies[b]; });
  const std::size_t kept = std::min(order.size(), most_cells);
  std::vector<std::uint32_t> shown_cells;
  std::vector<float> shown_mev;
  double shown = 0;
  for (std::size_t k = 0; k < kept; ++k) {
    shown_cells.push_back(cells[order[k]]);
    shown_mev.push_back(energies[order[k]]);
    shown += energies[order[k]];
  }
  return {{"incident_mev", short_number(showers.conditions[i].incident_energy_mev, 8)},
          {"total_mev", short_number(total, 8)},
          {"cells", base64(std::span<const std::uint32_t>(shown_cells))},
          {"energies", base64(std::span<const float>(shown_mev))},
          {"hidden_cells", order.size() - kept},
          {"hidden_mev", short_number(kept < order.size() ? total - shown : 0, 4)}};
}

json example_data(const Showers& showers, std::size_t most_cells) {
  json list = json::array();
  for (std::size_t i = 0; i < showers.size(); ++i) list.push_back(shower_data(showers, i, most_cells));
  return list;
}

json map_data(const std::vector<double>& cells_mev) {
  constexpr double kDecades = 7, kCodes = 254;
  const double largest = *std::max_element(cells_mev.begin(), cells_mev.end());
  const double high = std::log10(std::max(largest, 1e-6)), low = high - kDecades;
  std::vector<std::uint8_t> codes;
  for (const double energy : cells_mev) {
    const double place = energy > 0 ? (std::log10(energy) - low) / (high - low) * kCodes + 1 : 0;
    codes.push_back(static_cast<std::uint8_t>(place < 0.5 ? 0 : std::clamp(std::round(place), 1.0, 255.0)));
  }
  return {{"codes", base64(std::span<const std::uint8_t>(codes))},
          {"low", short_number(low, 8)},
          {"high", short_number(high, 8)}};
}

std::vector<double> score_counts(const std::vector<double>& scores) {
  std::vector<double> counts(kScoreBins, 0.0);
  for (const double score : scores)
    counts[static_cast<std::size_t>(std::clamp(score * kScoreBins, 0.0, kScoreBins - 0.5))] += 1;
  return counts;
}

std::string classifier_text(const Classification& c) {
  std::string text = fmt::format(
      "{} showers of each side to train, {} to choose by, {} to test; as many fast as full showers of each "
      "condition.",
      c.train_showers, c.validation_showers, c.test_showers);
  if (!c.features.empty()) text += fmt::format(" It sees {} numbers of each shower.", c.features.size());
  if (c.trainings.size() > 1) text += fmt::format(" Trained {} times with other splits.", c.trainings.size());
  if (c.trainings_end != TrainingsEnd::kAll) text += " Training ended early: the answer was clear.";
  return text;
}

json classifier_data(const Classification& c) {
  json roc = json::array(), calibration = json::array();
  for (const RocPoint& point : c.roc) roc.push_back(short_numbers({point.false_positive_rate, point.recall}));
  for (const CalibrationBin& bin : c.calibration)
    calibration.push_back(short_numbers({bin.predicted, bin.observed, bin.error}));
  const LogitDivergence divergence = c.best_jensen_shannon();
  json by_energy = json::array(), by_sample_size = json::array();
  for (const EnergyAuc& of : c.by_energy)
    by_energy.push_back(
        short_numbers({std::sqrt(of.min_energy_mev * of.max_energy_mev) / 1000, of.auc.value, of.auc.error}));
  for (const SampleSizeAuc& of : c.by_sample_size)
    by_sample_size.push_back(
        short_numbers({static_cast<double>(of.train_showers), of.auc.value, of.auc.error}));
  const std::optional<Auc> growth = c.growth_of_auc();
  json trainings = json::array();
  for (const TrainingResult& training : c.trainings) trainings.push_back(short_number(training.auc.value));
  return {{"name", c.name},
          {"title", c.title},
          {"text", classifier_text(c)},
          {"models",
           json::array(
               {{{"auc", short_number(c.auc.value)},
                 {"auc_error", short_number(c.auc.error, 3)},
                 {"floor", c.floor ? number(c.floor->auc.value, c.floor->auc.error) : json(nullptr)},
                 {"jsd_floor", c.floor ? number(c.floor->jensen_shannon.value, c.floor->jensen_shannon.error)
                                       : json(nullptr)},
                 {"accuracy", short_number(c.accuracy)},
                 {"jsd", short_number(divergence.value)},
                 {"jsd_error", short_number(divergence.error, 3)},
                 {"test_showers", c.test_showers},
                 {"trainings", std::move(trainings)},
                 {"growth", growth ? number(growth->value, growth->error) : json(nullptr)},
                 {"by_energy", std::move(by_energy)},
                 {"by_sample_size", std::move(by_sample_size)},
                 {"roc", std::move(roc)},
                 {"calibration", std::move(calibration)},
                 {"full_scores", short_numbers(score_counts(c.full_scores))},
                 {"fast_scores", short_numbers(score_counts(c.fast_scores))}}})}};
}

json condition_data(const ConditionComparison& group, const VoxelMesh& mesh, std::size_t most_cells) {
  json figures = json::array(), layered = json::array(), deviations = json::array();
  for (const Comparison& c : group.observables) figures.push_back(figure(c));
  if (!group.correlations.full.empty()) figures.push_back(correlation_figure(group));
  for (const LayeredComparison& kind : group.layered) {
    json layers = json::array();
    for (const Comparison& c : kind.layers) layers.push_back(figure(c));
    layered.push_back({{"name", kind.name}, {"title", kind.title}, {"layers", std::move(layers)}});
  }
  const auto deviation = [&](const char* name, const char* title, double full, double full_error, double fast,
                             double fast_error) {
    json entry;
    if (full != 0) {
      const double ratio = fast / full;
      entry = number(ratio - 1, std::hypot(full_error * ratio, fast_error) / std::abs(full));
    }
    deviations.push_back({{"name", name}, {"title", title}, {"models", json::array({std::move(entry)})}});
  };
  for (const auto& [name, title] :
       {std::pair{"response", "Response"}, std::pair{"longitudinal_first_moment", "Longitudinal ⟨z⟩"},
        std::pair{"lateral_first_moment", "Lateral ⟨r⟩"}}) {
    const Comparison& c = group.observable(name);
    deviation(name, title, c.full_mean, c.full_mean_error, c.fast_mean, c.fast_mean_error);
  }
  const Comparison& response = group.observable("response");
  const double full_sigma = response.full_deviation(), fast_sigma = response.fast_deviation();
  const auto sigma_error = [](double sigma, double n) { return n > 1 ? sigma / std::sqrt(2 * (n - 1)) : 0; };
  deviation("response_sigma", "σ of the response", full_sigma, sigma_error(full_sigma, response.full_entries),
            fast_sigma, sigma_error(fast_sigma, response.fast_entries));
  json result = {{"name", group.name},
                 {"geometry", group.geometry},
                 {"energy_gev", shown_energy(group.energy_gev)},
                 {"angle_deg", short_number(group.angle_deg)},
                 {"full_showers", group.full_showers},
                 {"fast_showers", json::array({group.fast_showers})},
                 {"deviations", std::move(deviations)},
                 {"figures", std::move(figures)},
                 {"layered", std::move(layered)},
                 {"showers", {{"full", json::array()}, {"fast", json::array()}}},
                 {"average", {{"full", nullptr}, {"fast", json::array({nullptr})}}}};
  // The page draws cylinders.
  if (mesh.is_cylinder()) {
    result["showers"] = {{"full", example_data(group.full_examples, most_cells)},
                         {"fast", json::array({example_data(group.fast_examples, most_cells)})}};
    result["average"] = {{"full", map_data(group.full_cell_mev)},
                         {"fast", json::array({map_data(group.fast_cell_mev)})}};
  }
  return result;
}

const char* better_name(Score::Better better) {
  switch (better) {
    case Score::Better::kLow:
      return "low";
    case Score::Better::kHigh:
      return "high";
    case Score::Better::kHalf:
      return "half";
  }
  return "";
}

void append(json& list, const json& more) {
  list.insert(list.end(), more.begin(), more.end());
}

// Appends what `other` has of a named entry, or null if it has none, to the arrays by model.
void append_models(json& entry, const json* other, const char* field, std::size_t others) {
  if (other != nullptr)
    append(entry.at(field), other->at(field));
  else
    for (std::size_t i = 0; i < others; ++i) entry.at(field).push_back(nullptr);
}

const json* named(const json& list, const json& name) {
  for (const json& entry : list)
    if (entry.at("name") == name) return &entry;
  return nullptr;
}

void merge_figure(json& into, const json* other, std::size_t others) {
  if (into.at("kind") == "curve") {
    for (json& series : into.at("series")) {
      const json* match = nullptr;
      if (other != nullptr)
        for (const json& candidate : other->at("series"))
          if (candidate.at("label") == series.at("label") && candidate.at("x") == series.at("x"))
            match = &candidate;
      append_models(series, match, "fast", others);
    }
  } else {
    append_models(into, other, "fast", others);
  }
  append_models(into, other, "numbers", others);
}

// Marks in a score of several models the best one, and those that cannot be told from it within errors.
void rank(json& score) {
  json& models = score.at("models");
  const std::string better = score.at("better");
  const auto badness = [&](const json& model) {
    const double value = model.at("value");
    return better == "low" ? value : better == "high" ? -value : std::abs(value - 0.5);
  };
  json* best = nullptr;
  std::size_t known = 0;
  for (json& model : models) {
    if (!model.is_object()) continue;
    model.erase("rank");
    if (!model.at("value").is_number()) continue;
    ++known;
    if (best == nullptr || badness(model) < badness(*best)) best = &model;
  }
  if (known < 2) return;
  const auto error = [](const json& model) {
    return model.at("error").is_number() ? model.at("error").get<double>() : 0;
  };
  for (json& model : models) {
    if (!model.is_object() || !model.at("value").is_number()) continue;
    if (&model == best)
      model["rank"] = "best";
    else if (badness(model) - badness(*best) < std::hypot(error(model), error(*best)))
      model["rank"] = "alike";
  }
}

void merge_figures(json& into, const json* other, std::size_t others) {
  for (json& entry : into)
    merge_figure(entry, other == nullptr ? nullptr : named(*other, entry.at("name")), others);
}

// What showers cost, as scores; the full simulation's is where the floor of others is.
void add_costs(json& scores, const Validation& validation) {
  const auto add = [&](const char* name, const char* title, const char* help, const char* better, double fast,
                       double full) {
    if (fast <= 0 && full <= 0) return;
    const auto exact = [](double value) {
      return value > 0 ? json{{"value", short_number(value, 4)}, {"error", 0}, {"at_floor", false}}
                       : json(nullptr);
    };
    scores.push_back({{"name", name},
                      {"title", title},
                      {"group", "Cost"},
                      {"better", better},
                      {"help", help},
                      {"models", json::array({exact(fast)})},
                      {"floor", nullptr},
                      {"full", exact(full)}});
  };
  const ShowerCost &fast = validation.fast_cost, &full = validation.full_cost;
  add("time_per_shower", "Time per shower [ms]",
      "Of one thread, mean: of the generator (generate), of Geant4 as the files say (sim_time_s). "
      "Each on the machine that made them.",
      "low", 1e3 * fast.seconds_per_shower, 1e3 * full.seconds_per_shower);
  add("speed_up", "Showers in the time of a full one", "Ratio of the times of one thread.", "high",
      validation.speed_up(), 0);
  constexpr double kMiB = 1024 * 1024;
  add("peak_memory", "Peak memory [MiB]", "Of the program that made the showers, everything included.", "low",
      fast.peak_memory_bytes / kMiB, full.peak_memory_bytes / kMiB);
  add("memory_per_shower", "Memory per shower [KiB]",
      "That the generator works in, for each shower of a batch, beside the model.", "low",
      fast.memory_per_shower_bytes / 1024, full.memory_per_shower_bytes / 1024);
}

}  // namespace

json plot_data(const Validation& validation, const std::string& label) {
  json scores = json::array();
  for (const Score& score : validation.scores) {
    json value = number(score.estimate.value, score.estimate.error);
    value["at_floor"] = score.agrees();
    json entry = {{"name", score.name},   {"title", score.title},
                  {"group", score.group}, {"better", better_name(score.better)},
                  {"help", score.help},   {"models", json::array({std::move(value)})},
                  {"floor", nullptr}};
    if (score.estimate.has_floor) entry["floor"] = number(score.estimate.floor, score.estimate.floor_error);
    scores.push_back(std::move(entry));
  }
  add_costs(scores, validation);
  std::size_t examples = 0;
  for (const ConditionComparison& group : validation.groups)
    examples += group.full_examples.size() + group.fast_examples.size();
  constexpr std::size_t kBytesOfCell = 11;  // two words in base64
  const std::size_t most_cells = std::clamp<std::size_t>(
      kExampleBytes / (kBytesOfCell * std::max<std::size_t>(1, examples)), 300, 20'000);
  json conditions = json::array(), classifiers = json::array();
  for (const ConditionComparison& group : validation.groups)
    conditions.push_back(condition_data(group, validation.mesh, most_cells));
  for (const Classification& c : validation.classifiers) classifiers.push_back(classifier_data(c));
  json mesh = nullptr;
  if (validation.mesh.is_cylinder()) {
    const VoxelMesh::Cylinder& c = validation.mesh.cylinder();
    mesh = {{"n_r", c.n_r},
            {"n_phi", c.n_phi},
            {"n_z", c.n_z},
            {"size_r_mm", c.size_r_mm},
            {"size_z_mm", c.size_z_mm}};
  }
  json page = {{"version", kVersion},
               {"full", {{"label", "Geant4"}}},
               {"models", json::array({{{"label", label}}})},
               {"mesh", std::move(mesh)},
               {"scores", std::move(scores)},
               {"overview", scan_figures(validation.scans)},
               {"classifiers", std::move(classifiers)},
               {"no_classifiers", validation.no_classifier_reason()},
               {"conditions", std::move(conditions)}};
  // Sizes of cells by geometry, if they differ.
  if (validation.mesh.is_cylinder())
    for (const auto& [name, own] : validation.geometry_meshes)
      page["cell_sizes"][name] = {{"size_r_mm", own.cylinder().size_r_mm},
                                  {"size_z_mm", own.cylinder().size_z_mm}};
  // The page draws regular meshes; merge_plots() must know the others apart.
  if (!validation.mesh.is_cylinder()) page["layered_mesh"] = validation.mesh.to_json();
  return page;
}

json merge_plots(const std::vector<json>& plots, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < plots.size(); ++i)
    if (!plots[i].is_object() || plots[i].value("version", 0) != kVersion)
      throw core::InputError({.message = "holds no plots of this version of calopipe",
                              .file = names[i],
                              .hint = "run `calopipe validate` again"});
  json result = plots.front();
  for (std::size_t i = 1; i < plots.size(); ++i) {
    const json& other = plots[i];
    const std::size_t others = other.at("models").size(), before = result.at("models").size();
    if (other.at("mesh") != result.at("mesh") ||
        other.value("cell_sizes", json()) != result.value("cell_sizes", json()) ||
        other.value("layered_mesh", json()) != result.value("layered_mesh", json()))
      throw core::InputError(
          {.message = fmt::format("is of another mesh than {}", names.front()), .file = names[i]});
    for (json& condition : result.at("conditions")) {
      const json* match = named(other.at("conditions"), condition.at("name"));
      // Equal bins and counts of the full simulation: the same showers.
      if (match != nullptr)
        for (const json& entry : condition.at("figures")) {
          const json* same = named(match->at("figures"), entry.at("name"));
          if (same != nullptr && same->at("full") != entry.at("full"))
            throw core::InputError(
                {.message = fmt::format("was not compared with the same full showers as {}: {} of {} differ",
                                        names.front(), entry.at("name").get<std::string>(),
                                        condition.at("name").get<std::string>()),
                 .file = names[i],
                 .hint = "validate all models against one Geant4 sample, with the same threshold"});
        }
      append_models(condition, match, "fast_showers", others);
      for (json& deviation : condition.at("deviations"))
        append_models(deviation,
                      match == nullptr ? nullptr : named(match->at("deviations"), deviation.at("name")),
                      "models", others);
      merge_figures(condition.at("figures"), match == nullptr ? nullptr : &match->at("figures"), others);
      for (json& kind : condition.at("layered")) {
        const json* layers = match == nullptr ? nullptr : named(match->at("layered"), kind.at("name"));
        for (std::size_t layer = 0; layer < kind.at("layers").size(); ++layer)
          merge_figure(kind.at("layers")[layer],
                       layers == nullptr ? nullptr : &layers->at("layers").at(layer), others);
      }
      for (const char* what : {"showers", "average"})
        append_models(condition.at(what), match == nullptr ? nullptr : &match->at(what), "fast", others);
    }
    merge_figures(result.at("overview"), &other.at("overview"), others);
    // Scores and classifiers that only some have.
    for (const char* what : {"scores", "classifiers"}) {
      for (json& entry : result.at(what))
        append_models(entry, named(other.at(what), entry.at("name")), "models", others);
      for (const json& entry : other.at(what)) {
        if (named(result.at(what), entry.at("name")) != nullptr) continue;
        json added = entry;
        json models(before, nullptr);
        append(models, entry.at("models"));
        added["models"] = std::move(models);
        result.at(what).push_back(std::move(added));
      }
    }
    if (!result.at("classifiers").empty()) result["no_classifiers"] = "";
    append(result.at("models"), other.at("models"));
  }
  for (json& score : result.at("scores")) rank(score);
  return result;
}

}  // namespace calo
