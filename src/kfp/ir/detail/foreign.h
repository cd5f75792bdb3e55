#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

// Detects files of other kinds given as a compiled pipeline. Not part of the public interface.
namespace kfp::ir {

/// Rejects content that is not YAML or JSON by its first bytes or its syntax: archives, HDF5, Python
/// programs, notebooks.
/// @throws core::InputError that names the format, and says how to get a pipeline
void refuse_other_formats(const std::string& text, const std::filesystem::path& source);

/// Rejects documents of other kinds: workflows of Argo (including packages of KFP SDK 1), experiments of
/// Katib, jobs, components, other Kubernetes objects, parameters.
/// @throws core::InputError as above
void refuse_other_kinds(const nlohmann::json& document, const std::filesystem::path& source);

}  // namespace kfp::ir
