#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

// Files that are given for a compiled pipeline and are something else. No part of the public interface.
namespace kfp::ir {

/// Refuses what is no YAML or JSON by its first bytes or its text: archives, HDF5, Python programs,
/// notebooks.
/// @throws core::InputError that says what it is, and how to come to a pipeline
void refuse_other_formats(const std::string& text, const std::filesystem::path& source);

/// Refuses a document that describes something else: workflows of Argo (among them packages of KFP SDK 1),
/// experiments of Katib, jobs, components, other objects of Kubernetes, parameters.
/// @throws core::InputError likewise
void refuse_other_kinds(const nlohmann::json& document, const std::filesystem::path& source);

}  // namespace kfp::ir
