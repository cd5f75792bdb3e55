#include "calo/models/cascade/detail/cascade_shape.h"

#include "core/error.h"

namespace calo {

cascade::CascadeShape cascade_shape(const ModelDescription& description, const Transform& transform) {
  if (!transform.mesh.is_cylinder())
    throw core::InputError(
        {.message = "a cascade needs a regular cylinder, but the layers of this mesh differ",
         .field = "mesh",
         .hint = "train a VAE: calopipe model-parameters --architecture vae"});
  const VoxelMesh::Cylinder& mesh = transform.mesh.cylinder();
  return {.n_r = mesh.n_r,
          .n_phi = mesh.n_phi,
          .n_z = mesh.n_z,
          .size_r_mm = mesh.size_r_mm,
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
