#include "geant4/full_sim/full_sim.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <chrono>

#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/process_memory.h"
#include "core/progress.h"
#include "core/provenance.h"
#include "geant4/full_sim/part_store.h"
#include "geant4/full_sim/simulation.h"

namespace geant4 {
namespace {

using nlohmann::json;

constexpr std::int64_t kMeasureEvents = 200;
constexpr double kMeasureEnergyGev = 10;

Detector detector_of(const FullSimOptions& options) {
  Detector detector = find_detector(options.detector);
  if (!options.mesh.empty()) detector.mesh = calo::named_mesh(options.mesh);
  const std::string& text = options.sampling_fraction;
  if (text == "measure") {
    detector.sampling_fraction = 0;
  } else if (!text.empty()) {
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size() || !(value > 0 && value <= 1))
      throw core::UsageError({.message = fmt::format("cannot be \"{}\"", text),
                              .field = "sampling_fraction",
                              .hint = "allowed: above 0, at most 1, or measure"});
    detector.sampling_fraction = value;
  }
  return detector;
}

std::shared_ptr<FastSimSetup> fast_setup(const FullSimOptions& options, const Detector& detector) {
  if (options.fast_model.empty()) {
    if (!options.fast_options.empty())
      throw core::UsageError({.message = "requires --fast-model", .field = "fast_option"});
    return nullptr;
  }
  // The full simulation drops cells below this threshold, too. Energy loss in the air before the calorimeter
  // does not reduce the depth that the mesh needs.
  FastSimOptions fast{.model = options.fast_model,
                      .threshold_mev = detector.threshold_mev / std::max(detector.sampling_fraction, 1e-9),
                      .seed = options.gun.seed,
                      .noise_per_run = false};
  for (const std::string& option : options.fast_options) {
    const std::size_t equal = option.find('=');
    if (equal == std::string::npos)
      throw core::UsageError(
          {.message = fmt::format("\"{}\" must have the form NAME=TEXT", option), .field = "fast_option"});
    set_option(fast, option.substr(0, equal), option.substr(equal + 1));
  }
  auto setup = std::make_shared<FastSimSetup>(std::move(fast));
  const CylinderMesh::Size& of_model = setup->state()->generator->mesh().size();
  const calo::VoxelMesh model_mesh(calo::VoxelMesh::Cylinder{.n_r = of_model.n_r,
                                                             .n_phi = of_model.n_phi,
                                                             .n_z = of_model.n_z,
                                                             .size_r_mm = of_model.size_r_mm,
                                                             .size_z_mm = of_model.size_z_mm});
  if (!(model_mesh == detector.mesh))
    spdlog::warn("the model has {}, the readout {}: deposits are at the centres of the model's cells",
                 model_mesh.to_string(), detector.mesh.to_string());
  return setup;
}

// Everything that determines the result. It becomes part of the provenance and of the plan of the parts.
json describe(const FullSimOptions& options, const Detector& detector, const FastSimSetup* fast) {
  json description = {{"detector", detector.to_json()},
                      {"gun", SimulationPlan(options.gun).to_json()},
                      {"physics", options.physics},
                      {"cut_mm", options.cut_mm},
                      {"geant4", geant4_version()}};
  if (fast != nullptr) {
    json commands;
    const FastSimOptions fast_options = fast->options();
    for (const FastSimCommand& command : fast_sim_commands())
      if (std::string(command.name) != "model")
        commands[command.name] = option_text(fast_options, command.name);
    description["fast"] = {{"options", commands}, {"model", core::sha256_of_path(options.fast_model)}};
  }
  if (!options.macro.empty()) description["macro"] = core::sha256_of_path(options.macro);
  return description;
}

void settle_sampling_fraction(Detector& detector, PartStore& parts, Simulation& simulation,
                              const FullSimOptions& options) {
  if (detector.sampling_fraction > 0) return;
  std::optional<double> known = parts.number("sampling_fraction");
  if (!known) {
    core::Progress progress("sampling fraction", kMeasureEvents, "showers");
    GunOptions gun{.particle = options.gun.particle,
                   .energies_gev = {kMeasureEnergyGev},
                   .events = kMeasureEvents,
                   .seed = ~options.gun.seed};
    known = measure_sampling_fraction(simulation, SimulationPlan(gun), [&] { progress.add(1); });
    parts.keep_number("sampling_fraction", *known);
  }
  detector.sampling_fraction = *known;
  simulation.set_sampling_fraction(*known);
  spdlog::info("sampling fraction {:.5f}", *known);
}

// Sums over the events simulated in this process.
struct Sums {
  std::int64_t showers = 0;
  double sim_time_s = 0, response = 0;
};

void simulate_part(std::int64_t part, PartStore& parts, Simulation& simulation, const SimulationPlan& plan,
                   const Detector& detector, core::Progress& progress, core::ThreadPool& pool,
                   FullSimReport& report, Sums& sums) {
  const std::int64_t first = parts.first_event(part), end = parts.end_event(part);
  const EventResults results = simulation.run(plan, first, end, [&] { progress.add(1); });
  calo::Showers showers(detector.mesh.num_cells(), {detector.name});
  for (std::int64_t event = first; event < end; ++event) {
    const EventResult& result = results.results[static_cast<std::size_t>(event - first)];
    calo::Conditions conditions = plan.conditions(event);
    conditions.sim_time_s = result.sim_time_s;
    showers.append(conditions, result.cells, result.energies_mev);
    report.not_entered += result.entered ? 0 : 1;
    report.fast_showers += result.fast ? 1 : 0;
    ++sums.showers;
    sums.sim_time_s += result.sim_time_s;
    sums.response += showers.total_energy_mev(showers.size() - 1) / conditions.incident_energy_mev;
  }
  parts.write(part, showers, pool);
}

void assemble(const PartStore& parts, const Detector& detector, const FullSimOptions& options,
              const json& provenance, std::int64_t events, core::ThreadPool& pool) {
  const std::string kind = options.fast_model.empty() ? "full simulation" : "fast simulation in Geant4";
  const auto writer = calo::ShowerWriter::create(
      options.out,
      {.layout = options.layout,
       .mesh = detector.mesh,
       .geometries = {detector.name},
       .provenance = provenance,
       .attributes = {{"source", fmt::format("Geant4 {}, calopipe-fullsim, {}, {}", geant4_version(),
                                             options.physics, kind)},
                      {"particle", options.gun.particle},
                      {"sampling_fraction", detector.sampling_fraction},
                      {"threshold_mev", detector.threshold_mev / detector.sampling_fraction},
                      {"peak_memory_bytes", static_cast<double>(core::peak_memory_bytes())},
                      {"note", std::string("cells = energy in the active material / sampling fraction, MeV; "
                                           "cells not above the threshold are zero")}}},
      pool);
  core::Progress progress("writing", events, "showers");
  parts.append_all(*writer, pool, [&](std::int64_t done) { progress.update(done); });
  writer->commit();
}

}  // namespace

