#include "calo/generate/generate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>

#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/json_file.h"
#include "core/philox.h"
#include "core/process_memory.h"
#include "core/progress.h"
#include "core/staged_output.h"

namespace calo {
namespace {

constexpr std::uint32_t kEnergyStream = 0x656e6572;

struct Plan {
  std::vector<Conditions> conditions;
  std::vector<std::string> geometries;
};

void check_geometry(ShowerSource& model, const std::string& geometry) {
  const auto& known = model.geometries();
  if (std::find(known.begin(), known.end(), geometry) == known.end())
    throw core::UsageError({.message = fmt::format("the model does not know \"{}\"", geometry),
                            .field = "geometry",
                            .hint = fmt::format("known: {}", fmt::join(known, ", "))});
  if (!model.knows_mesh_of(geometry))
    spdlog::warn("the model does not record the mesh of {}: its showers get {}", geometry,
                 model.mesh_of(geometry).to_string());
}

// Omits geometries without showers.
void keep_used_geometries(Plan& plan) {
  constexpr std::size_t kUnused = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> place(plan.geometries.size(), kUnused);
  for (const Conditions& condition : plan.conditions) place.at(condition.geometry) = 0;
  std::vector<std::string> used;
  for (std::size_t i = 0; i < place.size(); ++i) {
    if (place[i] == kUnused) continue;
    place[i] = used.size();
    used.push_back(plan.geometries[i]);
  }
  for (Conditions& condition : plan.conditions)
    condition.geometry = static_cast<std::uint16_t>(place[condition.geometry]);
  plan.geometries = std::move(used);
}

// Found before hours of generation, not when the first shower of the second geometry is written.
void check_layout(const Plan& plan, const GenerateOptions& options, const std::filesystem::path& out) {
  if (plan.geometries.size() < 2 || holds_several_geometries(options.layout, out)) return;
  throw core::UsageError(
      {.message = fmt::format("the layout {} stores one geometry per file, but the showers have {}",
                              to_string(options.layout), fmt::join(plan.geometries, " and ")),
       .file = out,
       .field = "layout",
       .hint = "choose the layout calopipe, or mlfastsim with a folder (a path without .h5)"});
}

Plan plan_like(ShowerSource& model, const GenerateOptions& options, core::ThreadPool& pool) {
  ReadOptions reading = options.reading;
  if (!options.geometry.empty()) reading.geometry = options.geometry;
  const auto reader = ShowerReader::open(options.like, reading, pool);
  warn_of_remarks(reader->info());
  const DatasetInfo& info = reader->info();
  const std::vector<std::string> in_file = info.geometries;
  Plan plan{.conditions = reader->conditions(), .geometries = in_file};
  // If a file names no geometry and the model has only one, it must be the model's.
  const std::vector<std::string>& trained = model.trained().geometries;
  if (plan.geometries == std::vector<std::string>{"unknown"} && trained.size() == 1 &&
      trained.front() != "unknown") {
    plan.geometries = trained;
    spdlog::info("{} does not name its geometry: assuming the model's, {}", options.like.string(),
                 trained.front());
  }
  keep_used_geometries(plan);
  for (std::size_t i = 0; i < plan.geometries.size(); ++i) {
    // Only a file with one geometry is renamed above.
    const std::string& geometry = plan.geometries[i];
    const bool is_renamed = std::find(in_file.begin(), in_file.end(), geometry) == in_file.end();
    const VoxelMesh &like = is_renamed ? info.mesh : info.mesh_of(geometry), &own = model.mesh_of(geometry);
    if (like.is_alike(own)) continue;
    throw core::InputError(
        {.message = fmt::format("has for {} the mesh {}, but the model has {}", geometry, like.to_string(),
                                own.to_string()),
         .file = options.like,
         .field = "like",
         .hint =
             model.knows_mesh_of(geometry)
                 ? "use data with the model's mesh"
                 : "the model does not record the mesh of this geometry: train it again with such showers"});
  }
  for (Conditions& condition : plan.conditions) condition.sim_time_s = Conditions{}.sim_time_s;  // Geant4's
  return plan;
}

Plan plan_grid(ShowerSource& model, const GenerateOptions& options) {
  std::string geometry = options.geometry;
  if (geometry.empty()) {
    if (model.trained().geometries.size() != 1)
      throw core::UsageError({.message = "is required: the model has several geometries",
                              .field = "geometry",
                              .hint = fmt::format("one of {}", fmt::join(model.trained().geometries, ", "))});
    geometry = model.trained().geometries[0];
  }
  Plan plan{.geometries = {geometry}};
  const bool range = options.energies_gev.empty();
  if (range && !(options.min_energy_gev > 0 && options.max_energy_gev >= options.min_energy_gev))
    throw core::UsageError(
        {.message = "no energies to generate",
         .field = "energy_gev",
         .hint = "give --energy-gev, or --min-energy-gev and --max-energy-gev, or --like FILE"});
  for (const double angle_deg : options.angles_deg) {
    const auto theta = static_cast<float>(angle_deg * std::numbers::pi / 180);
    if (range) {
      for (std::int64_t i = 0; i < options.events; ++i) {
        core::Philox random(options.seed, plan.conditions.size(), kEnergyStream);
        const double energy = options.min_energy_gev *
                              std::pow(options.max_energy_gev / options.min_energy_gev, random.uniform());
        plan.conditions.push_back(
            {.incident_energy_mev = static_cast<float>(energy * 1000), .theta_rad = theta});
      }
    } else {
      for (const double energy : options.energies_gev)
        for (std::int64_t i = 0; i < options.events; ++i)
          plan.conditions.push_back(
              {.incident_energy_mev = static_cast<float>(energy * 1000), .theta_rad = theta});
    }
  }
  return plan;
}

// Comparisons do not find NaN, which is neither below nor above a bound.
void check_conditions(const Plan& plan, const std::filesystem::path& like) {
  for (std::size_t i = 0; i < plan.conditions.size(); ++i) {
    const Conditions& condition = plan.conditions[i];
    const bool energy = std::isfinite(condition.incident_energy_mev) && condition.incident_energy_mev > 0;
    if (energy && std::isfinite(condition.theta_rad)) continue;
    core::ErrorDetails details{
        .message = energy ? fmt::format("shower {} has the angle {} rad", i, condition.theta_rad)
                          : fmt::format("shower {} has the energy {} MeV", i, condition.incident_energy_mev),
        .file = like,
        .field = energy ? "theta" : "incident_energy",
        .hint = "energies must be above 0, and both must be finite"};
    if (like.empty()) throw core::UsageError(details);
    throw core::InputError(details);
  }
}

std::vector<OutsideTraining> find_outside(const TrainedRange& trained, const Plan& plan) {
  using What = OutsideTraining::What;
  std::vector<OutsideTraining> found;
  for (std::size_t i = 0; i < plan.geometries.size(); ++i) {
    const std::string& geometry = plan.geometries[i];
    const infer::ConditionRange range = trained.range_of(geometry);
    std::int64_t all = 0, energies = 0, angles = 0;
    for (const Conditions& condition : plan.conditions) {
      if (condition.geometry != i) continue;
      ++all;
      const double theta_deg = condition.theta_rad * 180 / std::numbers::pi;
      constexpr double kSlack = 1e-3, kSlackDeg = 0.1;
      if (condition.incident_energy_mev < range.min_energy_mev * (1 - kSlack) ||
          (range.max_energy_mev > 0 && condition.incident_energy_mev > range.max_energy_mev * (1 + kSlack)))
        ++energies;
      if (theta_deg < range.min_theta_deg - kSlackDeg ||
          (range.max_theta_deg > 0 && theta_deg > range.max_theta_deg + kSlackDeg))
        ++angles;
    }
    if (!trained.has(geometry))
      found.push_back({.what = What::kGeometry,
                       .geometry = geometry,
                       .showers = all,
                       .of = all,
                       .trained_geometries = trained.geometries});
    if (energies > 0)
      found.push_back({.what = What::kEnergy,
                       .geometry = geometry,
                       .showers = energies,
                       .of = all,
                       .trained_min = range.min_energy_mev / 1000,
                       .trained_max = range.max_energy_mev / 1000});
    if (angles > 0)
      found.push_back({.what = What::kAngle,
                       .geometry = geometry,
                       .showers = angles,
                       .of = all,
                       .trained_min = range.min_theta_deg,
                       .trained_max = range.max_theta_deg});
  }
  return found;
}

// Records in the provenance of the files what lies outside of the training, and meshes that are not sure.
nlohmann::json with_warnings(nlohmann::json provenance, const std::vector<OutsideTraining>& outside,
                             const ShowerSource& model, const Plan& plan) {
  if (!provenance.is_object()) return provenance;
  for (const OutsideTraining& entry : outside) provenance["outside_training"].push_back(entry.to_json());
  for (const std::string& geometry : plan.geometries)
    if (!model.knows_mesh_of(geometry)) provenance["mesh_not_recorded"].push_back(geometry);
  return provenance;
}

}  // namespace

GenerateReport generate(ShowerSource& model, const GenerateOptions& options, const std::filesystem::path& out,
                        core::ThreadPool& pool) {
  const Plan plan = options.like.empty() ? plan_grid(model, options) : plan_like(model, options, pool);
  for (const std::string& geometry : plan.geometries) check_geometry(model, geometry);
  check_conditions(plan, options.like);
  check_layout(plan, options, out);
  const std::vector<OutsideTraining> outside = find_outside(model.trained(), plan);
  for (const OutsideTraining& entry : outside) spdlog::warn("{}", entry.to_string());
  const GeometryMeshes meshes = plan.geometries.size() > 1 ? model.geometry_meshes() : GeometryMeshes();
  const auto writer =
      ShowerWriter::create(out,
                           {.layout = options.layout,
                            .mesh = meshes.empty() ? model.mesh_of(plan.geometries.front()) : model.mesh(),
                            .geometries = plan.geometries,
                            .provenance = with_warnings(options.provenance, outside, model, plan),
                            .geometry_meshes = meshes},
                           pool);
  const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(1, options.batch_size));
  GenerateReport report{.batch_size = static_cast<std::int64_t>(std::min(batch, plan.conditions.size())),
                        .threads = pool.size(),
                        .precision = to_string(model.precision()),
                        .outside_training = outside};
  Showers showers;
  const std::int64_t resident_bytes = core::resident_memory_bytes();
  core::Progress progress("generate", static_cast<std::int64_t>(plan.conditions.size()), "showers");
  for (std::size_t begin = 0; begin < plan.conditions.size(); begin += batch) {
    if (core::interrupt_requested())
      throw core::Interrupted({.message = "generation was interrupted; nothing was written"});
    const std::size_t count = std::min(batch, plan.conditions.size() - begin);
    const auto start = std::chrono::steady_clock::now();
    model.make({plan.conditions.data() + begin, count}, plan.geometries, begin, options.seed,
               options.threshold_mev, pool, showers);
    report.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (begin == 0) report.working_memory_bytes = core::resident_memory_bytes() - resident_bytes;
    writer->append(showers);
    report.showers += static_cast<std::int64_t>(count);
    progress.update(report.showers);
  }
  writer->commit();
  report.peak_memory_bytes = core::peak_memory_bytes();
  return report;
}

