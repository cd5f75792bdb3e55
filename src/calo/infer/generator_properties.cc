#include "calo/infer/generator_properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"

namespace calo::infer {
namespace {

using nlohmann::json;
using Kind = ConditionNumber::Kind;

constexpr const char* kPrefix = "calopipe.";
constexpr std::pair<Kind, const char*> kQuantities[] = {{Kind::kEnergyMev, "incident energy"},
                                                        {Kind::kThetaRad, "theta"},
                                                        {Kind::kPhiRad, "phi"},
                                                        {Kind::kGeometry, "one-hot"}};

[[noreturn]] void refuse_property(const std::string& name, std::string message) {
  throw core::InputError({.message = std::move(message), .field = kPrefix + name});
}

json to_json(const ConditionNumber& number) {
  switch (number.kind) {
    case Kind::kEnergyMev:
      return {{"quantity", "incident energy"}, {"unit", "MeV"}, {"times", number.times}};
    case Kind::kThetaRad:
      return {{"quantity", "theta"}, {"unit", "rad"}, {"times", number.times}};
    case Kind::kPhiRad:
      return {{"quantity", "phi (without effect)"}, {"unit", "rad"}, {"times", number.times}};
    case Kind::kGeometry:
      break;
  }
  return {{"quantity", "one-hot"}, {"geometry", number.geometry}};
}

ConditionNumber number_of(const json& object) {
  const std::string quantity = object.at("quantity");
  for (const auto& [kind, name] : kQuantities) {
    if (!quantity.starts_with(name)) continue;
    ConditionNumber number{.kind = kind};
    if (kind == Kind::kGeometry) {
      number.geometry = object.at("geometry");
      return number;
    }
    number.times = object.at("times");
    if (!std::isfinite(static_cast<float>(number.times)))
      refuse_property("conditions", fmt::format("has a factor of {}", number.times));
    return number;
  }
  refuse_property("conditions", fmt::format("has the quantity \"{}\", which is not known", quantity));
}

json to_json(const TrainedRange& trained) {
  json object = {{"geometries", trained.geometries},
                 {"min_energy_mev", trained.min_energy_mev},
                 {"max_energy_mev", trained.max_energy_mev},
                 {"min_theta_deg", trained.min_theta_deg},
                 {"max_theta_deg", trained.max_theta_deg}};
  for (const auto& [name, range] : trained.by_geometry)
    object["by_geometry"][name] = {{"min_energy_mev", range.min_energy_mev},
                                   {"max_energy_mev", range.max_energy_mev},
                                   {"min_theta_deg", range.min_theta_deg},
                                   {"max_theta_deg", range.max_theta_deg}};
  if (trained.readout_threshold_mev) object["readout_threshold_mev"] = *trained.readout_threshold_mev;
  return object;
}

TrainedRange trained_of(const json& object) {
  TrainedRange trained{.geometries = object.at("geometries"),
                       .min_energy_mev = object.at("min_energy_mev"),
                       .max_energy_mev = object.at("max_energy_mev"),
                       .min_theta_deg = object.at("min_theta_deg"),
                       .max_theta_deg = object.at("max_theta_deg")};
  if (object.contains("readout_threshold_mev"))
    trained.readout_threshold_mev = object.at("readout_threshold_mev").get<double>();
  if (object.contains("by_geometry"))
    for (const auto& [name, range] : object.at("by_geometry").items())
      trained.by_geometry[name] = {.min_energy_mev = range.at("min_energy_mev"),
                                   .max_energy_mev = range.at("max_energy_mev"),
                                   .min_theta_deg = range.at("min_theta_deg"),
                                   .max_theta_deg = range.at("max_theta_deg")};
  return trained;
}

// Calls read() with a property that is JSON.
template <class Read>
void read_json(const std::string& name, const std::string& text, const Read& read) {
  const json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) refuse_property(name, "is no JSON");
  try {
    read(parsed);
  } catch (const json::exception& error) {
    refuse_property(name, fmt::format("is not as it is written: {}", error.what()));
  }
}

const char* output_times_gives_mev(Contract contract) {
  return contract == Contract::kPlain      ? "1"
         : contract == Contract::kPar04Vae ? "incident energy in MeV"
                                           : "1000";
}

Contract contract_of(const std::string& name) {
  for (const Contract contract : {Contract::kPlain, Contract::kPar04Vae, Contract::kPar04CaloDit})
    if (to_string(contract) == name) return contract;
  refuse_property("contract", "is none of plain, par04-vae, par04-calodit");
}

}  // namespace

std::string to_string(Contract contract) {
  switch (contract) {
    case Contract::kPlain:
      return "plain";
    case Contract::kPar04Vae:
      return "par04-vae";
    case Contract::kPar04CaloDit:
      return "par04-calodit";
  }
  return "";
}

