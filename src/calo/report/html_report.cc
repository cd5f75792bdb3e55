#include "calo/report/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "calo/report/page.h"
#include "calo/report/report_script.h"
#include "core/staged_output.h"

namespace calo {
namespace {

constexpr double kAgreement = 0.05;
constexpr double kSpreadAgreement = 0.2;

// Deviation of the means with its error, marked where it is beyond the agreement asked for.
std::string deviation_cell(const Comparison& c) {
  if (c.full_mean == 0) return "<td>–</td>";
  const double ratio = c.fast_mean / c.full_mean;
  const double error = ratio * std::hypot(c.full_mean_error / c.full_mean,
                                          c.fast_mean != 0 ? c.fast_mean_error / c.fast_mean : 0);
  return fmt::format("<td class='{}'>{:+.2f} ± {:.2f} %</td>",
                     std::abs(ratio - 1) <= kAgreement ? "good" : "bad", 100 * (ratio - 1), 100 * error);
}

// Standard deviation of the response over the showers, fast over full; NaN where full has none.
double spread_ratio(const ConditionComparison& group) {
  const Comparison& response = group.observable("response");
  const double full = response.full_mean_error * std::sqrt(static_cast<double>(group.full_showers));
  const double fast = response.fast_mean_error * std::sqrt(static_cast<double>(group.fast_showers));
  return full > 0 ? fast / full : std::numeric_limits<double>::quiet_NaN();
}

std::string verdict(const Validation& validation) {
  std::string text;
  for (const auto& [name, title] : {std::pair{"response", "mean response"},
                                    std::pair{"longitudinal_first_moment", "longitudinal first moment"},
                                    std::pair{"lateral_first_moment", "lateral first moment"}}) {
    double worst = 0;
    std::string where;
    for (const ConditionComparison& group : validation.groups)
      for (const Comparison& c : group.observables)
        if (c.name == name && c.full_mean != 0 && std::abs(c.fast_mean / c.full_mean - 1) >= worst) {
          worst = std::abs(c.fast_mean / c.full_mean - 1);
          where = group.name;
        }
    if (where.empty()) continue;
    const bool good = worst <= kAgreement;
    text += fmt::format(
        "<li><span class='{}'>{}</span> The {} {} within {:.0f} % of the full simulation everywhere: it is "
        "off by at most {:.2f} % ({}).</li>",
        good ? "good" : "bad", good ? "✓" : "✗", title, good ? "is" : "is not", 100 * kAgreement, 100 * worst,
        escape_html(where));
  }
  // Means alone would pass a model whose showers are all the same.
  double narrowest = std::numeric_limits<double>::infinity(), widest = 0;
  for (const ConditionComparison& group : validation.groups) {
    const double ratio = spread_ratio(group);
    if (!std::isfinite(ratio)) continue;
    narrowest = std::min(narrowest, ratio);
    widest = std::max(widest, ratio);
  }
  if (std::isfinite(narrowest)) {
    const bool good = narrowest > 1 - kSpreadAgreement && widest < 1 + kSpreadAgreement;
    text += fmt::format(
        "<li><span class='{}'>{}</span> The response fluctuates from shower to shower by {:.2f} to {:.2f} "
        "times as much "
        "as in the full simulation.</li>",
        good ? "good" : "bad", good ? "✓" : "✗", narrowest, widest);
  }
  return text;
}

// "AUC 0.71 ± 0.02 on 420 + 420 showers that it had not seen".
std::string auc_text(const Classification& c) {
  return fmt::format("AUC {:.3f} ± {:.3f} on {} + {} showers that it had not seen", c.auc.value, c.auc.error,
                     c.test_showers, c.test_showers);
}

std::string bad_cells_verdict(const Validation& validation) {
  std::string text;
  for (const auto& [side, bad] :
       {std::pair{"full", validation.full_bad_cells}, std::pair{"fast", validation.fast_bad_cells}})
    if (bad.any())
      text += fmt::format(
          "<li><span class='bad'>✗</span> Of the {} simulation, {} cells are NaN or infinite and {} are "
          "negative; "
          "they are left out.</li>",
          side, bad.not_finite, bad.negative);
  return text;
}

std::string classifier_verdict(const Validation& validation) {
  std::string text;
  for (const auto& [c, scores] : validation.classifiers)
    text += fmt::format(
        "<li><span class='{}'>{}</span> A classifier on high-level features {} (0.5 is a guess, 1 never "
        "errs).</li>",
        c.tells_apart() ? "bad" : "good", c.tells_apart() ? "✗" : "✓",
        (c.tells_apart() ? "tells fast from full showers: " : "cannot tell fast from full showers: ") +
            auc_text(c));
  return text;
}

std::string classifier_section(const Validation& validation) {
  std::string text = "<h2>Can they be told apart?</h2>";
  if (validation.classifiers.empty())
    return text + fmt::format("<p class='soft'>{}</p>", validation.no_classifier_reason());
  const Classification& c = validation.classifiers.front().classification;
  text += fmt::format(
      "<p class='soft'>Logistic regression on {} features of each shower (incident energy, response, "
      "moments, "
      "sparsity, shares of the layers), with their squares and products with the energy. Of all conditions, "
      "as "
      "many fast as full showers of each: {} of each side, 60 % to train, 20 % to choose the penalty, 20 % "
      "to "
      "test.</p>",
      c.features.size(), validation.classified_showers);
  return text + "<div id='classifiers' class='plots'></div>";
}

std::string caption(const Comparison& c) {
  std::string numbers = fmt::format("JSD {:.4f} bit · W {:.3g}{}", c.jensen_shannon, c.wasserstein,
                                    c.unit.empty() || c.name == "cell_energy" ? "" : " " + c.unit);
  if (c.has_ks) numbers += fmt::format(" · KS {:.3f} (p {:.2g})", c.ks, c.ks_p_value);
  return numbers;
}

// Numbers with as many digits as a plot can show.
nlohmann::json short_numbers(const std::vector<double>& values) {
  nlohmann::json list = nlohmann::json::array();
  for (const double value : values) list.push_back(std::stod(fmt::format("{:.5g}", value)));
  return list;
}

nlohmann::json plot_data(const Comparison& c, const std::string& variant) {
  return {{"name", c.name},
          {"title", c.title},
          {"variant", variant},
          {"caption", caption(c)},
          {"x_title",
           c.unit.empty() ? c.title : fmt::format("{} [{}]", c.is_profile ? "position" : c.title, c.unit)},
          {"y_title", c.is_profile              ? "mean energy [MeV]"
                      : c.name == "cell_energy" ? "cells per shower"
                                                : "share of showers"},
          {"log_y", c.log_y},
          {"edges", short_numbers(c.edges)},
          {"full", short_numbers(c.full)},
          {"fast", short_numbers(c.fast)},
          {"full_error", short_numbers(c.full_error)},
          {"fast_error", short_numbers(c.fast_error)}};
}

nlohmann::json roc_data(const Classification& c) {
  nlohmann::json points = nlohmann::json::array();
  for (const RocPoint& point : c.roc)
    points.push_back(short_numbers({point.false_positive_rate, point.recall}));
  return {{"name", "roc_" + c.name},
          {"title", "ROC curve"},
          {"caption",
           fmt::format("AUC {:.3f} ± {:.3f} · accuracy {:.3f} · JSD of the features at least {:.4f} bit",
                       c.auc.value, c.auc.error, c.accuracy, std::max(0.0, c.jensen_shannon))},
          {"x_title", "full showers taken for fast"},
          {"y_title", "fast showers found"},
          {"log_y", false},
          {"roc", std::move(points)}};
}

// What the page's script draws: for each condition its figures, for each figure its variants (layers); and
// the figures of classifiers.
std::string page_data(const Validation& validation) {
  using nlohmann::json;
  json groups = json::array();
  for (const ConditionComparison& group : validation.groups) {
    json figures = json::array();
    for (const Comparison& c : group.observables) figures.push_back(json::array({plot_data(c, "")}));
    json layers = json::array();
    for (std::size_t i = 0; i < group.layers.size(); ++i)
      layers.push_back(plot_data(group.layers[i], fmt::format("layer {}", i)));
    if (!layers.empty()) figures.push_back(std::move(layers));
    groups.push_back({{"name", group.name}, {"figures", std::move(figures)}});
  }
  json classifiers = json::array();
  for (const auto& [classification, scores] : validation.classifiers) {
    classifiers.push_back(plot_data(scores, ""));
    classifiers.push_back(roc_data(classification));
  }
  std::string text = json{{"groups", std::move(groups)}, {"classifiers", std::move(classifiers)}}.dump();
  // Nothing in it may end the script element.
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) text.replace(at, 1, "\\u003c");
  return text;
}

}  // namespace

