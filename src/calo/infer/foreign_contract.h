#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "calo/infer/model.h"

namespace calo::infer {

/// How a model that somebody else wrote is called, for its file does not say it. Geant4's example Par04 has
/// two such contracts (doc/onnx.md): one input of `[1, n]`, one output with the cells of a regular mesh, z
/// fastest.
struct ForeignContract {
  /// `par04-vae`: noise, E / energy_scale, theta / 90 degrees, one-hot of SciPb and SiW; output × E = MeV.
  /// `par04-calodit2` (or `par04-calodit`): E in GeV, phi, theta in rad, one-hot of SiW, SciPb, ODD, FCCeeCLD
  /// and "new"; noise is drawn inside; output × 1000 = MeV. Empty: what the file's own properties say.
  std::string contract;
  /// "SiW", "SciPb" or "SiW-lowgran", or cells and their sizes in mm: "18x50x45:2.325x3.4" (r, phi, z : r,
  /// z).
  std::string mesh;
  /// What par04-vae divides energies by, in GeV; 0 = 1024, as Par04 has it.
  double energy_scale_gev = 0;

  bool operator==(const ForeignContract&) const = default;
};

/// A regular mesh.
struct CylinderCells {
  std::int64_t n_r = 0, n_phi = 0, n_z = 0;
  double size_r_mm = 0, size_z_mm = 0;

  bool operator==(const CylinderCells&) const = default;
};

/// @param text  as ForeignContract::mesh  @throws core::UsageError if it is none
CylinderCells parse_mesh(const std::string& text);

/// The properties of a model under a contract: those of its file, and those that `calopipe convert` would
/// have written (`calopipe.contract` …) where the file has none.
/// @throws core::UsageError (an unknown contract, no mesh, an option that the contract does not have),
///         core::InputError (the file says another contract or mesh, or its input is none of that contract)
std::map<std::string, std::string> properties_under(const ForeignContract& contract, const Model& model);

}  // namespace calo::infer
