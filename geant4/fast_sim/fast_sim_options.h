#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/foreign_contract.h"
#include "calo/infer/precision.h"

namespace geant4 {

/// Options of CalopipeFastSimModel, set by code or by the commands under /calopipe/.
struct FastSimOptions {
  std::filesystem::path model;  ///< ONNX file of `calopipe convert` or `calopipe optimise`, with any contract
  /// Contract and mesh of a model of other authors; empty = as the file says.
  calo::infer::ForeignContract contract = {};
  /// Precision of the engine; none = as the file says.
  std::optional<calo::infer::Precision> precision = {};
  std::string geometry;  ///< one of the model's; empty = its only one, or the one at Par04's one-hot index
  std::vector<std::string> particles = {"e-", "e+", "gamma"};
  /// Limits of the kinetic energy of particles taken; none = the range of the training.
  std::optional<double> min_energy_mev = {};
  std::optional<double> max_energy_mev = {};
  double containment = 1;         ///< fraction of the mesh's depth that must lie inside the envelope
  double threshold_mev = 0.0005;  ///< cells below this energy are not deposited
  int batch_size = 64;  ///< number of particles of one event that wait for each other; 1 = no waiting
  std::uint64_t seed = 42;
  bool noise_per_run = true;  ///< each run has its own noise; false: event 7 is the same in all runs
  /// Worlds whose sensitive detectors get the deposits; "mass" is the world of the tracking.
  std::vector<std::string> worlds = {"mass"};
};

/// One option as a command: /calopipe/NAME.
struct FastSimCommand {
  const char* name;
  const char* parameter;  ///< argument of the command
  const char* guidance;
};

/// All commands, in the order of the documentation.
std::span<const FastSimCommand> fast_sim_commands();

/// Sets one option from the argument of its command: numbers, energies with a unit ("1 GeV"), names separated
/// by spaces.
/// @throws core::UsageError naming the command, the string and what is allowed; the option then keeps its
///         value
void set_option(FastSimOptions& options, const std::string& name, const std::string& text);

/// The string that sets the option to its current value.
std::string option_text(const FastSimOptions& options, const std::string& name);

/// "500 keV", "1 GeV" → MeV. @throws core::UsageError
double parse_energy_mev(const std::string& text, const std::string& field);

}  // namespace geant4
