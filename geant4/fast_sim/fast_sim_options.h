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

/// How CalopipeFastSimModel works. Filled by code, or by the commands under /calopipe/.
struct FastSimOptions {
  std::filesystem::path model;  ///< ONNX of `calopipe convert` or `calopipe optimise`, in any contract
  /// How a model of somebody else is called, and its mesh; empty = as the file says.
  calo::infer::ForeignContract contract = {};
  /// None: what the file is made for.
  std::optional<calo::infer::Precision> precision = {};
  std::string geometry;  ///< of the model's; empty = its only one, or the one that Par04's place stands for
  std::vector<std::string> particles = {"e-", "e+", "gamma"};
  /// Kinetic energies that are taken. None: the range that the model was trained on.
  std::optional<double> min_energy_mev = {};
  std::optional<double> max_energy_mev = {};
  double containment = 1;         ///< part of the mesh's depth that must lie inside of the envelope
  double threshold_mev = 0.0005;  ///< cells below are not deposited
  int batch_size = 64;            ///< particles of one event that wait for each other; 1 = none waits
  std::uint64_t seed = 42;
  bool noise_per_run = true;  ///< each run has noise of its own; false: event 7 is alike in all runs
  /// Worlds with sensitive detectors that get the deposits; "mass" is the world of the tracking.
  std::vector<std::string> worlds = {"mass"};
};

/// One option as a command: /calopipe/NAME.
struct FastSimCommand {
  const char* name;
  const char* parameter;  ///< what stands behind the command
  const char* guidance;
};

/// All commands, in the order of the documentation.
std::span<const FastSimCommand> fast_sim_commands();

/// Sets one option from the text behind its command: numbers, energies with a unit ("1 GeV"), names separated
/// by spaces.
/// @throws core::UsageError naming the command, the text and what is allowed; the option then stays as it was
void set_option(FastSimOptions& options, const std::string& name, const std::string& text);

/// The text that would set the option as it is.
std::string option_text(const FastSimOptions& options, const std::string& name);

/// "500 keV", "1 GeV" → MeV. @throws core::UsageError
double parse_energy_mev(const std::string& text, const std::string& field);

}  // namespace geant4