double GenerateReport::seconds_per_shower() const {
  return showers > 0 ? seconds * threads / static_cast<double>(showers) : 0;
}

double GenerateReport::memory_per_shower_bytes() const {
  return batch_size > 0 ? static_cast<double>(working_memory_bytes) / static_cast<double>(batch_size) : 0;
}

std::string OutsideTraining::to_string() const {
  switch (what) {
    case What::kGeometry:
      return fmt::format("the model was not trained on {} (but on {}): its showers there are meaningless",
                         geometry, fmt::join(trained_geometries, ", "));
    case What::kEnergy:
      return fmt::format(
          "{} of {} showers of {} have energies outside the training's range of {:g} to {:g} GeV", showers,
          of, geometry, trained_min, trained_max);
    case What::kAngle:
      break;
  }
  return fmt::format(
      "{} of {} showers of {} have angles outside the training's range of {:g} to {:g} degrees", showers, of,
      geometry, trained_min, trained_max);
}

nlohmann::json OutsideTraining::to_json() const {
  nlohmann::json object = {{"geometry", geometry}, {"showers", showers}, {"of", of}};
  if (what == What::kGeometry) {
    object["outside"] = "geometry";
    object["trained"] = trained_geometries;
    return object;
  }
  object["outside"] = what == What::kEnergy ? "energy_gev" : "angle_deg";
  object["trained"] = {trained_min, trained_max};
  return object;
}

