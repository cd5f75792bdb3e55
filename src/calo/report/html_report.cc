#include "calo/report/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "calo/report/page.h"
#include "core/staged_output.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr double kAgreement = 0.05;
constexpr double kSpreadAgreement = 0.2;

// A ratio of fast to full, with its statistical error.
struct Ratio {
  double value = std::numeric_limits<double>::quiet_NaN(), error = 0;

  double distance() const { return std::abs(value - 1); }
  // Distance from 1 that two standard errors leave for sure.
  double certain_distance() const { return std::max(0.0, distance() - 2 * error); }
};

Ratio ratio_of(double fast, double fast_error, double full, double full_error) {
  if (!(full > 0)) return {};
  return {.value = fast / full, .error = std::hypot(fast_error / full, fast * full_error / (full * full))};
}

// Standard deviation of the response over the showers; its error is that of a normal distribution.
Ratio spread_ratio(const ConditionComparison& group) {
  const Comparison& response = group.observable("response");
  const auto error_of = [](double deviation, double showers) {
    return deviation / std::sqrt(2 * std::max(showers - 1, 1.0));
  };
  const double full = response.full_deviation(), fast = response.fast_deviation();
  return ratio_of(fast, error_of(fast, response.fast_entries), full, error_of(full, response.full_entries));
}

// The sentence about ratios that should be 1 within `allowed`: one condition is named, that which is off for
// sure by most, or else simply by most.
void add_ratios(const std::vector<std::pair<std::string, Ratio>>& ratios, double allowed,
                const std::string& what, std::vector<VerdictItem>& items) {
  const std::pair<std::string, Ratio>* worst = nullptr;
  for (const auto& one : ratios) {
    if (!std::isfinite(one.second.value)) continue;
    const auto rank = [](const Ratio& ratio) {
      return std::pair(ratio.certain_distance(), ratio.distance());
    };
    if (worst == nullptr || rank(one.second) > rank(worst->second)) worst = &one;
  }
  if (worst == nullptr) return;
  const Ratio& ratio = worst->second;
  const bool good = ratio.certain_distance() <= allowed;
  std::string text = fmt::format("{} {} within {:.0f} % of the full simulation", what, good ? "is" : "is not",
                                 100 * allowed);
  if (good && ratio.distance() > allowed) text += " and two statistical errors";
  text += fmt::format(" under all conditions: the largest difference is {:+.2f} ± {:.2f} % ({}).",
                      100 * (ratio.value - 1), 100 * ratio.error, worst->first);
  items.push_back({.good = good, .text = std::move(text)});
}

void add_means(const Validation& validation, std::vector<VerdictItem>& items) {
  for (const auto& [name, title] : {std::pair{"response", "The mean response"},
                                    std::pair{"longitudinal_first_moment", "The longitudinal first moment"},
                                    std::pair{"lateral_first_moment", "The lateral first moment"}}) {
    std::vector<std::pair<std::string, Ratio>> ratios;
    for (const ConditionComparison& group : validation.groups) {
      const Comparison& c = group.observable(name);
      ratios.emplace_back(group.name,
                          ratio_of(c.fast_mean, c.fast_mean_error, c.full_mean, c.full_mean_error));
    }
    add_ratios(ratios, kAgreement, title, items);
  }
  // Means alone would pass a model whose showers are all the same.
  std::vector<std::pair<std::string, Ratio>> spreads;
  for (const ConditionComparison& group : validation.groups)
    spreads.emplace_back(group.name, spread_ratio(group));
  add_ratios(spreads, kSpreadAgreement, "The fluctuation of the response from shower to shower", items);
}

void add_bad_cells(const Validation& validation, std::vector<VerdictItem>& items) {
  for (const auto& [side, bad] :
       {std::pair{"full", validation.full_bad_cells}, std::pair{"fast", validation.fast_bad_cells}})
    if (bad.any())
      items.push_back(
          {.text = fmt::format("Of the {} simulation, {} cells are NaN or infinite and {} are negative; they "
                               "are left out.",
                               side, bad.not_finite, bad.negative)});
  std::int64_t empty = 0;
  for (const ConditionComparison& group : validation.groups) empty += group.fast_empty;
  if (empty > 0) items.push_back({.text = fmt::format("{} fast showers hold no energy at all.", empty)});
}

void add_cost(const Validation& validation, std::vector<VerdictItem>& items) {
  if (validation.speed_up() <= 0) return;
  items.push_back(
      {.good = validation.speed_up() > 1,
       .text = fmt::format("A shower takes {:.3g} ms of one thread, {:.3g} ms in the full simulation: "
                           "{:.3g} showers in the time of one.",
                           1e3 * validation.fast_cost.seconds_per_shower,
                           1e3 * validation.full_cost.seconds_per_shower, validation.speed_up())});
}

