#include "calo/preprocess/transform.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numbers>

#include "core/error.h"
#include "core/json_reader.h"

namespace calo {

using nlohmann::json;

namespace {

auto find(const std::vector<TrainedGeometry>& trained, const std::string& geometry) {
  return std::find_if(trained.begin(), trained.end(),
                      [&](const TrainedGeometry& entry) { return entry.geometry == geometry; });
}

}  // namespace

const VoxelMesh& Transform::mesh_of(const std::string& geometry) const {
  const auto found = find(trained_by_geometry, geometry);
  return found == trained_by_geometry.end() ? mesh : found->mesh;
}

TrainedGeometry Transform::trained_on(const std::string& geometry) const {
  const auto found = find(trained_by_geometry, geometry);
  if (found != trained_by_geometry.end()) return *found;
  return {.geometry = geometry,
          .mesh = mesh,
          .min_energy_mev = min_trained_energy_mev,
          .max_energy_mev = max_trained_energy_mev,
          .min_theta_deg = min_trained_theta_deg,
          .max_theta_deg = max_trained_theta_deg};
}

GeometryMeshes Transform::geometry_meshes() const {
  GeometryMeshes meshes;
  bool differ = false;
  for (const TrainedGeometry& trained : trained_by_geometry) {
    meshes.emplace(trained.geometry, trained.mesh);
    differ = differ || !trained.mesh.is_alike(mesh);
  }
  return differ ? meshes : GeometryMeshes();
}

std::size_t Transform::place_of(const std::string& geometry) const {
  const auto place = std::find(one_hot_order.begin(), one_hot_order.end(), geometry);
  if (place == one_hot_order.end())
    throw core::InputError(
        {.message = fmt::format("the model does not know \"{}\"", geometry),
         .field = "geometry",
         .hint = fmt::format("known: {}; --geometry gives the geometry of files that do not state it, "
                             "input-parameters.geometry_encoding lists others",
                             fmt::join(one_hot_order, ", "))});
  return static_cast<std::size_t>(place - one_hot_order.begin());
}

void Transform::encode(const Conditions& condition, const std::string& geometry, std::span<float> out) const {
  const std::size_t place = place_of(geometry);
  std::fill(out.begin(), out.end(), 0.0f);
  out[0] = static_cast<float>(condition.incident_energy_mev / max_energy_mev);
  out[1] = static_cast<float>(condition.theta_rad * 180 / std::numbers::pi / max_theta_deg);
  out[2 + place] = 1;
}

json Transform::to_json() const {
  json object = core::JsonWriter::written(*this);
  if (trained_by_geometry.empty()) object.erase("trained_by_geometry");
  return object;
}

Transform Transform::from_json(const json& object) {
  core::JsonPlace place({}, "transform");
  Transform transform;
  core::read_json(transform, object, place);
  if (transform.one_hot_order.empty()) {
    const core::JsonPlace::Step step(place, "one_hot_order");
    place.fail("contains no geometry");
  }
  for (const TrainedGeometry& trained : transform.trained_by_geometry) {
    const core::JsonPlace::Step step(place, "trained_by_geometry");
    if (&*find(transform.trained_by_geometry, trained.geometry) != &trained)
      place.fail(fmt::format("has the geometry {} twice", trained.geometry));
    if (!trained.mesh.has_cells_of(transform.mesh))
      place.fail(fmt::format("{} has {}, which are not the cells of the model's mesh, {}", trained.geometry,
                             trained.mesh.to_string(), transform.mesh.to_string()));
  }
  return transform;
}

}  // namespace calo
