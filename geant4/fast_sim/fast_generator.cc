#include "geant4/fast_sim/fast_generator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace geant4 {
namespace {

using calo::infer::ConditionRange;
using calo::infer::Generator;
using calo::infer::TrainedRange;

Generator load(const FastSimOptions& options) {
  if (options.model.empty())
    throw core::UsageError({.message = "no model is given",
                            .field = "/calopipe/model",
                            .hint = "give the ONNX file of calopipe convert or optimise, or another with "
                                    "/calopipe/contract and /calopipe/mesh"});
  return Generator::load(options.model, {.precision = options.precision}, options.contract);
}

CylinderMesh mesh_of(const Generator& generator, std::uint32_t geometry) {
  const calo::infer::MeshInfo& mesh = generator.mesh_of(geometry);
  const CylinderMesh::Size cells{.n_r = static_cast<int>(mesh.n_r),
                                 .n_phi = static_cast<int>(mesh.n_phi),
                                 .n_z = static_cast<int>(mesh.n_z),
                                 .size_r_mm = mesh.size_r_mm,
                                 .size_z_mm = mesh.size_z_mm};
  if (cells.n_r < 1 || !(cells.size_r_mm > 0) || !(cells.size_z_mm > 0))
    throw core::InputError({.message = "must name a regular mesh with the sizes of its cells",
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
    found = place(generator.said().par04_geometry);
    const auto& trained = generator.said().trained;
    if (found == known.size() && known.size() == 1) found = 0;
    if (found == known.size() && trained && trained->geometries.size() == 1)
      found = place(trained->geometries[0]);
  }
  if (found == known.size())
    throw core::UsageError({.message = wanted.empty()
                                           ? "is required: the model has several"
                                           : fmt::format("\"{}\" is not a geometry of the model", wanted),
                            .file = generator.model().file(),
                            .field = "/calopipe/geometry",
                            .hint = fmt::format("one of {}", fmt::join(known, ", "))});
  return static_cast<std::uint32_t>(found);
}

}  // namespace

FastGenerator::FastGenerator(const FastSimOptions& options) : FastGenerator(load(options), options) {}

FastGenerator::FastGenerator(Generator generator, const FastSimOptions& options)
    : generator_(std::move(generator)),
      geometry_(geometry_of(generator_, options.geometry)),
      mesh_(mesh_of(generator_, geometry_)) {
  // Energy losses in air and rounding must not put the ends of the range outside it.
  constexpr double kSlack = 0.02;
  constexpr double kAny = std::numeric_limits<double>::infinity();
  const ConditionRange trained = generator_.said().trained.value_or(TrainedRange()).range_of(geometry_name());
  min_energy_mev_ = options.min_energy_mev.value_or(std::max(trained.min_energy_mev, 0.0) * (1 - kSlack));
  max_energy_mev_ = options.max_energy_mev.value_or(
      trained.max_energy_mev > 0 ? trained.max_energy_mev * (1 + kSlack) : kAny);
  if (!(min_energy_mev_ <= max_energy_mev_))
    throw core::UsageError(
        {.message = fmt::format("no energy is from {} to {} MeV", min_energy_mev_, max_energy_mev_),
         .field = "/calopipe/minEnergy"});
}

}  // namespace geant4
