#include "calo/benchmark/benchmark_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "calo/report/page.h"
#include "core/staged_output.h"

namespace calo {
namespace {

std::string name_of(const EngineFigures& engine) {
  return escape_html(fmt::format("{}{} {}", engine.name, engine.version.empty() ? "" : " " + engine.version,
                                 engine.variant));
}

// Told apart by colour and by dashes; readable on light and dark.
const char* colour(std::size_t i) {
  constexpr const char* kColours[] = {"#2f6ea8", "#79aede", "#c2410c", "#fb923c", "#0f766e",
                                      "#2dd4bf", "#7c3aed", "#a3a3a3", "#b45309", "#db2777"};
  return kColours[i % std::size(kColours)];
}
const char* dashes(std::size_t i) {
  return i % 2 == 0 ? "" : " stroke-dasharray='6 4'";
}

// Showers a second against the batch size, both logarithmic.
std::string throughput_plot(const BenchmarkReport& report, std::int64_t threads) {
  constexpr double kWidth = 1080, kHeight = 360, kLeft = 70, kRight = 20, kTop = 14, kBottom = 44;
  double low = INFINITY, high = 0, least = INFINITY, most = 1;
  std::set<std::int64_t> batches;
  for (const EngineFigures& engine : report.engines)
    for (const BatchTiming& b : engine.batches) {
      if (b.threads != threads) continue;
      batches.insert(b.batch);
      low = std::min(low, b.showers_per_s());
      high = std::max(high, b.showers_per_s());
      least = std::min(least, static_cast<double>(b.batch));
      most = std::max(most, static_cast<double>(b.batch));
    }
  if (batches.empty()) return "";
  const double bottom = std::floor(std::log10(low)), top = std::max(bottom + 1, std::ceil(std::log10(high)));
  const double span = std::max(std::log(most / least), 1e-9);
  const auto x = [&](double batch) {
    return kLeft + (kWidth - kLeft - kRight) * (most > least ? std::log(batch / least) / span : 0.5);
  };
  const auto y = [&](double rate) {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * (std::log10(rate) - bottom) / (top - bottom);
  };
  std::string svg = fmt::format(
      "<svg viewBox='0 0 {} {}' role='img' aria-label='showers per second against batch size, {} threads' "
      "style='width:100%;font:12px system-ui,sans-serif'>",
      kWidth, kHeight, threads);
  for (int i = 0; i <= static_cast<int>(top - bottom); ++i) {
    const double decade = bottom + i, at = y(std::pow(10, decade));
    svg += fmt::format(
        "<line x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}' stroke='var(--line)'/><text x='{}' y='{:.1f}' "
        "text-anchor='end' fill='var(--soft)'>{:g}</text>",
        kLeft, kWidth - kRight, at, at, kLeft - 8, at + 4, std::pow(10, decade));
  }
  for (const std::int64_t batch : batches)
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle' fill='var(--soft)'>{}</text>",
                       x(static_cast<double>(batch)), kHeight - kBottom + 18, batch);
  svg += fmt::format(
      "<text x='{}' y='{}' text-anchor='middle' fill='var(--text)'>batch size</text><text x='14' y='{}' "
      "text-anchor='middle' fill='var(--text)' transform='rotate(-90 14 {})'>showers / s</text>",
      (kLeft + kWidth) / 2, kHeight - 8, kHeight / 2, kHeight / 2);
  for (std::size_t i = 0; i < report.engines.size(); ++i) {
    std::string points;
    for (const BatchTiming& b : report.engines[i].batches) {
      if (b.threads != threads) continue;
      const double px = x(static_cast<double>(b.batch)), py = y(b.showers_per_s());
      points += fmt::format("{:.1f},{:.1f} ", px, py);
      svg += fmt::format(
          "<circle cx='{:.1f}' cy='{:.1f}' r='3.5' fill='{}'><title>{}: {:.0f} showers/s at batch "
          "{}</title></circle>",
          px, py, colour(i), name_of(report.engines[i]), b.showers_per_s(), b.batch);
    }
    svg += fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-width='2'{}/>", points,
                       colour(i), dashes(i));
  }
  return svg + "</svg>";
}

std::string megabytes(std::int64_t bytes) {
  return bytes > 0 ? fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6) : "–";
}

}  // namespace

void write_benchmark_page(const std::filesystem::path& file, const BenchmarkReport& report,
                          const nlohmann::json& provenance) {
  std::string page = page_head("calopipe: benchmark of " + report.file);
  page += fmt::format(
      "<h1>Inference of {}</h1><p class='soft'>Contract {}, {}, {:.1f} MB. {}, {} cores ({}), load {:.2f} "
      "before it "
      "began. Showers of {:.3g} GeV, {:.1f} % of the cells above threshold. Medians of wall time.</p>",
      escape_html(report.file), escape_html(report.contract), escape_html(report.mesh),
      static_cast<double>(report.file_bytes) / 1e6, escape_html(report.machine), report.cores,
      escape_html(report.instructions), report.load, report.energy_gev, 100 * report.filled_share);
  page +=
      "<h2>To start</h2><div class='scroll'><table><thead><tr><th>engine</th><th>start [ms]</th><th>memory "
      "[MB]</th><th>weights [MB]</th></tr></thead><tbody>";
  for (std::size_t i = 0; i < report.engines.size(); ++i) {
    const EngineFigures& engine = report.engines[i];
    page += fmt::format(
        "<tr><td><svg width='30' height='10' aria-hidden='true'><line x2='30' y1='5' y2='5' stroke='{}' "
        "stroke-width='3'{}/></svg> {}</td><td>{:.1f}</td><td>{}</td><td>{}</td></tr>",
        colour(i), dashes(i), name_of(engine), 1e3 * engine.start_s, megabytes(engine.memory_bytes),
        megabytes(engine.weight_bytes));
  }
  page += "</tbody></table></div>";
  std::set<std::int64_t> thread_counts;
  for (const EngineFigures& engine : report.engines)
    for (const BatchTiming& b : engine.batches) thread_counts.insert(b.threads);
  for (const std::int64_t threads : thread_counts) {
    page += fmt::format("<h2>{} thread{}</h2><figure>{}</figure>", threads, threads == 1 ? "" : "s",
                        throughput_plot(report, threads));
    page +=
        "<div class='scroll'><table><thead><tr><th>engine</th><th>batch</th><th>median [ms]</th><th>99 % "
        "[ms]</th><th>showers / s</th></tr></thead><tbody>";
    for (const EngineFigures& engine : report.engines)
      for (const BatchTiming& b : engine.batches)
        if (b.threads == threads)
          page += fmt::format("<tr><td>{}</td><td>{}</td><td>{:.3f}</td><td>{:.3f}</td><td>{:.0f}</td></tr>",
                              name_of(engine), b.batch, 1e3 * b.timing.median_s, 1e3 * b.timing.p99_s,
                              b.showers_per_s());
    page += "</tbody></table></div>";
  }
  page += fmt::format("<h2>Provenance</h2><pre>{}</pre></body></html>\n", escape_html(provenance.dump(2)));
  core::write_file(file, page);
}

}  // namespace calo
