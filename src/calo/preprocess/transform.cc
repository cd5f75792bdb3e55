#include "calo/preprocess/transform.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace calo {
namespace {

using nlohmann::json;

template <class T>
void take(const json& object, const char* name, T& target) {
  try {
    object.at(name).get_to(target);
  } catch (const json::exception&) {
    throw core::InputError(
        {.message = "is missing or of the wrong type", .field = fmt::format("transform.{}", name)});
  }
}

}  // namespace

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
  return {{"mesh", mesh.to_json()},
          {"max_energy_mev", max_energy_mev},
          {"max_theta_deg", max_theta_deg},
          {"one_hot_order", one_hot_order},
          {"min_trained_energy_mev", min_trained_energy_mev},
          {"max_trained_energy_mev", max_trained_energy_mev},
          {"min_trained_theta_deg", min_trained_theta_deg},
          {"max_trained_theta_deg", max_trained_theta_deg},
          {"trained_geometries", trained_geometries},
          {"readout_threshold_mev", readout_threshold_mev}};
}

Transform Transform::from_json(const json& object) {
  Transform transform;
  json mesh;
  take(object, "mesh", mesh);
  transform.mesh = VoxelMesh::from_json(mesh);
  take(object, "max_energy_mev", transform.max_energy_mev);
  take(object, "max_theta_deg", transform.max_theta_deg);
  take(object, "one_hot_order", transform.one_hot_order);
  take(object, "min_trained_energy_mev", transform.min_trained_energy_mev);
  take(object, "max_trained_energy_mev", transform.max_trained_energy_mev);
  take(object, "min_trained_theta_deg", transform.min_trained_theta_deg);
  take(object, "max_trained_theta_deg", transform.max_trained_theta_deg);
  take(object, "trained_geometries", transform.trained_geometries);
  take(object, "readout_threshold_mev", transform.readout_threshold_mev);
  const auto is_number = [](double x) { return std::isfinite(x); };
  const bool finite =
      is_number(transform.max_energy_mev) && is_number(transform.max_theta_deg) &&
      is_number(transform.min_trained_energy_mev) && is_number(transform.max_trained_energy_mev) &&
      is_number(transform.min_trained_theta_deg) && is_number(transform.max_trained_theta_deg) &&
      is_number(transform.readout_threshold_mev);
  if (!finite || !(transform.max_energy_mev > 0) || !(transform.max_theta_deg > 0) ||
      transform.one_hot_order.empty())
    throw core::InputError({.message = "contains invalid values", .field = "transform"});
  return transform;
}

}  // namespace calo
