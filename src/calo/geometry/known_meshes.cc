#include <map>

#include "calo/geometry/voxel_mesh.h"

namespace calo {
namespace {

// Data set 1 has the 24 layers of ATLAS's calorimeter; layers that are not listed have no cells.
VoxelMesh of_data_set_1(const std::map<int, LayerBinning>& filled) {
  std::vector<LayerBinning> layers(24, LayerBinning{.r_edges_mm = {0}, .n_phi = 1});
  for (const auto& [layer, binning] : filled) layers[static_cast<std::size_t>(layer)] = binning;
  return VoxelMesh(std::move(layers));
}

}  // namespace

// Edges: CaloChallenge/homepage, code/binning_dataset_1_photons.xml and code/binning_dataset_1_pions.xml.
std::optional<VoxelMesh> mesh_of_cells(std::uint64_t num_cells) {
  using Edges = std::vector<double>;
  const Edges presampler = {0, 5, 10, 30, 50, 100, 200, 400, 600}, back = {0, 50, 100, 200, 400, 600};
  if (num_cells == 368)  // photons
    return of_data_set_1(
        {{0, {.r_edges_mm = presampler, .n_phi = 1}},
         {1, {.r_edges_mm = {0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200}, .n_phi = 10}},
         {2,
          {.r_edges_mm = {0,  2,  5,   10,  15,  20,  25,  30,  40,  50,
                          60, 80, 100, 130, 160, 200, 250, 300, 350, 400},
           .n_phi = 10}},
         {3, {.r_edges_mm = back, .n_phi = 1}},
         {12, {.r_edges_mm = {0, 100, 200, 400, 1000, 2000}, .n_phi = 1}}});
  if (num_cells == 533)  // pions
    return of_data_set_1(
        {{0, {.r_edges_mm = presampler, .n_phi = 1}},
         {1, {.r_edges_mm = {0, 1, 4, 7, 10, 15, 30, 50, 90, 150, 200}, .n_phi = 10}},
         {2, {.r_edges_mm = {0, 5, 10, 20, 30, 50, 80, 130, 200, 300, 400}, .n_phi = 10}},
         {3, {.r_edges_mm = back, .n_phi = 1}},
         {12,
          {.r_edges_mm = {0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 1000, 2000},
           .n_phi = 10}},
         {13,
          {.r_edges_mm = {0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 600, 1000, 2000},
           .n_phi = 10}},
         {14, {.r_edges_mm = {0, 50, 100, 150, 200, 250, 300, 400, 600, 1000, 2000}, .n_phi = 1}}});
  return std::nullopt;
}

}  // namespace calo
