#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "calo/io/layout.h"
#include "core/staged_output.h"
#include "pipeline/components.h"
#include "pipeline/full_sim_process.h"

namespace pipeline {
namespace {

std::string list(const std::vector<double>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}

}  // namespace

kfp::ComponentInfo Simulate::info() {
  return {
      .name = "simulate",
      .summary = "Simulates showers with Geant4",
      .description =
          "Runs `calopipe-fullsim`, which is built if CMake finds Geant4: the calorimeters of the example "
          "Par04, or one described in YAML. An event depends only on the seed and its number, not on the "
          "number of threads. Finished parts are kept in `<showers>.parts` until all are complete; "
          "`--resume` continues. With `--fast-model` the model of `convert` replaces the simulation in the "
          "same detector. See `doc/geant4.md`.",
      .examples = {
          "calopipe simulate --detector SiW --energy-gev 10 --events 1000 --out siw.h5",
          "calopipe simulate --detector SiW --min-energy-gev 1 --max-energy-gev 100 --events 10000 "
          "--layout calochallenge --mesh SiW-lowgran --out siw.hdf5",
          "calopipe simulate --detector-file mine.yaml --measure-sampling-fraction --energy-gev 1,10 "
          "--layout mlfastsim --out mine.h5",
          "calopipe simulate --fast-model model.onnx --energy-gev 10 --out fast.h5"}};
}

void Simulate::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("detector_file", detector_file,
          {.help = "Detector in YAML (doc/geant4.md); replaces `detector`", .optional = true});
  v.input("fast_model", fast_model,
          {.type = ArtifactType::kModel,
           .help = "ONNX file (convert, optimise) that replaces the simulation of showers",
           .optional = true});
  v.parameter("detector", detector,
              {.help = "Calorimeter of the example Par04", .choices = {"SiW", "SciPb", "PbWO4"}});
  v.parameter(
      "mesh", mesh,
      {.help = "Mesh of cells that collect the energy", .choices = {"own", "SiW", "SciPb", "SiW-lowgran"}});
  v.parameter("sampling_fraction", sampling_fraction,
              {.help = "Divisor of the active energy; 0 = as in the detector", .min = 0, .max = 1});
  v.parameter("measure_sampling_fraction", measure_sampling_fraction,
              {.help = "Measure the sampling fraction first, with 200 particles of 10 GeV"});
  v.parameter("particle", particle, {.help = "Geant4's name of the particle"});
  v.parameter("energy_gev", energy_gev,
              {.help = "Kinetic energies", .unit = "GeV", .min = 0, .above_min = true});
  v.parameter("min_energy_gev", min_energy_gev,
              {.help = "Lower end of log-uniform energies", .unit = "GeV", .min = 0});
  v.parameter("max_energy_gev", max_energy_gev,
              {.help = "Upper end of log-uniform energies", .unit = "GeV", .min = 0});
  v.parameter(
      "angle_deg", angle_deg,
      {.help = "Polar angles", .unit = "deg", .min = 0, .max = 180, .above_min = true, .below_max = true});
  v.parameter(
      "min_angle_deg", min_angle_deg,
      {.help = "Lower end of uniform angles; replaces `angle_deg`", .unit = "deg", .min = 0, .max = 180});
  v.parameter("max_angle_deg", max_angle_deg,
              {.help = "Upper end of uniform angles", .unit = "deg", .min = 0, .max = 180});
  v.parameter("events", events, {.help = "Showers for each energy and angle", .min = 1, .max = 1e9});
  v.parameter("physics", physics,
              {.help = "em-no-data: electromagnetic models that need no data files; or a reference list of "
                       "Geant4 (FTFP_BERT)"});
  v.parameter("cut_mm", cut_mm,
              {.help = "Production cut in range", .unit = "mm", .min = 0, .above_min = true});
  v.parameter("fast_options", fast_options,
              {.help = "Options NAME=TEXT of the fast simulation, as in the command /calopipe/NAME TEXT"});
  v.parameter("layout", layout, {.help = "Layout of the file", .choices = calo::layout_names()});
  v.parameter("seed", seed, {.help = "Seed of the events", .min = 0});
  v.parameter("events_per_part", events_per_part,
              {.help = "Showers in one part", .min = 1, .max = 1e6, .operational = true});
  v.parameter(
      "resume", resume,
      {.help = "Resume from the parts that an earlier, interrupted simulation left", .operational = true});
  v.output("showers", showers, {.type = ArtifactType::kDataset, .help = "The showers", .file = "showers.h5"});
}

std::vector<std::string> Simulate::arguments(const std::filesystem::path& parts) const {
  std::vector<std::string> all = {"--detector",
                                  detector_file ? detector_file.path.string() : detector,
                                  "--particle",
                                  particle,
                                  "--events",
                                  std::to_string(events),
                                  "--physics",
                                  physics,
                                  "--cut-mm",
                                  fmt::format("{}", cut_mm),
                                  "--layout",
                                  layout,
                                  "--seed",
                                  std::to_string(seed),
                                  "--out",
                                  showers.path.string(),
                                  "--events-per-part",
                                  std::to_string(events_per_part)};
  const auto add = [&](const char* option, const std::string& value) {
    all.emplace_back(option);
    all.push_back(value);
  };
  if (mesh != "own") add("--mesh", mesh);
  if (measure_sampling_fraction)
    add("--sampling-fraction", "measure");
  else if (sampling_fraction > 0)
    add("--sampling-fraction", fmt::format("{}", sampling_fraction));
  if (!energy_gev.empty()) add("--energy-gev", list(energy_gev));
  if (min_energy_gev > 0) add("--min-energy-gev", fmt::format("{}", min_energy_gev));
  if (max_energy_gev > 0) add("--max-energy-gev", fmt::format("{}", max_energy_gev));
  if (min_angle_deg > 0 || max_angle_deg > 0) {
    add("--min-angle-deg", fmt::format("{}", min_angle_deg));
    add("--max-angle-deg", fmt::format("{}", max_angle_deg));
  } else {
    add("--angle-deg", list(angle_deg));
  }
  if (fast_model) add("--fast-model", fast_model.path.string());
  for (const std::string& option : fast_options) add("--fast-option", option);
  if (!parts.empty()) add("--parts", parts.string());
  return all;
}

void Simulate::run(kfp::RunContext& context) {
  if (core::is_url(showers.path)) return run_for_url(context);
  const std::filesystem::path program = find_full_sim();
  // Resume from the parts that an earlier, failed attempt of the same task left behind.
  const std::filesystem::path parts =
      context.scratch.empty() ? std::filesystem::path() : context.scratch / "parts";
  std::vector<std::string> all = arguments(parts);
  if (resume || !parts.empty()) all.emplace_back("--resume");
  if (spdlog::get_level() >= spdlog::level::warn) all.emplace_back("--quiet");
  all.insert(all.end(), {"--threads", std::to_string(context.pool.size())});
  all.insert(all.end(), {"--provenance", context.provenance.dump()});
  showers.metadata = run_full_sim(program, all);
}

// calopipe-fullsim writes local files only.
void Simulate::run_for_url(kfp::RunContext& context) {
  const bool is_file = layout != "mlfastsim" || showers.path.has_extension();
  core::StagedOutput output(showers.path,
                            is_file ? core::StagedOutput::Kind::kFile : core::StagedOutput::Kind::kFolder);
  const std::filesystem::path url = std::exchange(showers.path, output.path());
  run(context);
  output.commit();
  showers.path = url;
}

}  // namespace pipeline
