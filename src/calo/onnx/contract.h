#pragma once

#include <span>
#include <string>
#include <vector>

#include "calo/infer/generator_properties.h"
#include "calo/preprocess/transform.h"
#include "calo/shower/showers.h"

namespace calo {

using infer::Contract;
using infer::to_string;

/// @throws core::UsageError
Contract parse_contract(const std::string& name);

/// A number of a contract's condition vector, and its use by the model.
struct ConditionColumn {
  infer::ConditionNumber number;
  int model_column = -1;  ///< index into Transform::encode's vector; -1 = the model does not use it
  double factor = 0;      ///< the model's number is `factor` times the contract's
};

/// Linear map from a contract's condition vector to the model's, which is included in the first layer's
/// weights.
struct ContractMapping {
  Contract contract = Contract::kPlain;
  std::string geometry;  ///< geometry for Par04's one-hot column, for any detector; empty for plain
  std::vector<ConditionColumn> columns;

  /// The contract's condition vector as the caller of the ONNX file writes it (columns.size() numbers).
  void encode(const Conditions& condition, double phi_rad, const std::string& geometry_name,
              std::span<float> out) const;
  /// Geometries that the contract can request and the model knows.
  std::vector<std::string> reachable_geometries() const;
  /// Energy of a cell in MeV from the model's output.
  double to_mev(double output, double incident_energy_mev) const;
};

/// Maps a contract onto a model's encoding. Par04 divides by its own constants (1024 GeV, 90 degrees;
/// Par04InferenceSetup.hh; no macro command sets them) and always sets the same one-hot column. The map
/// converts these to E_max, theta_max and the order of geometries of the model.
/// @param geometry geometry of the column that Par04 sets; empty = SiW, its own detector
/// @throws core::UsageError if the mesh is not a cylinder, or the model does not know the geometry
ContractMapping map_contract(Contract contract, const Transform& transform, const std::string& geometry);

}  // namespace calo
