#pragma once

#include "calo/infer/cascade/trained.h"
#include "calo/model/model_description.h"
#include "calo/model/model_folder.h"
#include "calo/preprocess/transform.h"

namespace calo {

/// A mesh as a cascade sees it: without the layers that have no cells.
cascade::CascadeMesh cascade_mesh(const VoxelMesh& mesh);

/// Shape of a cascade for a description and a mesh.
cascade::CascadeShape cascade_shape(const ModelDescription& description, const Transform& transform);

/// A stored cascade in the form that the sampler uses.
cascade::Trained trained_cascade(const ModelDescription& description, const Transform& transform,
                                 const Weights& weights);

}  // namespace calo
