#include "calo/generate/shower_source.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "calo/infer/external_data.h"
#include "calo/infer/generator.h"
#include "calo/models/stored_model.h"
#include "core/error.h"
#include "core/hash.h"

namespace calo {
namespace {

// Moves the engine's output into showers, reusing their memory.
void replace(Showers& out, std::int64_t cells, std::span<const Conditions> conditions,
             const std::vector<std::string>& geometries, const infer::SparseShowers& found) {
  Showers kept = std::move(out);
  out = Showers(cells, geometries);
  out.cells = std::move(kept.cells);
  out.energies_mev = std::move(kept.energies_mev);
  out.conditions.assign(conditions.begin(), conditions.end());
  out.offsets.assign(found.offsets().begin(), found.offsets().end());
  out.cells.assign(found.cells(), found.cells() + found.num_hits());
  out.energies_mev.assign(found.energies_mev(), found.energies_mev() + found.num_hits());
}

infer::Generator generator_of_bytes(const std::string& bytes, std::optional<infer::Precision> precision,
                                    const std::filesystem::path& name) {
  return infer::Generator(
      infer::Model::from_bytes(std::as_bytes(std::span(bytes)), {.precision = precision}, name));
}

}  // namespace

infer::Particle typical_particle(const TrainedRange& trained) {
  constexpr double kUsualMev = 10'000;
  const bool known = trained.min_energy_mev > 0 && trained.max_energy_mev >= trained.min_energy_mev;
  const double energy_mev = known ? std::sqrt(trained.min_energy_mev * trained.max_energy_mev)
                            : trained.max_energy_mev > 0 ? std::min(kUsualMev, trained.max_energy_mev)
                                                         : kUsualMev,
               theta_deg = (trained.min_theta_deg + trained.max_theta_deg) / 2;
  return {.energy_mev = static_cast<float>(energy_mev),
          .theta_rad = static_cast<float>(theta_deg * std::numbers::pi / 180)};
}

ShowerSource::ShowerSource(infer::Generator generator) : generator_(std::move(generator)) {
  const std::filesystem::path& file = generator_.model().file();
  const auto refuse = [&](const char* field, const std::string& message) {
    throw core::InputError({.message = message, .file = file, .field = field});
  };
  if (!generator_.said().trained) refuse("calopipe.trained", "is missing from the properties");
  const auto read_mesh = [&](const char* field, const infer::MeshInfo& mesh) {
    try {
      return VoxelMesh::from_json(nlohmann::json::parse(mesh.json));
    } catch (const core::InputError& error) {
      refuse(field, error.details().message);
    }
    return VoxelMesh();
  };
  mesh_ = read_mesh("calopipe.mesh", generator_.mesh());
  for (const auto& [name, mesh] : generator_.said().geometry_meshes)
    geometry_meshes_.emplace(name, read_mesh("calopipe.geometry_meshes", mesh));
  if (mesh_.num_cells() != generator_.num_cells())
    refuse("calopipe.mesh", "does not have the generator's number of cells");
}

bool ShowerSource::knows_mesh_of(const std::string& geometry) const {
  const infer::GeneratorProperties& said = generator_.said();
  // The user of a model of other authors gives its mesh.
  const bool is_of_others = said.version.empty();
  const bool is_only_one = trained().geometries == std::vector<std::string>{geometry};
  return is_of_others || is_only_one || trained().by_geometry.contains(geometry);
}

std::uint32_t ShowerSource::index_of(const std::string& geometry) const {
  const auto& known = generator_.geometries();
  const auto at = std::find(known.begin(), known.end(), geometry);
  if (at == known.end())
    throw core::InputError({.message = "the model does not know \"" + geometry + "\"", .field = "geometry"});
  return static_cast<std::uint32_t>(at - known.begin());
}

void ShowerSource::make(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
                        std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
                        Showers& out) {
  particles_.clear();
  for (std::size_t i = 0; i < conditions.size(); ++i)
    particles_.push_back({.energy_mev = conditions[i].incident_energy_mev,
                          .theta_rad = conditions[i].theta_rad,
                          .geometry = index_of(geometries.at(conditions[i].geometry)),
                          .event = first + i});
  if (workspace_pool_ != &pool) {
    workspace_ = infer::Workspace(&pool);
    workspace_pool_ = &pool;
  }
  generator_.generate(particles_, seed, static_cast<float>(threshold_mev), workspace_, found_);
  replace(out, mesh_.num_cells(), conditions, geometries, found_);
}

ShowerSource ShowerSource::open(const std::filesystem::path& path, std::optional<infer::Precision> precision,
                                const infer::ForeignContract& contract) {
  if (std::filesystem::is_regular_file(path))
    return ShowerSource(infer::Generator::load(path, {.precision = precision}, contract));
  if (contract != infer::ForeignContract())
    throw core::UsageError({.message = "is for ONNX files only: a model folder states its own contract",
                            .file = path,
                            .field = "contract"});
  if (const std::filesystem::path stored = path / kGeneratorFile; std::filesystem::exists(stored))
    return ShowerSource(infer::Generator::load(stored, {.precision = precision}));
  return ShowerSource(generator_of_bytes(generator_of(read_model(path)), precision, path));
}

ShowerSource ShowerSource::of_folder(const ModelFolder& model, std::optional<infer::Precision> precision) {
  return ShowerSource(generator_of_bytes(generator_of(model), precision, {}));
}

std::string sha256_of_model(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return core::sha256_of_path(path);
  const std::vector<std::string> files = infer::external_files(path);
  if (files.empty()) return core::sha256_of_path(path);
  std::string all = core::sha256_of_path(path) + '\n';
  for (const std::string& file : files)
    all += file + '\0' + core::sha256_of_path(path.parent_path() / file) + '\n';
  return core::sha256(all);
}

}  // namespace calo