void write_report(const std::filesystem::path& file, const Validation& validation,
                  const nlohmann::json& provenance) {
  std::string page = page_head("calopipe: fast against full simulation");
  page += fmt::format(
      "<h1>Fast against full simulation</h1><p class='soft'>{} conditions; cells below {:g} MeV left out on "
      "both sides.</p><ul>{}</ul>",
      validation.groups.size(), validation.threshold_mev,
      bad_cells_verdict(validation) + verdict(validation) + classifier_verdict(validation));
  for (const auto& [names, side] :
       {std::pair{&validation.only_full, "full"}, std::pair{&validation.only_fast, "fast"}})
    if (!names->empty())
      page += fmt::format("<p class='bad'>{} conditions are in the {} simulation only, {} among them.</p>",
                          names->size(), side, escape_html(names->front()));
  page +=
      "<h2>All conditions</h2><div "
      "class='scroll'><table><thead><tr><th>condition</th><th>full</th><th>fast</th><th>response</"
      "th><th>longitudinal ⟨z⟩</th><th>lateral ⟨r⟩</th><th>σ of response, fast/full</th></tr></thead><tbody>";
  for (const ConditionComparison& group : validation.groups) {
    const Comparison& response = group.observable("response");
    const double spread = spread_ratio(group);
    page += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td>{}", escape_html(group.name),
                        group.full_showers, group.fast_showers, deviation_cell(response));
    for (const char* name : {"longitudinal_profile", "lateral_profile"})
      page += deviation_cell(group.observable(name));
    page += std::isfinite(spread) ? fmt::format("<td>{:.2f}</td></tr>", spread) : "<td>–</td></tr>";
  }
  page += "</tbody></table></div><nav><label>Condition <select id='condition'>";
  for (std::size_t i = 0; i < validation.groups.size(); ++i)
    page += fmt::format("<option value='{}'>{}</option>", i, escape_html(validation.groups[i].name));
  page +=
      "</select></label><span class='key'><i style='background:var(--full-line)'></i>full<i "
      "style='background:var(--fast)'></i>fast</span></nav>";
  page += "<main id='plots' class='plots'></main><noscript>The plots need JavaScript.</noscript>";
  page += classifier_section(validation);
  page += fmt::format("<h2>Provenance</h2><pre>{}</pre>", escape_html(provenance.dump(2)));
  page += "<script type='application/json' id='data'>" + page_data(validation) + "</script><script>";
  page += report_script();
  page += "</script></body></html>\n";
  core::write_file(file, page);
}

}  // namespace calo
