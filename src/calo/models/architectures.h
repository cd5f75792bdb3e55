#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calo/model/architecture.h"

namespace calo {

/// All architectures, in alphabetical order of names.
const std::vector<const Architecture*>& architectures();

/// Adds an architecture of another program. Call it before the first use of the architecture, and from one
/// thread only.
/// @param usual  its hyper-parameters for values that the user leaves open
void add_architecture(const Architecture& architecture, const ModelDescription& usual);

/// Architecture with this name in a model description. @throws core::InputError if there is none
const Architecture& architecture(const std::string& name);
const Architecture& architecture_of(const ModelFolder& model);

/// Architecture::starting_weights() of a stored model for a new one.
/// @throws core::InputError if the architectures differ, or the models do not fit
Weights starting_weights(const ModelFolder& from, const ModelDescription& description,
                         const Transform& transform);

/// Creates a model of the description's architecture, ready for its first step.
/// @throws like architecture() and Architecture::start()
std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool);

}  // namespace calo
