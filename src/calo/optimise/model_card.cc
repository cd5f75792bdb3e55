#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "calo/generate/shower_source.h"
#include "calo/infer/generator.h"
#include "calo/optimise/optimise.h"

namespace calo {
namespace {

// Default name of the component's output. The name of an artifact depends on the store.
constexpr const char* kName = "optimised.onnx";
constexpr std::size_t kShownShifts = 8;  // number for each precision; the metrics have all of them

std::string shift_table(const Candidate& candidate) {
  std::vector<const ObservableShift*> worst;
  for (const ObservableShift& shift : candidate.shifts) worst.push_back(&shift);
  const std::size_t shown = std::min(kShownShifts, worst.size());
  std::partial_sort(worst.begin(), worst.begin() + static_cast<std::ptrdiff_t>(shown), worst.end(),
                    [](const ObservableShift* a, const ObservableShift* b) {
                      return std::abs(a->shift_sigma()) > std::abs(b->shift_sigma());
                    });
  std::string text = fmt::format(
      "### {}: the {} observables with the largest shifts, of {}\n\n"
      "| condition | observable | full simulation | fp32 | {} | shift [σ] | KS to fp32 "
      "|\n|---|---|---|---|---|---|---|\n",
      to_string(candidate.precision), shown, candidate.shifts.size(), to_string(candidate.precision));
  for (std::size_t i = 0; i < shown; ++i) {
    const ObservableShift& s = *worst[i];
    text += fmt::format("| {} | {}{} | {:.5g} ± {:.2g} | {:.5g} | {:.5g} | {:+.3f} | {:.4f} |\n", s.condition,
                        s.observable, s.unit.empty() ? "" : " [" + s.unit + "]", s.full_mean, s.full_error,
                        s.fp32_mean, s.mean, s.shift_sigma(), s.ks);
  }
  return text + "\n";
}

}  // namespace

std::string model_card(const OptimiseReport& report, const std::filesystem::path& optimised,
                       const nlohmann::json& provenance) {
  const auto source = ShowerSource::open(optimised);
  const TrainedRange& trained = source.trained();
  const infer::Generator& generator = source.generator();
  const Candidate& best = report.candidates[report.chosen];
  const Candidate& fp32 = report.candidates.front();
  const std::string range =
      generator.model().metadata().contains("calopipe.provenance") || trained.min_energy_mev > 0
          ? fmt::format("{}, {:g} to {:g} GeV, {:g} to {:g} degrees", fmt::join(trained.geometries, ", "),
                        trained.min_energy_mev / 1000, trained.max_energy_mev / 1000, trained.min_theta_deg,
                        trained.max_theta_deg)
          : "its file does not say";
  std::string text = fmt::format(
      "# A fast-simulation model in {}\n\nMakes electromagnetic showers in place of Geant4's full "
      "simulation.\n\n"
      "| | |\n|---|---|\n| contract | {} |\n| mesh | {} |\n| geometries | {} |\n| trained on | {} |\n| "
      "latent | {} numbers |\n| precision | {} |\n| file | {:.1f} MB |\n| weights "
      "in memory | "
      "{:.1f} MB |\n\n",
      to_string(best.precision), report.contract, report.mesh, fmt::join(source.geometries(), ", "), range,
      generator.latent_dim(), to_string(best.precision), static_cast<double>(best.file_bytes) / 1e6,
      static_cast<double>(best.weight_bytes) / 1e6);
  text += fmt::format(
      "Outside its training range, its showers are unreliable. Its comparison with the full "
      "simulation is in "
      "the report of `calopipe validate`.\n\n## Precisions\n\n{} showers under the conditions of the full "
      "sample, from "
      "the same noise in each precision. The shift is that of an observable's mean from fp32's, in "
      "statistical errors "
      "(σ) of the full sample's mean; up to {:g} σ is accepted. Speeds are for one thread of the machine "
      "that "
      "optimised it.\n\n"
      "| precision | largest shift [σ] | accepted | one shower [ms] | showers/s, batch {} | against fp32 | "
      "file [MB] "
      "|\n|---|---|---|---|---|---|---|\n",
      report.showers, report.max_shift_sigma, report.batch_size);
  for (const Candidate& c : report.candidates)
    text += fmt::format("| {}{} | {} | {} | {:.3f} | {:.0f} | {:.2f} ×, {:.2f} × | {:.1f} |\n",
                        to_string(c.precision), &c == &best ? " (chosen)" : "",
                        c.shifts.empty() ? std::string("–") : fmt::format("{:.3f}", c.largest_shift_sigma),
                        c.accepted ? "yes" : "no", 1e3 * c.one.median_s,
                        static_cast<double>(report.batch_size) / c.batch.median_s,
                        fp32.one.median_s / c.one.median_s, fp32.batch.median_s / c.batch.median_s,
                        static_cast<double>(c.file_bytes) / 1e6);
  text += "\n";
  for (const Candidate& c : report.candidates)
    if (!c.shifts.empty()) text += shift_table(c);
  text += fmt::format(
      "## To run it\n\n```cpp\n#include <calo/infer/generator.h>\n\nconst auto generator = "
      "calo::infer::Generator::load(\"{}\");  // in {}\n```\n\n```sh\ncalopipe generate --model {} "
      "--geometry {} "
      "--energy-gev 10 --out showers.h5\n```\n\n## Provenance\n\n```json\n{}\n```\n",
      kName, to_string(best.precision), kName,
      source.geometries().empty() ? "SiW" : source.geometries().front(), provenance.dump(2));
  return text;
}

}  // namespace calo
