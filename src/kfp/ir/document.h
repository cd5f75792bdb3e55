#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace core {
class JsonPlace;
}

namespace kfp::ir {

/// Reads a compiled pipeline: YAML of one or two documents, JSON, or JSON as runs carry it
/// (`{"pipeline_spec": …, "platform_spec": …}`); at most 32 MiB, as the server takes them. Field names may be
/// in camelCase or snake_case, as proto3 JSON allows. Plain scalars are read as the server reads them; those
/// that the Python SDK or YAML 1.2 take for something else are in `notes`.
/// @throws core::InputError with the place ("root.dag.tasks.train.inputs") or the line: unknown fields, wrong
/// types, two of which one at most may be set, and what parse_yaml() refuses
Pipeline read_pipeline(const std::filesystem::path& file);

/// The same from text; `source` is named in errors. @throws core::InputError
Pipeline parse_pipeline(const std::string& text, const std::filesystem::path& source = {});

/// From JSON. `place` is what stands before the dots in errors. @throws core::InputError
PipelineSpec pipeline_spec_from_json(const nlohmann::json& value, const std::filesystem::path& source = {});
PlatformSpec platform_spec_from_json(const nlohmann::json& value, const std::filesystem::path& source = {});

/// Checks what a site has of a platform spec, which stands at `place` in its file: the settings of an
/// executor, or of the pipeline. @throws core::InputError
void check_kubernetes_executor(const nlohmann::json& value, core::JsonPlace& place);
void check_kubernetes_pipeline(const nlohmann::json& value, core::JsonPlace& place);

/// As proto3 JSON: camelCase, 64-bit integers as strings, doubles as doubles.
nlohmann::json to_json(const PipelineSpec& spec);
nlohmann::json to_json(const PlatformSpec& spec);

/// The YAML file: comment header, the spec, and the platform spec behind `---`. The same pipeline gives the
/// same text. @throws core::InputError if a text is not UTF-8 or a number is not finite
std::string to_yaml(const Pipeline& pipeline);

/// The comment that the Python SDK writes above a compiled pipeline: name, description, inputs with types and
/// defaults, outputs; it is for people, no program reads it.
std::string comment_header(const PipelineSpec& spec);

/// The fields that the structs know: struct (by its path from PipelineSpec, PlatformSpec) to names and types,
/// for tests against the published descriptors.
nlohmann::json schema();

}  // namespace kfp::ir
