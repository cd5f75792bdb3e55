#include "calo/benchmark/benchmark_page.h"

#include <fmt/format.h>

#include "calo/report/page.h"
#include "core/staged_output.h"

namespace calo {

void write_benchmark_page(const std::filesystem::path& file, const BenchmarkReport& report,
                          const nlohmann::json& provenance) {
  const PageText text{
      .title = "calopipe: benchmark of " + report.file,
      .heading = "Inference of " + report.file,
      .subtitle = fmt::format(
          "Contract {}, {}, {:.1f} MB. {}, {} cores ({}), load {:.2f} before the benchmark. "
          "Showers of {:.3g} GeV, "
          "{:.1f} % of the cells above threshold. Medians of wall time.",
          report.contract, report.mesh, static_cast<double>(report.file_bytes) / 1e6, report.machine,
          report.cores, report.instructions, report.load, report.energy_gev, 100 * report.filled_share),
      .provenance = provenance};
  core::write_file(file, fill_page(Page::kBenchmark, text, report.to_json()));
}

}  // namespace calo
