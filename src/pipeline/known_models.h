#pragma once

#include <filesystem>

namespace pipeline {

/// The folder of a model that is part of calopipe: in $CALOPIPE_MODELS, or relative to the program, as it is
/// installed (share/calopipe/models) or built (models/ of the checkout).
/// @throws core::InputError if there is none of this name, listing the known names
std::filesystem::path known_model(const std::filesystem::path& name);

}  // namespace pipeline