nlohmann::json FullSimReport::to_json() const {
  return {{"showers", showers},
          {"resumed", resumed},
          {"not_entered", not_entered},
          {"fast_showers", fast_showers},
          {"sampling_fraction", sampling_fraction},
          {"mean_sim_time_s", mean_sim_time_s},
          {"wall_s", wall_s},
          {"response", response}};
}

FullSimReport full_sim(const FullSimOptions& options, core::ThreadPool& pool) {
  const SimulationPlan plan(options.gun);
  Detector detector = detector_of(options);
  const std::shared_ptr<FastSimSetup> fast = fast_setup(options, detector);
  const json description = describe(options, detector, fast.get());
  PartStore parts({.folder = options.parts.empty() ? std::filesystem::path(options.out.string() + ".parts")
                                                   : options.parts,
                   .plan = description,
                   .mesh = detector.mesh,
                   .geometry = detector.name,
                   .num_events = plan.num_events(),
                   .events_per_part = options.events_per_part,
                   .resume = options.resume});
  FullSimReport report{.showers = plan.num_events(), .resumed = parts.events_done()};
  if (report.resumed > 0) spdlog::info("{} showers exist already", report.resumed);

  Sums sums;
  if (report.resumed < report.showers) {
    if (fast && !(detector.sampling_fraction > 0))
      throw core::UsageError({.message = "must be known for a fast simulation",
                              .field = "sampling_fraction",
                              .hint = "measure it with a full simulation first"});
    Simulation simulation({.detector = detector,
                           .physics = options.physics,
                           .cut_mm = options.cut_mm,
                           .threads = pool.size(),
                           .fast = fast,
                           .macro = options.macro,
                           .verbose = options.verbose});
    try {
      settle_sampling_fraction(detector, parts, simulation, options);
      const auto start = std::chrono::steady_clock::now();
      core::Progress progress("simulate", report.showers, "showers");
      progress.update(report.resumed);
      for (std::int64_t part = 0; part < parts.num_parts(); ++part)
        if (!parts.has(part))
          simulate_part(part, parts, simulation, plan, detector, progress, pool, report, sums);
      report.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    } catch (const core::Interrupted&) {
      throw core::Interrupted({.message = fmt::format("interrupted; {} of {} showers are kept",
                                                      parts.events_done(), report.showers),
                               .hint = "--resume continues"});
    }
  } else {
    detector.sampling_fraction = parts.number("sampling_fraction").value_or(detector.sampling_fraction);
  }
  if (report.not_entered > 0)
    spdlog::warn("{} particles did not reach the calorimeter: their showers are empty", report.not_entered);
  if (fast && sums.showers > 0 && report.fast_showers == 0)
    spdlog::warn("the model took no particle: check its energies and containment (--fast-option)");

  const json provenance = options.provenance.is_null() ? core::Provenance{.component = "calopipe-fullsim",
                                                                          .parameters = description,
                                                                          .seed = options.gun.seed}
                                                             .to_json()
                                                       : options.provenance;
  assemble(parts, detector, options, provenance, plan.num_events(), pool);
  parts.remove();
  report.sampling_fraction = detector.sampling_fraction;
  if (sums.showers > 0) {
    report.mean_sim_time_s = sums.sim_time_s / static_cast<double>(sums.showers);
    report.response = sums.response / static_cast<double>(sums.showers);
  }
  return report;
}

}  // namespace geant4
