#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "kfp/component/component.h"

namespace kfp {

/// Path in the container at which the launcher of Kubeflow Pipelines puts an artifact with this URI:
/// `/gcs/…`, `/s3/…`, `/minio/…`, `/oci/…` for the schemes that it mounts; inside the workspace if `metadata`
/// has `_kfp_workspace`; a URI without scheme, or with the scheme `file`, is a path. (kfp.dsl.Artifact.path
/// of the Python SDK 2.17.)
/// @throws core::InputError for other schemes
std::filesystem::path local_path_of(const std::string& uri, const nlohmann::json& metadata = {});

/// Passes the executor input of a task to a component: the JSON that replaces the placeholder `{{$}}`.
/// Parameters that are absent or null keep their defaults; output parameters will be written to their files.
/// @throws core::InputError (not an executor input), core::UsageError (unknown names, wrong values)
void apply_executor_input(Component& component, const nlohmann::json& input);

/// Writes the executor output (`outputs.outputFile`): metadata of the output artifacts, which Kubeflow stores
/// and shows. Non-finite numbers are left out, because the launcher rejects them. Does nothing if the input
/// names no file.
/// @throws core::UnavailableError
void write_executor_output(const Component& component, const nlohmann::json& input);

}  // namespace kfp
