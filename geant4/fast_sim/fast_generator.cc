#include "geant4/fast_sim/fast_generator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace geant4 {
namespace {

using calo::infer::Generator;
using nlohmann::json;

Generator load(const FastSimOptions& options) {
  if (options.model.empty())
    throw core::UsageError({.message = "there is no model",
                            .field = "/calopipe/model",
                            .hint = "give the ONNX file of calopipe convert or optimise, or another with "
                                    "/calopipe/contract and /calopipe/mesh"});
  return Generator::load(options.model, {.precision = options.precision}, options.contract);
}

std::string property(const Generator& generator, const std::string& key) {
  const auto& metadata = generator.properties();
  const auto found = metadata.find("calopipe." + key);
  return found == metadata.end() ? "" : found->second;
}

CylinderMesh mesh_of(const Generator& generator) {
  const json mesh = json::parse(generator.mesh().json, nullptr, false);
  const auto size = [&](const char* name) {
    const bool there = mesh.is_object() && mesh.contains(name) && mesh.at(name).is_number();
    return there ? mesh.at(name).get<double>() : 0.0;
  };
  const CylinderMesh::Size cells{.n_r = static_cast<int>(generator.mesh().n_r),
                                 .n_phi = static_cast<int>(generator.mesh().n_phi),
                                 .n_z = static_cast<int>(generator.mesh().n_z),
                                 .size_r_mm = size("size_r_mm"),
                                 .size_z_mm = size("size_z_mm")};
  if (cells.n_r < 1 || !(cells.size_r_mm > 0) || !(cells.size_z_mm > 0))
    throw core::InputError({.message = "does not name a regular mesh with the sizes of its cells",
                            .file = generator.model().file(),
                            .field = "calopipe.mesh",
                            .hint = "deposits need them: convert a model of a regular mesh"});
  return CylinderMesh(cells);
}

std::uint32_t geometry_of(const Generator& generator, const std::string& wanted) {
  const auto& known = generator.geometries();
  const auto place = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(known.begin(), known.end(), name) - known.begin());
  };
  std::size_t found = place(wanted);
  if (wanted.empty()) {
    found = place(property(generator, "par04_geometry"));
    const json trained = json::parse(property(generator, "trained"), nullptr, false);
    if (found == known.size() && known.size() == 1) found = 0;
    if (found == known.size() && trained.is_object() && trained.contains("geometries") &&
        trained.at("geometries").is_array() && trained.at("geometries").size() == 1 &&
        trained.at("geometries").at(0).is_string())
      found = place(trained.at("geometries").at(0).get<std::string>());
  }
  if (found == known.size())
    throw core::UsageError({.message = wanted.empty()
                                           ? "is required: the model knows several"
                                           : fmt::format("\"{}\" is not known to the model", wanted),
                            .file = generator.model().file(),
                            .field = "/calopipe/geometry",
                            .hint = fmt::format("one of {}", fmt::join(known, ", "))});
  return static_cast<std::uint32_t>(found);
}

// An end of the training's range; `none` where the model does not say it.
double trained_limit(const Generator& generator, const char* name, double none) {
  const json trained = json::parse(property(generator, "trained"), nullptr, false);
  if (!trained.is_object() || !trained.contains(name) || !trained.at(name).is_number()) return none;
  const auto value = trained.at(name).get<double>();
  return value > 0 ? value : none;
}

}  // namespace

FastGenerator::FastGenerator(const FastSimOptions& options) : FastGenerator(load(options), options) {}

FastGenerator::FastGenerator(Generator generator, const FastSimOptions& options)
    : generator_(std::move(generator)),
      mesh_(mesh_of(generator_)),
      geometry_(geometry_of(generator_, options.geometry)) {
  // What one particle loses in air, and rounding, must not put the ends of the range out of it.
  constexpr double kSlack = 0.02;
  constexpr double kAny = std::numeric_limits<double>::infinity();
  min_energy_mev_ =
      options.min_energy_mev.value_or(trained_limit(generator_, "min_energy_mev", 0) * (1 - kSlack));
  max_energy_mev_ =
      options.max_energy_mev.value_or(trained_limit(generator_, "max_energy_mev", kAny) * (1 + kSlack));
  if (!(min_energy_mev_ <= max_energy_mev_))
    throw core::UsageError(
        {.message = fmt::format("no energy is from {} to {} MeV", min_energy_mev_, max_energy_mev_),
         .field = "/calopipe/minEnergy"});
}

}  // namespace geant4
