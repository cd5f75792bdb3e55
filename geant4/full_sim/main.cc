#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>

#include "calo/io/layout.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/provenance.h"
#include "core/staged_output.h"
#include "geant4/full_sim/full_sim.h"
#include "geant4/full_sim/simulation.h"

namespace {

using nlohmann::json;

struct Arguments {
  geant4::FullSimOptions options;
  std::string layout = "par04", provenance;
  std::filesystem::path report;
  int threads = 0;
  bool quiet = false;
};

void add_gun(CLI::App& app, geant4::GunOptions& gun) {
  app.add_option("--particle", gun.particle, "Geant4's name of the particle")
      ->capture_default_str()
      ->group("Gun");
  app.add_option("--energy-gev", gun.energies_gev, "Kinetic energies")->delimiter(',')->group("Gun");
  app.add_option("--min-energy-gev", gun.min_energy_gev, "Lower end of log-uniform energies")->group("Gun");
  app.add_option("--max-energy-gev", gun.max_energy_gev, "Upper end of log-uniform energies")->group("Gun");
  app.add_option("--angle-deg", gun.angles_deg, "Polar angles; 90 = perpendicular entry (default)")
      ->delimiter(',')
      ->group("Gun");
  app.add_option("--min-angle-deg", gun.min_angle_deg, "Lower end of uniform angles")->group("Gun");
  app.add_option("--max-angle-deg", gun.max_angle_deg, "Upper end of uniform angles")->group("Gun");
  app.add_option("--phi-deg", gun.phi_deg, "Azimuth")->capture_default_str()->group("Gun");
  app.add_option("--events", gun.events, "Showers for each energy and angle")
      ->capture_default_str()
      ->group("Gun");
  app.add_option("--seed", gun.seed, "Seed; an event depends only on the seed and its number")
      ->capture_default_str()
      ->group("Gun");
}

void add_simulation(CLI::App& app, geant4::FullSimOptions& options) {
  app.add_option("--detector", options.detector, "SiW, SciPb, PbWO4, or a YAML file")->capture_default_str();
  app.add_option("--mesh", options.mesh,
                 "Name of a mesh to use instead of the detector's: SiW, SciPb, SiW-lowgran");
  app.add_option("--sampling-fraction", options.sampling_fraction,
                 "Divisor of the cells, or measure (default: as in the detector)");
  app.add_option("--physics", options.physics,
                 "em-no-data, or a reference list (FTFP_BERT), which needs data")
      ->capture_default_str();
  app.add_option("--cut-mm", options.cut_mm, "Production cut in range")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--macro", options.macro, "File of Geant4 commands, executed after initialisation");
  app.add_option("--fast-model", options.fast_model, "ONNX file of calopipe convert, for fast simulation");
  app.add_option("--fast-option", options.fast_options,
                 "Option NAME=TEXT, as in the command /calopipe/NAME TEXT");
}

void add_output(CLI::App& app, Arguments& arguments) {
  app.add_option("--layout", arguments.layout,
                 fmt::format("Layout: {}", fmt::join(calo::layout_names(), ", ")))
      ->capture_default_str()
      ->group("Output");
  app.add_option("--out", arguments.options.out, "Output file, or for mlfastsim a folder")
      ->required()
      ->group("Output");
  app.add_option("--parts", arguments.options.parts, "Folder of finished parts (default: OUT.parts)")
      ->group("Output");
  app.add_option("--events-per-part", arguments.options.events_per_part, "Showers in one part")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000))
      ->group("Output");
  app.add_flag("--resume", arguments.options.resume, "Resume from finished parts")->group("Output");
  app.add_option("--report", arguments.report, "JSON file for the figures, or for the error")
      ->group("Output");
  app.add_option("--provenance", arguments.provenance, "JSON for the attribute calopipe of the files")
      ->group("");
  app.add_option("--threads", arguments.threads, "Number of threads; 0 = as many as the process may use")
      ->check(CLI::Range(0, 4096))
      ->group("Output");
  app.add_flag("--verbose", arguments.options.verbose, "Show Geant4's own output on stderr")->group("Output");
  app.add_flag("--quiet,-q", arguments.quiet, "Only warnings and errors")->group("Output");
}

// Geant4 writes to stdout, which is for our result: its lines go to stderr or nowhere.
// @return a descriptor of the real stdout
int divert_stdout(bool verbose) {
  std::fflush(stdout);
  const int before = dup(STDOUT_FILENO);
  const int target = verbose ? dup(STDERR_FILENO) : open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(target, STDOUT_FILENO);
  close(target);
  return before;
}

void write_report(const std::filesystem::path& file, const json& report) {
  if (!file.empty()) core::write_file(file, report.dump(2) + "\n");
}

int run(Arguments& arguments) {
  geant4::FullSimOptions& options = arguments.options;
  const geant4::GunOptions& gun = options.gun;
  if (gun.min_angle_deg > 0 || gun.max_angle_deg > 0) options.gun.angles_deg.clear();
  options.layout = calo::parse_layout(arguments.layout);
  if (!arguments.provenance.empty()) {
    options.provenance = json::parse(arguments.provenance, nullptr, false);
    if (options.provenance.is_discarded())
      throw core::UsageError({.message = "is not JSON", .field = "provenance"});
  }
  core::catch_interrupts();
  const int out = divert_stdout(options.verbose);
  core::ThreadPool pool(arguments.threads);
  const geant4::FullSimReport report = geant4::full_sim(options, pool);
  std::fflush(stdout);
  dup2(out, STDOUT_FILENO);
  write_report(arguments.report, report.to_json());
  fmt::print("{}: {} showers, {:.3g} s each on one thread, response {:.4f}, sampling fraction {:.4g}\n",
             options.out.string(), report.showers, report.mean_sim_time_s, report.response,
             report.sampling_fraction);
  return 0;
}

int report_error(const Arguments& arguments, const core::Error& error) {
  const core::ErrorDetails& details = error.details();
  fmt::print(stderr, "calopipe-fullsim: {}\n", error.what());
  try {
    write_report(arguments.report, {{"error",
                                     {{"exit_code", static_cast<int>(error.exit_code())},
                                      {"message", details.message},
                                      {"file", details.file.string()},
                                      {"field", details.field},
                                      {"hint", details.hint}}}});
  } catch (const core::Error&) {
    // Report the first error only.
  }
  return static_cast<int>(error.exit_code());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("calopipe-fullsim: showers in Par04's calorimeters, by Geant4");
  app.set_version_flag("--version",
                       fmt::format("{} with Geant4 {}", core::version(), geant4::geant4_version()));
  app.footer("Exit codes: 0 done, 1 internal error, 2 usage, 3 bad input, 4 unavailable, 130 interrupted.");
  Arguments arguments;
  add_simulation(app, arguments.options);
  add_gun(app, arguments.options.gun);
  add_output(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(core::ExitCode::kUsage);
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("calopipe-fullsim"));
  spdlog::set_pattern("%^%l%$: %v");
  if (arguments.quiet) spdlog::set_level(spdlog::level::warn);
  core::set_progress_enabled(!arguments.quiet);
  try {
    return run(arguments);
  } catch (const core::Error& error) {
    return report_error(arguments, error);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "calopipe-fullsim: not enough memory\n");
    return static_cast<int>(core::ExitCode::kUnavailable);
  } catch (const std::exception& error) {
    fmt::print(stderr, "calopipe-fullsim: internal error: {}\n", error.what());
    return static_cast<int>(core::ExitCode::kInternal);
  }
}
