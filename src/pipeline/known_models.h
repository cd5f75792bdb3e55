#pragma once

#include <filesystem>

namespace pipeline {

/// The folder of a model that comes with calopipe: in $CALOPIPE_MODELS, or beside the program, as it is
/// installed (share/calopipe/models) or built (models/ of the checkout).
/// @throws core::InputError if there is none of this name, with those that there are
std::filesystem::path known_model(const std::filesystem::path& name);

}  // namespace pipeline