void add_classifiers(const Validation& validation, std::vector<VerdictItem>& items) {
  for (const Classification& c : validation.classifiers)
    items.push_back({.good = !c.tells_apart(),
                     .text = fmt::format(
                         "{} {} fast from full showers: AUC {:.3f} ± {:.3f} on {} + {} showers that it had "
                         "not seen (0.5 is a guess, 1 never errs).",
                         c.title, c.tells_apart() ? "tells" : "cannot tell", c.auc.value, c.auc.error,
                         c.test_showers, c.test_showers)});
}

void add_scores(const Validation& validation, std::vector<VerdictItem>& items) {
  if (validation.tests > 0)
    items.push_back(
        {.good = validation.rejected == 0,
         .text = fmt::format("Of {} distributions, {} differ from the full simulation's beyond chance "
                             "(Kolmogorov–Smirnov, p < 0.05 after correction for their number).",
                             validation.tests, validation.rejected)});
  std::vector<std::string> worse;
  std::size_t compared = 0;
  for (const Score& score : validation.scores) {
    if (!score.estimate.has_floor || score.better == Score::Better::kHalf) continue;
    ++compared;
    if (!score.agrees()) worse.push_back(score.title);
  }
  if (compared > 0)
    items.push_back({.good = worse.empty(),
                     .text = fmt::format(
                         "{} of {} scores are as good as those between two halves of the full simulation{}.",
                         compared - worse.size(), compared,
                         worse.empty() ? "" : fmt::format("; not so: {}", fmt::join(worse, ", ")))});
}

bool has_rank(const json& model, const char* rank) {
  return model.is_object() && model.value("rank", "") == rank;
}

}  // namespace

std::vector<VerdictItem> verdict(const Validation& validation) {
  std::vector<VerdictItem> items;
  add_bad_cells(validation, items);
  add_means(validation, items);
  add_scores(validation, items);
  add_classifiers(validation, items);
  add_cost(validation, items);
  return items;
}

void write_report(const std::filesystem::path& file, const Validation& validation, const json& plots,
                  const json& provenance) {
  PageText text{.title = "calopipe: fast against full simulation",
                .heading = "Fast against full simulation",
                .subtitle = fmt::format("{} conditions; cells below {:g} MeV left out on both sides.",
                                        validation.groups.size(), validation.threshold_mev),
                .verdict = verdict(validation),
                .provenance = provenance};
  for (const auto& [names, side] :
       {std::pair{&validation.only_full, "full"}, std::pair{&validation.only_fast, "fast"}})
    if (!names->empty())
      text.warnings.push_back(fmt::format("{} conditions are in the {} simulation only, {} among them.",
                                          names->size(), side, names->front()));
  core::write_file(file, fill_page(Page::kReport, text, plots));
}

void write_comparison_report(const std::filesystem::path& file, const json& plots, const json& provenance) {
  std::vector<std::size_t> wins(plots.at("models").size(), 0);
  std::size_t open = 0;  // scores in which another is as good as the best
  for (const json& score : plots.at("scores")) {
    const json& models = score.at("models");
    if (std::any_of(models.begin(), models.end(), [](const json& m) { return has_rank(m, "alike"); })) {
      ++open;
      continue;
    }
    for (std::size_t i = 0; i < wins.size(); ++i) wins[i] += has_rank(models[i], "best") ? 1 : 0;
  }
  PageText text{.title = "calopipe: models compared",
                .heading = fmt::format("{} models against one full simulation", wins.size()),
                .subtitle = fmt::format("{} conditions.", plots.at("conditions").size()),
                .provenance = provenance};
  for (std::size_t i = 0; i < wins.size(); ++i)
    text.verdict.push_back({.text = fmt::format("{} is best in {} of {} scores.",
                                                plots.at("models")[i].at("label").get<std::string>(), wins[i],
                                                plots.at("scores").size()),
                            .is_neutral = true});
  text.verdict.push_back(
      {.text = fmt::format("In {} scores the best cannot be told from another within errors.", open),
       .is_neutral = true});
  core::write_file(file, fill_page(Page::kReport, text, plots));
}

std::string comparison_table(const json& plots) {
  std::string text = "| score | floor |", line = "|---|---:|";
  for (const json& model : plots.at("models")) {
    text += fmt::format(" {} |", model.at("label").get<std::string>());
    line += "---:|";
  }
  text += '\n' + line + '\n';
  const auto number = [](const json& estimate) {
    if (!estimate.is_object() || !estimate.at("value").is_number()) return std::string("–");
    return fmt::format("{:.4g} ± {:.2g}", estimate.at("value").get<double>(),
                       estimate.at("error").is_number() ? estimate.at("error").get<double>() : 0);
  };
  for (const json& score : plots.at("scores")) {
    const std::string reference =
        score.contains("full") ? "Geant4 " + number(score.at("full")) : number(score.at("floor"));
    text += fmt::format("| {} | {} |", score.at("title").get<std::string>(), reference);
    for (const json& model : score.at("models"))
      text += fmt::format(fmt::runtime(has_rank(model, "best")    ? " **{}** |"
                                       : has_rank(model, "alike") ? " ({}) |"
                                                                  : " {} |"),
                          number(model));
    text += '\n';
  }
  return text;
}

}  // namespace calo