MeshInfo MeshInfo::parse(const std::string& text) {
  MeshInfo mesh;
  read_json("mesh", text, [&](const nlohmann::json& object) {
    if (!object.is_object()) refuse_property("mesh", "is no JSON object");
    mesh = {.n_r = object.value("n_r", std::int64_t{0}),
            .n_phi = object.value("n_phi", std::int64_t{0}),
            .n_z = object.value("n_z", std::int64_t{0}),
            .size_r_mm = object.value("size_r_mm", 0.0),
            .size_z_mm = object.value("size_z_mm", 0.0),
            .json = object.dump()};
  });
  return mesh;
}

ConditionRange TrainedRange::range_of(const std::string& geometry) const {
  const auto found = by_geometry.find(geometry);
  if (found != by_geometry.end()) return found->second;
  return {.min_energy_mev = min_energy_mev,
          .max_energy_mev = max_energy_mev,
          .min_theta_deg = min_theta_deg,
          .max_theta_deg = max_theta_deg};
}

bool TrainedRange::has(const std::string& geometry) const {
  return std::find(geometries.begin(), geometries.end(), geometry) != geometries.end();
}

const MeshInfo& GeneratorProperties::mesh_of(const std::string& geometry) const {
  const auto found = geometry_meshes.find(geometry);
  return found == geometry_meshes.end() ? mesh : found->second;
}

std::map<std::string, std::string> GeneratorProperties::write() const {
  std::map<std::string, std::string> properties;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) properties[std::string(kPrefix) + name] = value;
  };
  json numbers = json::array();
  for (const ConditionNumber& number : conditions) numbers.push_back(to_json(number));
  add("version", version);
  add("contract", to_string(contract));
  add("mesh", mesh.json);
  if (!geometry_meshes.empty()) {
    json meshes;
    for (const auto& [name, own] : geometry_meshes) meshes[name] = json::parse(own.json);
    add("geometry_meshes", meshes.dump());
  }
  add("cell_order", mesh.n_r > 0 ? "r, phi, z (z fastest)" : "layer, phi, r (r fastest)");
  add("latent_dim", std::to_string(latent_dim));
  if (!architecture.empty())
    add("sampling", json({{"model", architecture},
                          {"latent", "standard normal"},
                          {"drawn", contract == Contract::kPar04CaloDit ? "inside" : "by the caller"}})
                        .dump());
  add("conditions", numbers.dump());
  add("output_times_gives_mev", output_times_gives_mev(contract));
  add("geometries", json(geometries).dump());
  add("par04_geometry", par04_geometry);
  if (trained) add("trained", to_json(*trained).dump());
  if (max_energy_mev > 0) add("max_energy_mev", json(max_energy_mev).dump());
  if (max_theta_deg > 0) add("max_theta_deg", json(max_theta_deg).dump());
  add("provenance", provenance);
  add("model_provenance", model_provenance);
  return properties;
}

GeneratorProperties GeneratorProperties::read(const std::map<std::string, std::string>& properties) {
  const auto optional = [&](const std::string& name) {
    const auto found = properties.find(kPrefix + name);
    return found == properties.end() ? std::string() : found->second;
  };
  const auto property = [&](const std::string& name) {
    if (!properties.contains(kPrefix + name)) refuse_property(name, "is missing in the properties");
    return optional(name);
  };
  const auto parse = [&](const std::string& name, const auto& read) {
    read_json(name, property(name), read);
  };
  GeneratorProperties result{.version = optional("version"),
                             .contract = contract_of(property("contract")),
                             .par04_geometry = optional("par04_geometry"),
                             .provenance = optional("provenance"),
                             .model_provenance = optional("model_provenance")};
  try {
    result.latent_dim = std::stoll(property("latent_dim"));
  } catch (const std::logic_error&) {
    refuse_property("latent_dim", "is no number");
  }
  parse("geometries", [&](const json& list) { list.get_to(result.geometries); });
  parse("conditions", [&](const json& list) {
    for (const json& entry : list) result.conditions.push_back(number_of(entry));
  });
  result.mesh = MeshInfo::parse(property("mesh"));
  if (properties.contains(std::string(kPrefix) + "geometry_meshes"))
    parse("geometry_meshes", [&](const json& meshes) {
      if (!meshes.is_object()) refuse_property("geometry_meshes", "is no JSON object");
      for (const auto& [name, own] : meshes.items()) {
        const MeshInfo mesh = MeshInfo::parse(own.dump());
        if (!mesh.has_cells_of(result.mesh))
          refuse_property("geometry_meshes", fmt::format("has other cells for {} than calopipe.mesh", name));
        result.geometry_meshes[name] = mesh;
      }
    });
  if (properties.contains(std::string(kPrefix) + "trained"))
    parse("trained", [&](const json& object) { result.trained = trained_of(object); });
  for (const auto& [name, value] : {std::pair{"max_energy_mev", &result.max_energy_mev},
                                    std::pair{"max_theta_deg", &result.max_theta_deg}})
    if (properties.contains(std::string(kPrefix) + name))
      parse(name, [value = value](const json& number) { *value = number.get<double>(); });
  if (properties.contains(std::string(kPrefix) + "sampling"))
    parse("sampling", [&](const json& object) { result.architecture = object.value("model", ""); });
  return result;
}

}  // namespace calo::infer
