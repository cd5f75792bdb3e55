#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kfp {

/// Limits for YAML that protect the reader; the defaults suit files of parameters.
struct YamlLimits {
  std::size_t max_bytes = 16 << 20;
  int max_depth = 64;                 ///< depth of nested mappings and sequences
  std::size_t max_nodes = 1'000'000;  ///< number of values, after aliases are resolved
};

/// Reads a YAML (or JSON) file of one document into JSON. Plain scalars become null, Booleans, integers,
/// doubles or strings as in YAML 1.2's core schema; quoted scalars stay strings. An empty file is null.
/// @throws core::InputError with the line (missing, not UTF-8, not YAML, duplicate keys, merge keys, tags
///         unknown to the schema, nested too deep, aliases that expand too far, more than one document)
nlohmann::json read_yaml(const std::filesystem::path& file);

/// A plain scalar that YAML readers interpret differently.
struct YamlAmbiguity {
  std::size_t document = 0;
  std::string place;  ///< "root.dag.tasks.train.inputs.parameters.epochs.runtimeValue.constant"
  std::size_t line = 0;
  std::string message;    ///< "0777 is 511 for the server …, and 777 for YAML 1.2"
  bool harmless = false;  ///< for example "y": a string for the readers that Kubeflow Pipelines uses
};

/// Reads all documents of a YAML (or JSON) string in the same way; errors name `source`.
/// @param ambiguities if given, plain scalars are read as the server of Kubeflow Pipelines reads them, and
///         those that the server, the Python SDK and YAML 1.2 read differently are added to it
/// @throws core::InputError
std::vector<nlohmann::json> parse_yaml(const std::string& text, const std::filesystem::path& source = {},
                                       const YamlLimits& limits = {},
                                       std::vector<YamlAmbiguity>* ambiguities = nullptr);

/// `value` as YAML in block style: sorted keys, two columns per level, sequences at their key's column,
/// strings of several lines as blocks. The same value gives the same YAML. Strings are quoted if YAML 1.1 or
/// 1.2 would read them as something else; doubles keep all digits and a point.
/// @throws core::InputError if a string is not UTF-8 or a number is not finite
std::string to_yaml(const nlohmann::json& value);

}  // namespace kfp
