#pragma once

#include "calo/infer/cascade/trained.h"
#include "calo/model/model_description.h"
#include "calo/model/model_folder.h"
#include "calo/preprocess/transform.h"

namespace calo {

/// What a description and a mesh say of a cascade.
/// @throws core::InputError if the mesh is no regular cylinder
cascade::CascadeShape cascade_shape(const ModelDescription& description, const Transform& transform);

/// A stored cascade as the sampler takes it.
cascade::Trained trained_cascade(const ModelDescription& description, const Transform& transform,
                                 const Weights& weights);

}  // namespace calo
