#include "geant4/fast_sim/fast_sim_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <sstream>

#include "core/error.h"

namespace geant4 {
namespace {

constexpr FastSimCommand kCommands[] = {
    {"model", "FILE", "ONNX file of calopipe convert or optimise, or of other authors with a contract."},
    {"contract", "file|par04-vae|par04-calodit2", "How to call the model; file = as its properties say."},
    {"mesh", "file|NAME|CELLS:SIZES",
     "With a contract: SiW, SciPb, SiW-lowgran, or cells and sizes in mm as in 18x50x45:2.325x3.4."},
    {"energyScale", "ENERGY UNIT", "Energy by which the contract par04-vae divides; contract = 1024 GeV."},
    {"precision", "stored|fp32|bf16|int8", "Precision of the large layer; stored = as the file says."},
    {"geometry", "NAME", "Geometry of the model; auto = its only one, or the one at Par04's index."},
    {"particles", "NAMES", "Particles to take, separated by spaces."},
    {"minEnergy", "ENERGY UNIT",
     "Particles of lower kinetic energy are simulated in full; trained = the model's limit."},
    {"maxEnergy", "ENERGY UNIT",
     "Particles of higher kinetic energy are simulated in full; trained = the model's limit."},
    {"containment", "FRACTION",
     "Fraction of the mesh's depth that must lie in the envelope, along the direction."},
    {"threshold", "ENERGY UNIT", "Cells below this energy are not deposited."},
    {"batchSize", "NUMBER", "Number of particles of one event that wait for each other; 1 = no waiting."},
    {"seed", "NUMBER", "Seed of the noise; seed, event and particle determine the shower."},
    {"noisePerRun", "true|false", "Gives each run its own noise."},
    {"depositIn", "WORLDS",
     "Worlds with sensitive detectors, separated by spaces; mass = the world of the tracking."},
};

[[noreturn]] void refuse(const std::string& name, const std::string& text, const std::string& allowed) {
  throw core::UsageError({.message = fmt::format("cannot be \"{}\"", text),
                          .field = "/calopipe/" + name,
                          .hint = "allowed: " + allowed});
}

template <class T>
T number(const std::string& name, const std::string& text, const std::string& allowed) {
  T value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) refuse(name, text, allowed);
  return value;
}

std::vector<std::string> words(const std::string& name, const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  if (out.empty()) refuse(name, text, "one or more names, separated by spaces");
  return out;
}

double fraction(const std::string& name, const std::string& text) {
  const auto value = number<double>(name, text, "0 to 1");
  if (!(value >= 0 && value <= 1)) refuse(name, text, "0 to 1");
  return value;
}

std::optional<double> energy_limit(const std::string& name, const std::string& text) {
  if (text == "trained") return std::nullopt;
  return parse_energy_mev(text, "/calopipe/" + name);
}

std::string energy_text(const std::optional<double>& energy_mev) {
  return energy_mev ? fmt::format("{} MeV", *energy_mev) : "trained";
}

}  // namespace

std::span<const FastSimCommand> fast_sim_commands() {
  return kCommands;
}

double parse_energy_mev(const std::string& text, const std::string& field) {
  static constexpr struct {
    const char* unit;
    double mev;
  } kUnits[] = {{"eV", 1e-6}, {"keV", 1e-3}, {"MeV", 1}, {"GeV", 1e3}, {"TeV", 1e6}};
  std::istringstream in(text);
  std::string value_text, unit_text, more;
  in >> value_text >> unit_text;
  double value = -1;
  const auto [end, status] = std::from_chars(value_text.data(), value_text.data() + value_text.size(), value);
  const bool is_number = status == std::errc() && end == value_text.data() + value_text.size();
  for (const auto& [unit, mev] : kUnits)
    if (is_number && std::isfinite(value) && value >= 0 && unit_text == unit && !(in >> more))
      return value * mev;
  throw core::UsageError({.message = fmt::format("\"{}\" is not an energy", text),
                          .field = field,
                          .hint = "a number and one of eV, keV, MeV, GeV, TeV, as in 1 GeV"});
}

