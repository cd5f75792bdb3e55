#include "calo/preprocess/transform.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numbers>

#include "core/error.h"
#include "core/json_reader.h"

namespace calo {

using nlohmann::json;

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
  return core::JsonWriter::written(*this);
}

Transform Transform::from_json(const json& object) {
  core::JsonPlace place({}, "transform");
  Transform transform;
  core::read_json(transform, object, place);
  const core::JsonPlace::Step step(place, "one_hot_order");
  if (transform.one_hot_order.empty()) place.fail("contains no geometry");
  return transform;
}

}  // namespace calo
