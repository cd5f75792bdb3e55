#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calo/model/architecture.h"

namespace calo {

/// All architectures, by name in alphabetical order.
const std::vector<const Architecture*>& architectures();

/// Adds an architecture of another program, before it is asked for the first time; not for several threads.
/// @param usual  its hyper-parameters where the user says nothing
void add_architecture(const Architecture& architecture, const ModelDescription& usual);

/// The architecture of this name in a model description. @throws core::InputError if there is none
const Architecture& architecture(const std::string& name);
const Architecture& architecture_of(const ModelFolder& model);

/// A new model of the architecture that the description asks for, ready for its first step.
/// @throws as architecture() and Architecture::start()
std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool);

}  // namespace calo
