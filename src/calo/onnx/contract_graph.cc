#include "calo/onnx/contract_graph.h"

namespace calo {
namespace {

using Shape = GraphBuilder::Shape;

std::string columns_of(GraphBuilder& graph, const std::string& matrix, std::int64_t begin, std::int64_t end,
                       const std::string& name) {
  graph.integers(name + "_begin", {begin});
  graph.integers(name + "_end", {end});
  graph.integers(name + "_axis", {1});
  return graph.node("Slice", {matrix, name + "_begin", name + "_end", name + "_axis"}, name);
}

std::string times(GraphBuilder& graph, const std::string& x, double factor, const std::string& name) {
  graph.floats(name + "_factor", {}, {static_cast<float>(factor)});
  return graph.node("Mul", {x, name + "_factor"}, name);
}

}  // namespace

ContractInputs add_contract_inputs(GraphBuilder& graph, const ContractMapping& mapping,
                                   std::int64_t latent_dim) {
  const auto columns = static_cast<std::int64_t>(mapping.columns.size());
  ContractInputs inputs{.latent = kLatentName, .numbers = "condition_numbers", .energy_mev = "energy_mev"};
  switch (mapping.contract) {
    case Contract::kPlain:
      graph.input(kLatentName, {-1, latent_dim});
      graph.input("energy_mev", {-1, 1});
      graph.input("theta_rad", {-1, 1});
      graph.input("geometry", {-1, columns - 2});
      graph.node("Concat", {"energy_mev", "theta_rad", "geometry"}, inputs.numbers,
                 {{"axis", std::int64_t{1}}});
      return inputs;
    case Contract::kPar04Vae:
      graph.input("input", {1, latent_dim + columns});
      columns_of(graph, "input", 0, latent_dim, kLatentName);
      columns_of(graph, "input", latent_dim, latent_dim + columns, inputs.numbers);
      break;
    case Contract::kPar04CaloDit:
      inputs.numbers = graph.input("input", {1, columns});
      // Without a seed, the noise differs in each run of the program.
      graph.node("RandomNormal", {}, kLatentName,
                 {{"shape", Shape{1, latent_dim}}, {"dtype", std::int64_t{1}}});
  }
  const std::string energy = columns_of(graph, inputs.numbers, 0, 1, "energy_number");
  times(graph, energy, 1 / mapping.columns[0].number.times, inputs.energy_mev);
  return inputs;
}

void add_contract_output(GraphBuilder& graph, const ContractMapping& mapping, const VoxelMesh& mesh,
                         const ContractInputs& inputs, const std::string& cells_mev) {
  if (mapping.contract == Contract::kPar04Vae) {
    graph.node("Div", {cells_mev, inputs.energy_mev}, "energy_fractions");
    return graph.output("energy_fractions", {1, mesh.num_cells()});
  }
  if (mapping.contract == Contract::kPar04CaloDit) {
    times(graph, cells_mev, 1e-3, "energies_gev");
    return graph.output("energies_gev", {1, mesh.num_cells()});
  }
  Shape shape = {-1, mesh.num_cells()};
  if (mesh.is_cylinder()) shape = {-1, mesh.cylinder().n_r, mesh.cylinder().n_phi, mesh.cylinder().n_z};
  Shape target = shape;
  target[0] = 0;  // Reshape keeps the first extent
  graph.integers("cells_shape", target);
  graph.node("Reshape", {cells_mev, "cells_shape"}, "energies_mev");
  graph.output("energies_mev", shape);
}

}  // namespace calo
