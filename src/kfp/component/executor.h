#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "kfp/component/component.h"

namespace kfp {

/// Where the launcher of Kubeflow Pipelines lays an artifact with this URI in the container: `/gcs/…`,
/// `/s3/…`,
/// `/minio/…`, `/oci/…` for the schemes it mounts, inside the workspace where `metadata` has
/// `_kfp_workspace`; a URI without scheme, or of scheme `file`, is a path. (kfp.dsl.Artifact.path of the
/// Python SDK 2.17.)
/// @throws core::InputError for other schemes
std::filesystem::path local_path_of(const std::string& uri, const nlohmann::json& metadata = {});

/// Carries the executor input of a task over to a component: the JSON that the placeholder `{{$}}` stands
/// for. Parameters that are absent or null keep their defaults; output parameters will be written to their
/// files.
/// @throws core::InputError (not an executor input), core::UsageError (unknown names, wrong values)
void apply_executor_input(Component& component, const nlohmann::json& input);

/// Writes the executor output (`outputs.outputFile`): metadata of the output artifacts, which Kubeflow stores
/// and shows. Numbers that are not finite are left out, since the launcher refuses them. Does nothing where
/// the input names no file.
/// @throws core::UnavailableError
void write_executor_output(const Component& component, const nlohmann::json& input);

}  // namespace kfp
