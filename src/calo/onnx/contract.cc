#include "calo/onnx/contract.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <numbers>

#include "core/error.h"

namespace calo {
namespace {

using Kind = infer::ConditionNumber::Kind;

constexpr double kDegreesPerRadian = 180 / std::numbers::pi;
// Par04InferenceSetup.hh: fMaxEnergy, fMaxAngle.
constexpr double kPar04MaxEnergyMev = 1024000;
constexpr double kPar04MaxThetaDeg = 90;
constexpr const char* kPar04Geometry = "SiW";

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

ConditionColumn energy(const Transform& transform, double scale) {
  return {.number = {.kind = Kind::kEnergyMev, .times = scale},
          .model_column = 0,
          .factor = 1 / (transform.max_energy_mev * scale)};
}

ConditionColumn theta(const Transform& transform, double scale) {
  return {.number = {.kind = Kind::kThetaRad, .times = scale},
          .model_column = 1,
          .factor = kDegreesPerRadian / (transform.max_theta_deg * scale)};
}

// One-hot column of a geometry; it has no effect if the model does not know the geometry.
ConditionColumn place(const Transform& transform, const std::string& geometry) {
  const auto& order = transform.one_hot_order;
  const auto found = std::find(order.begin(), order.end(), geometry);
  if (found == order.end()) return {};
  return {.number = {.geometry = geometry},
          .model_column = 2 + static_cast<int>(found - order.begin()),
          .factor = 1};
}

// The geometry of the one-hot column that Par04 sets.
std::string par04_geometry(const Transform& transform, const std::string& wanted) {
  const auto& known = transform.one_hot_order;
  const auto& trained = transform.trained_geometries;
  std::string geometry = wanted.empty() ? kPar04Geometry : wanted;
  if (!holds(known, geometry))
    throw core::UsageError(
        {.message = wanted.empty() ? fmt::format("is required: the model does not know {}, which Par04 "
                                                 "asks for",
                                                 geometry)
                                   : fmt::format("the model does not know \"{}\"", geometry),
         .field = "geometry",
         .hint = fmt::format("known: {}", fmt::join(known, ", "))});
  if (!trained.empty() && !holds(trained, geometry)) {
    if (wanted.empty())
      throw core::UsageError(
          {.message =
               fmt::format("is required: the model was not trained on {}, which Par04 asks for", geometry),
           .field = "geometry",
           .hint = fmt::format("one of {}, with that detector in the macro", fmt::join(trained, ", "))});
    spdlog::warn("the model was not trained on {} (but on {}): its showers there are meaningless", geometry,
                 fmt::join(trained, ", "));
  }
  return geometry;
}

void par04_vae(const Transform& transform, ContractMapping& mapping) {
  mapping.columns = {energy(transform, 1 / kPar04MaxEnergyMev),
                     theta(transform, kDegreesPerRadian / kPar04MaxThetaDeg)};
  // Par04 sets [0, 1]; the other column is that of its other detector.
  mapping.columns.push_back(place(transform, mapping.geometry == "SciPb" ? "SiW" : "SciPb"));
  mapping.columns.push_back(place(transform, mapping.geometry));
}

void par04_calodit(const Transform& transform, ContractMapping& mapping) {
  constexpr double kGevPerMev = 1e-3;
  mapping.columns = {energy(transform, kGevPerMev), {.number = {.kind = Kind::kPhiRad}}, theta(transform, 1)};
  std::vector<std::string> places = {"SiW", "SciPb", "ODD", "FCCeeCLD"};
  std::vector<std::string> others;
  for (const std::string& name : transform.one_hot_order)
    if (!holds(places, name) && name != mapping.geometry) others.push_back(name);
  places.push_back(others.size() == 1 ? others[0] : "");  // column of a new detector
  // Par04 sets the first column.
  const auto own = std::find(places.begin(), places.end(), mapping.geometry);
  if (own != places.end()) *own = places[0];
  places[0] = mapping.geometry;
  for (const std::string& name : places) mapping.columns.push_back(place(transform, name));
}

}  // namespace

Contract parse_contract(const std::string& name) {
  for (const Contract contract : {Contract::kPlain, Contract::kPar04Vae, Contract::kPar04CaloDit})
    if (to_string(contract) == name) return contract;
  if (name == "par04-calodit2") return Contract::kPar04CaloDit;  // Par04's name for the model type
  throw core::UsageError({.message = fmt::format("cannot be \"{}\"", name),
                          .field = "contract",
                          .hint = "allowed: plain, par04-vae, par04-calodit"});
}

void ContractMapping::encode(const Conditions& condition, double phi_rad, const std::string& geometry_name,
                             std::span<float> out) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const infer::ConditionNumber& column = columns[i].number;
    double value = 0;
    switch (column.kind) {
      case Kind::kEnergyMev:
        value = condition.incident_energy_mev;
        break;
      case Kind::kThetaRad:
        value = condition.theta_rad;
        break;
      case Kind::kPhiRad:
        value = phi_rad;
        break;
      case Kind::kGeometry:
        value = !column.geometry.empty() && column.geometry == geometry_name ? 1 : 0;
    }
    out[i] = static_cast<float>(value * column.times);
  }
}

std::vector<std::string> ContractMapping::reachable_geometries() const {
  std::vector<std::string> names;
  for (const auto& [number, model_column, factor] : columns)
    if (number.kind == Kind::kGeometry && !number.geometry.empty()) names.push_back(number.geometry);
  return names;
}

double ContractMapping::to_mev(double output, double incident_energy_mev) const {
  switch (contract) {
    case Contract::kPlain:
      return output;
    case Contract::kPar04Vae:
      return output * incident_energy_mev;
    case Contract::kPar04CaloDit:
      return output * 1000;
  }
  return output;
}

ContractMapping map_contract(Contract contract, const Transform& transform, const std::string& geometry) {
  ContractMapping mapping{.contract = contract};
  if (contract == Contract::kPlain) {
    if (!geometry.empty())
      throw core::UsageError({.message = "is meaningless for the contract plain, which has all geometries",
                              .field = "geometry",
                              .hint = "omit it, or give --contract par04-vae"});
    mapping.columns = {energy(transform, 1), theta(transform, 1)};
    for (const std::string& name : transform.one_hot_order) mapping.columns.push_back(place(transform, name));
    return mapping;
  }
  if (!transform.mesh.is_cylinder())
    throw core::UsageError(
        {.message = fmt::format("{} is impossible: Par04 has regular meshes only, but the model's has {}",
                                to_string(contract), transform.mesh.to_string()),
         .field = "contract",
         .hint = "use --contract plain"});
  mapping.geometry = par04_geometry(transform, geometry);
  if (contract == Contract::kPar04Vae)
    par04_vae(transform, mapping);
  else
    par04_calodit(transform, mapping);
  return mapping;
}

}  // namespace calo
