#include "calo/infer/foreign_contract.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <vector>

#include "calo/infer/generator_properties.h"
#include "calo/infer/program.h"
#include "core/error.h"

namespace calo::infer {
namespace {

using nlohmann::json;

constexpr const char* kMeshes =
    "SiW, SciPb, SiW-lowgran, or cells and their sizes in mm as in 18x50x45:2.325x3.4";
constexpr double kPar04MaxEnergyGev = 1024;  // Par04InferenceSetup.hh: fMaxEnergy, fMaxAngle
constexpr double kPar04MaxThetaDeg = 90;
constexpr std::int64_t kVaeConditions = 4;
constexpr std::int64_t kCaloDitConditions = 8;

[[noreturn]] void refuse_mesh(const std::string& text) {
  throw core::UsageError({.message = fmt::format("cannot be \"{}\"", text),
                          .field = "mesh",
                          .hint = fmt::format("{}", kMeshes)});
}

// Numbers between "x".
template <class T>
std::vector<T> numbers(const std::string& all, std::string_view text) {
  std::vector<T> out;
  while (true) {
    const std::size_t end = std::min(text.find('x'), text.size());
    T value{};
    const auto [stop, status] = std::from_chars(text.data(), text.data() + end, value);
    if (status != std::errc() || stop != text.data() + end) refuse_mesh(all);
    out.push_back(value);
    if (end == text.size()) return out;
    text.remove_prefix(end + 1);
  }
}

// As `calopipe convert` writes it; empty if it is none of Par04's.
std::string kind_of(const std::string& contract) {
  if (contract == "par04-vae") return contract;
  if (contract == "par04-calodit" || contract == "par04-calodit2") return "par04-calodit";
  return "";
}

json to_json(const CylinderCells& mesh) {
  return {{"kind", "cylinder"},          {"n_r", mesh.n_r},
          {"n_phi", mesh.n_phi},         {"n_z", mesh.n_z},
          {"size_r_mm", mesh.size_r_mm}, {"size_z_mm", mesh.size_z_mm}};
}

// The file says its contract itself: that of the caller may repeat it.
void check_same(const ForeignContract& contract, const Model& model) {
  const auto& properties = model.metadata();
  const std::string& own = properties.at("calopipe.contract");
  const auto refuse = [&](const std::string& message) {
    throw core::InputError({.message = message,
                            .file = model.file(),
                            .field = "calopipe properties",
                            .hint = "the file says itself how it is called: leave out contract and mesh"});
  };
  if (kind_of(contract.contract) != own)
    refuse(fmt::format("is of the contract {}, not {}", own, contract.contract));
  if (contract.energy_scale_gev != 0 && contract.energy_scale_gev != kPar04MaxEnergyGev)
    refuse(fmt::format("has its own scale of energy, {} GeV, not {} GeV", kPar04MaxEnergyGev,
                       contract.energy_scale_gev));
  if (contract.mesh.empty()) return;
  const auto found = properties.find("calopipe.mesh");
  const json mesh = json::parse(found == properties.end() ? "" : found->second, nullptr, false);
  const json wanted = to_json(parse_mesh(contract.mesh));
  for (const auto& [name, value] : wanted.items())
    if (!mesh.is_object() || (mesh.contains(name) && mesh.at(name) != value))
      refuse(fmt::format("has another mesh than {}: {}", contract.mesh, mesh.dump()));
}

// Numbers of the one input.
std::int64_t input_width(const ForeignContract& contract, const Model& model, const std::string& kind) {
  const auto refuse = [&](const std::string& message) {
    throw core::InputError({.message = message, .file = model.file(), .field = contract.contract});
  };
  if (model.inputs().size() != 1)
    refuse(fmt::format("asks for one input, and the model has {}", model.inputs().size()));
  const TensorInfo& input = model.inputs()[0];
  const bool fits = is_real(model.program().inputs[0].type) && input.shape.size() == 2 && input.shape[1] > 0;
  if (!fits)
    refuse(fmt::format("asks for an input [1, n] of floats, and \"{}\" is [{}] of {}", input.name,
                       fmt::join(input.shape, ", "), input.type));
  const std::int64_t width = input.shape[1];
  if (kind == "par04-vae" && width <= kVaeConditions)
    refuse(fmt::format("asks for noise and {} conditions, and \"{}\" takes {} numbers", kVaeConditions,
                       input.name, width));
  if (kind == "par04-calodit" && width != kCaloDitConditions)
    refuse(fmt::format("asks for {} conditions, and \"{}\" takes {} numbers", kCaloDitConditions, input.name,
                       width));
  if (model.outputs().size() != 1)
    refuse(fmt::format("asks for one output, and the model has {}", model.outputs().size()));
  return width;
}

}  // namespace

CylinderCells parse_mesh(const std::string& text) {
  CylinderCells mesh{.n_r = 18, .n_phi = 50, .n_z = 45, .size_r_mm = 2.325, .size_z_mm = 3.4};
  if (text == "SiW") return mesh;
  if (text == "SciPb") {
    mesh.size_r_mm = 4.0, mesh.size_z_mm = 5.6;
    return mesh;
  }
  if (text == "SiW-lowgran") {
    mesh.n_r = 9, mesh.n_phi = 16, mesh.size_r_mm = 4.65;
    return mesh;
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) refuse_mesh(text);
  const auto cells = numbers<std::int64_t>(text, std::string_view(text).substr(0, colon));
  const auto sizes = numbers<double>(text, std::string_view(text).substr(colon + 1));
  constexpr std::int64_t kMost = 1'000'000;
  if (cells.size() != 3 || sizes.size() != 2) refuse_mesh(text);
  for (const std::int64_t count : cells)
    if (count < 1 || count > kMost) refuse_mesh(text);
  for (const double size : sizes)
    if (!(size > 0) || !std::isfinite(size)) refuse_mesh(text);
  mesh = {.n_r = cells[0], .n_phi = cells[1], .n_z = cells[2], .size_r_mm = sizes[0], .size_z_mm = sizes[1]};
  if (static_cast<double>(mesh.n_r) * static_cast<double>(mesh.n_phi) * static_cast<double>(mesh.n_z) >=
      2147483648.0)
    refuse_mesh(text);
  return mesh;
}

std::map<std::string, std::string> properties_under(const ForeignContract& contract, const Model& model) {
  std::map<std::string, std::string> properties = model.metadata();
  if (contract.contract.empty()) {
    if (!contract.mesh.empty() || contract.energy_scale_gev != 0)
      throw core::UsageError({.message = "goes with a contract",
                              .field = contract.mesh.empty() ? "energy_scale_gev" : "mesh",
                              .hint = "give the contract too: par04-vae or par04-calodit2"});
    return properties;
  }
  const std::string kind = kind_of(contract.contract);
  if (kind.empty())
    throw core::UsageError({.message = fmt::format("cannot be \"{}\"", contract.contract),
                            .field = "contract",
                            .hint = "allowed for models of others: par04-vae, par04-calodit2"});
  if (properties.contains("calopipe.contract")) {
    check_same(contract, model);
    return properties;
  }
  if (contract.mesh.empty())
    throw core::UsageError(
        {.message = "is required with a contract: the file does not say where its cells lie",
         .field = "mesh",
         .hint = kMeshes});
  const bool vae = kind == "par04-vae";
  if (!vae && contract.energy_scale_gev != 0)
    throw core::UsageError({.message = "has no meaning for par04-calodit2, which takes energies in GeV",
                            .field = "energy_scale_gev"});
  if (contract.energy_scale_gev < 0 || !std::isfinite(contract.energy_scale_gev))
    throw core::UsageError(
        {.message = fmt::format("cannot be {}", contract.energy_scale_gev), .field = "energy_scale_gev"});
  const MeshInfo mesh = MeshInfo::parse(to_json(parse_mesh(contract.mesh)).dump());
  const std::int64_t width = input_width(contract, model, kind);
  const double scale_gev = contract.energy_scale_gev > 0 ? contract.energy_scale_gev : kPar04MaxEnergyGev;
  using Kind = ConditionNumber::Kind;
  GeneratorProperties said{.contract = vae ? Contract::kPar04Vae : Contract::kPar04CaloDit,
                           .latent_dim = vae ? width - kVaeConditions : 0,
                           .par04_geometry = "SiW",
                           .mesh = mesh};
  if (vae) {
    said.conditions = {{.kind = Kind::kEnergyMev, .times = 1 / (1000 * scale_gev)},
                       {.kind = Kind::kThetaRad, .times = 180 / std::numbers::pi / kPar04MaxThetaDeg}};
    said.geometries = {"SciPb", "SiW"};
  } else {
    said.conditions = {
        {.kind = Kind::kEnergyMev, .times = 1e-3}, {.kind = Kind::kPhiRad}, {.kind = Kind::kThetaRad}};
    said.geometries = {"SiW", "SciPb", "ODD", "FCCeeCLD", "new"};
  }
  for (const std::string& name : said.geometries)
    said.conditions.push_back({.kind = Kind::kGeometry, .geometry = name});
  // What it was trained on nobody knows; 0 = not known.
  said.trained = {
      .geometries = said.geometries, .max_energy_mev = vae ? 1000 * scale_gev : 0, .max_theta_deg = 180};
  for (auto& [name, value] : said.write()) properties[name] = value;
  return properties;
}

}  // namespace calo::infer
