#include "calo/models/cascade/detail/cascade_shape.h"

namespace calo {

cascade::CascadeMesh cascade_mesh(const VoxelMesh& mesh) {
  if (mesh.is_cylinder()) {
    const VoxelMesh::Cylinder& c = mesh.cylinder();
    return cascade::CascadeMesh::cylinder(c.n_r, c.n_phi, c.n_z, c.size_r_mm);
  }
  std::vector<cascade::Segmentation> layers;
  for (int layer = 0; layer < mesh.num_layers(); ++layer) {
    const LayerBinning& binning = mesh.layer(layer);
    if (binning.num_cells() > 0) layers.push_back({.r_edges_mm = binning.r_edges_mm, .n_phi = binning.n_phi});
  }
  return cascade::CascadeMesh::of_layers(layers);
}

cascade::CascadeShape cascade_shape(const ModelDescription& description, const Transform& transform) {
  return {.mesh = cascade_mesh(transform.mesh),
          .width = description.cascade_width,
          .depth = description.cascade_depth,
          .geometries = static_cast<std::int64_t>(transform.one_hot_order.size())};
}

cascade::Trained trained_cascade(const ModelDescription& description, const Transform& transform,
                                 const Weights& weights) {
  cascade::Trained model{
      .shape = cascade_shape(description, transform), .geometries = transform.one_hot_order, .tensors = {}};
  for (const auto& [name, tensor] : weights) model.tensors[name] = tensor.values;
  return model;
}

}  // namespace calo
