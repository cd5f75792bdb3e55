#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kfp {

/// What a YAML text may cost its reader; the defaults suit files of parameters.
struct YamlLimits {
  std::size_t max_bytes = 16 << 20;
  int max_depth = 64;                 ///< mappings and sequences inside each other
  std::size_t max_nodes = 1'000'000;  ///< values, after aliases are followed
};

/// Reads a YAML (or JSON) file of one document into JSON. Plain scalars become null, booleans, integers,
/// doubles or strings as in YAML 1.2's core schema; quoted ones stay strings. An empty file is null.
/// @throws core::InputError with the line (missing, not UTF-8, not YAML, duplicate keys, merge keys, tags
/// that the schema does not know, nested too deep, aliases that explode, more than one document)
nlohmann::json read_yaml(const std::filesystem::path& file);

/// A plain scalar that readers of YAML take differently.
struct YamlAmbiguity {
  std::size_t document = 0;
  std::string place;  ///< "root.dag.tasks.train.inputs.parameters.epochs.runtimeValue.constant"
  std::size_t line = 0;
  std::string message;    ///< "0777 is 511 for the server …, and 777 for YAML 1.2"
  bool harmless = false;  ///< "y": a text for the readers that Kubeflow Pipelines uses
};

/// Reads all documents of a YAML (or JSON) text likewise; `source` is named in errors.
/// @param ambiguities where given, plain scalars are read as the server of Kubeflow Pipelines reads them, and
/// those that it, the Python SDK and YAML 1.2 do not take alike are added to it
/// @throws core::InputError
std::vector<nlohmann::json> parse_yaml(const std::string& text, const std::filesystem::path& source = {},
                                       const YamlLimits& limits = {},
                                       std::vector<YamlAmbiguity>* ambiguities = nullptr);

/// `value` as YAML in block style: sorted keys, two columns a level, sequences at their key's column, texts
/// of several lines as blocks. The same value gives the same text. Texts are quoted where YAML 1.1 or 1.2
/// would take them for something else, doubles keep all digits and a point.
/// @throws core::InputError if a text is not UTF-8 or a number is not finite
std::string to_yaml(const nlohmann::json& value);

}  // namespace kfp
