#pragma once

#include <cstdint>
#include <string>

#include "calo/geometry/voxel_mesh.h"
#include "calo/onnx/contract.h"
#include "calo/onnx/graph_builder.h"

namespace calo {

/// Name of the latent noise in a generator's graph: an input of `plain`, drawn inside by `par04-calodit`, and
/// part of the only input of `par04-vae`.
constexpr const char* kLatentName = "latent";

/// Names of the input values in a generator's graph; N is 1 in the contracts of Par04.
struct ContractInputs {
  std::string latent;      ///< normal numbers, `[N, latent_dim]`
  std::string numbers;     ///< the contract's condition vector, `[N, mapping.columns.size()]`
  std::string energy_mev;  ///< incident energy, `[N, 1]`
};

/// Adds the inputs of a contract (doc/onnx.md) to a graph.
ContractInputs add_contract_inputs(GraphBuilder& graph, const ContractMapping& mapping,
                                   std::int64_t latent_dim);

/// Adds the contract's output, from cells in MeV, `[N, cells]` in the mesh's order.
void add_contract_output(GraphBuilder& graph, const ContractMapping& mapping, const VoxelMesh& mesh,
                         const ContractInputs& inputs, const std::string& cells_mev);

}  // namespace calo