nlohmann::json GenerateReport::to_json() const {
  nlohmann::json outside = nlohmann::json::array();
  for (const OutsideTraining& entry : outside_training) outside.push_back(entry.to_json());
  return {{"showers", showers},
          {"outside_training", outside},
          {"batch_size", batch_size},
          {"threads", threads},
          {"precision", precision},
          {"seconds", seconds},
          {"showers_per_second", seconds > 0 ? static_cast<double>(showers) / seconds : 0},
          {"seconds_per_shower", seconds_per_shower()},
          {"working_memory_bytes", working_memory_bytes},
          {"memory_per_shower_bytes", memory_per_shower_bytes()},
          {"peak_memory_bytes", peak_memory_bytes}};
}

GenerateReport GenerateReport::read(const std::filesystem::path& file) {
  constexpr const char* kHint = "give the file that `calopipe generate --performance FILE` wrote";
  const nlohmann::json object = core::read_json(file, kHint);
  const auto number = [&](const char* field) {
    const auto found = object.is_object() ? object.find(field) : object.end();
    if (found == object.end() || !found->is_number() || !(found->get<double>() >= 0))
      throw core::InputError({.message = "is missing, or is not a number of 0 or more",
                              .file = file,
                              .field = field,
                              .hint = kHint});
    return found->get<double>();
  };
  return {.showers = static_cast<std::int64_t>(number("showers")),
          .batch_size = static_cast<std::int64_t>(number("batch_size")),
          .threads = static_cast<int>(number("threads")),
          .precision = object.value("precision", ""),
          .seconds = number("seconds"),
          .working_memory_bytes = static_cast<std::int64_t>(number("working_memory_bytes")),
          .peak_memory_bytes = static_cast<std::int64_t>(number("peak_memory_bytes"))};
}

GenerateReport generate(const ModelFolder& model, const GenerateOptions& options,
                        const std::filesystem::path& out, core::ThreadPool& pool) {
  ShowerSource source = ShowerSource::of_folder(model);
  return generate(source, options, out, pool);
}

}  // namespace calo
