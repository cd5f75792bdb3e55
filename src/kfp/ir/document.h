#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace core {
class JsonPlace;
}

namespace kfp::ir {

/// Reads a compiled pipeline: YAML of one or two documents, JSON, or JSON as in runs (`{"pipeline_spec": …,
/// "platform_spec": …}`); at most 32 MiB, the server's limit. Field names may be in camelCase or snake_case,
/// as proto3 JSON allows. Plain scalars are read as the server reads them; `notes` has those that the Python
/// SDK or YAML 1.2 read differently.
/// @throws core::InputError with the place ("root.dag.tasks.train.inputs") or the line: unknown fields, wrong
///         types, two exclusive fields, and the errors of parse_yaml()
Pipeline read_pipeline(const std::filesystem::path& file);

/// Parses the content of such a file; errors name `source`. @throws core::InputError
Pipeline parse_pipeline(const std::string& text, const std::filesystem::path& source = {});

/// Reads the specs from JSON. Errors name `source`. @throws core::InputError
PipelineSpec pipeline_spec_from_json(const nlohmann::json& value, const std::filesystem::path& source = {});
PlatformSpec platform_spec_from_json(const nlohmann::json& value, const std::filesystem::path& source = {});

/// Checks what a site has of a platform spec, which stands at `place` in its file: the settings of an
/// executor, or of the pipeline. @throws core::InputError
void check_kubernetes_executor(const nlohmann::json& value, core::JsonPlace& place);
void check_kubernetes_pipeline(const nlohmann::json& value, core::JsonPlace& place);

/// The specs in proto3 JSON: camelCase, 64-bit integers as strings, doubles as doubles.
nlohmann::json to_json(const PipelineSpec& spec);
nlohmann::json to_json(const PlatformSpec& spec);

/// The content of the YAML file: comment header, the spec, and the platform spec after `---`. The same
/// pipeline gives the same string. @throws core::InputError if a string is not UTF-8 or a number is not
/// finite
std::string to_yaml(const Pipeline& pipeline);

/// The comment that the Python SDK writes above a compiled pipeline: name, description, inputs with types and
/// defaults, outputs. It is for human readers; no program reads it.
std::string comment_header(const PipelineSpec& spec);

/// The fields of the structs: maps each struct (by its path from PipelineSpec, PlatformSpec) to names and
/// types, for tests against the published descriptors.
nlohmann::json schema();

}  // namespace kfp::ir
