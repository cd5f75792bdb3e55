#pragma once

#include <span>
#include <string>
#include <vector>

#include "calo/infer/generator_properties.h"
#include "calo/preprocess/transform.h"
#include "calo/shower/showers.h"

namespace calo {

/// What a program that loads the ONNX file gives and expects (doc/onnx.md).
enum class Contract {
  kPlain,         ///< inputs by name, any batch, output in MeV
  kPar04Vae,      ///< Geant4 example Par04, model type VAE
  kPar04CaloDit,  ///< Geant4 example Par04, model type CaloDiT-2
};

/// @throws core::UsageError
Contract parse_contract(const std::string& name);
std::string to_string(Contract contract);

/// One number of a contract's condition vector, and what the model makes of it.
struct ConditionColumn {
  infer::ConditionNumber number;
  int model_column = -1;  ///< index into Transform::encode's vector; -1 = the model does not use it
  double factor = 0;      ///< the model's number is the contract's times this
};

/// How a contract's condition vector becomes the model's: a linear map, that goes into the first layer's
/// weights.
struct ContractMapping {
  Contract contract = Contract::kPlain;
  std::string geometry;  ///< at the place that Par04 sets, whatever its detector; empty for plain
  std::vector<ConditionColumn> columns;

  /// The contract's condition vector as the caller of the model writes it (columns.size() numbers).
  void encode(const Conditions& condition, double phi_rad, const std::string& geometry_name,
              std::span<float> out) const;
  /// Geometries that the contract can ask for and the model knows.
  std::vector<std::string> reachable_geometries() const;
  /// MeV of a cell from the model's output.
  double to_mev(double output, double incident_energy_mev) const;
};

/// Maps a contract onto a model's encoding. Par04 divides by constants of its own (1024 GeV, 90 degrees;
/// Par04InferenceSetup.hh; no macro command sets them) and always sets one place of the one-hot, so E_max,
/// theta_max and the order of geometries of the model are converted to these.
/// @param geometry which geometry Par04's place stands for; empty = SiW, its own detector
/// @throws core::UsageError if the mesh is no cylinder, or the geometry is not known to the model
ContractMapping map_contract(Contract contract, const Transform& transform, const std::string& geometry);

}  // namespace calo