void set_option(FastSimOptions& options, const std::string& name, const std::string& text) {
  if (name == "model") {
    if (text.empty()) refuse(name, text, "a file");
    options.model = text;
  } else if (name == "contract") {
    if (text != "file" && text != "par04-vae" && text != "par04-calodit" && text != "par04-calodit2")
      refuse(name, text, "file, par04-vae, par04-calodit2");
    options.contract.contract = text == "file" ? "" : text;
  } else if (name == "mesh") {
    if (text != "file") calo::infer::parse_mesh(text);
    options.contract.mesh = text == "file" ? "" : text;
  } else if (name == "energyScale") {
    const double scale_mev = text == "contract" ? 0 : parse_energy_mev(text, "/calopipe/energyScale");
    if (text != "contract" && !(scale_mev > 0)) refuse(name, text, "an energy above 0");
    options.contract.energy_scale_gev = scale_mev / 1000;
  } else if (name == "precision") {
    options.precision =
        text == "stored" ? std::optional<calo::infer::Precision>() : calo::infer::parse_precision(text);
  } else if (name == "geometry") {
    options.geometry = text == "auto" ? "" : text;
  } else if (name == "particles") {
    options.particles = words(name, text);
  } else if (name == "minEnergy") {
    options.min_energy_mev = energy_limit(name, text);
  } else if (name == "maxEnergy") {
    options.max_energy_mev = energy_limit(name, text);
  } else if (name == "containment") {
    options.containment = fraction(name, text);
  } else if (name == "threshold") {
    options.threshold_mev = parse_energy_mev(text, "/calopipe/threshold");
  } else if (name == "batchSize") {
    const int size = number<int>(name, text, "1 to 65536");
    if (size < 1 || size > 65536) refuse(name, text, "1 to 65536");
    options.batch_size = size;
  } else if (name == "seed") {
    options.seed = number<std::uint64_t>(name, text, "a whole number, at least 0");
  } else if (name == "noisePerRun") {
    if (text != "true" && text != "false") refuse(name, text, "true or false");
    options.noise_per_run = text == "true";
  } else if (name == "depositIn") {
    options.worlds = words(name, text);
  } else {
    std::vector<std::string> names;
    for (const FastSimCommand& command : kCommands) names.emplace_back(command.name);
    throw core::UsageError({.message = fmt::format("there is no command {}", name),
                            .field = "/calopipe/" + name,
                            .hint = fmt::format("known: {}", fmt::join(names, ", "))});
  }
}

std::string option_text(const FastSimOptions& options, const std::string& name) {
  if (name == "model") return options.model.string();
  const calo::infer::ForeignContract& contract = options.contract;
  if (name == "contract") return contract.contract.empty() ? "file" : contract.contract;
  if (name == "mesh") return contract.mesh.empty() ? "file" : contract.mesh;
  if (name == "energyScale")
    return contract.energy_scale_gev > 0 ? fmt::format("{} GeV", contract.energy_scale_gev) : "contract";
  if (name == "precision") return options.precision ? to_string(*options.precision) : "stored";
  if (name == "geometry") return options.geometry.empty() ? "auto" : options.geometry;
  if (name == "particles") return fmt::format("{}", fmt::join(options.particles, " "));
  if (name == "minEnergy") return energy_text(options.min_energy_mev);
  if (name == "maxEnergy") return energy_text(options.max_energy_mev);
  if (name == "containment") return fmt::format("{}", options.containment);
  if (name == "threshold") return energy_text(options.threshold_mev);
  if (name == "batchSize") return std::to_string(options.batch_size);
  if (name == "seed") return std::to_string(options.seed);
  if (name == "noisePerRun") return options.noise_per_run ? "true" : "false";
  if (name == "depositIn") return fmt::format("{}", fmt::join(options.worlds, " "));
  return "";
}

}  // namespace geant4
