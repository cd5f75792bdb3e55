#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

// Interpretations of a plain scalar (one without quotes or tag) by different readers. Not part of the public
// interface.
namespace kfp {

/// Value by YAML 1.2's core schema (section 10.3.2).
nlohmann::json core_scalar(const std::string& text);

/// Value as the server of Kubeflow Pipelines reads it: gopkg.in/yaml.v3 3.0.1 into JSON (v2_template.go). It
/// has YAML 1.1's numbers (0777, 0b101, 1_000) but not its yes and no; times become strings in RFC 3339.
nlohmann::json server_scalar(const std::string& text);

/// Value as PyYAML 6, which the Python SDK uses, reads it: YAML 1.1. Null if JSON has no such value; `what`
/// describes it then ("a date").
struct PythonScalar {
  nlohmann::json value;
  std::string what;
};
PythonScalar python_scalar(const std::string& text);

/// Description of a plain scalar that these readers and the server interpret differently; empty if all agree.
/// "0777 is 511 for the server, this program and the Python SDK, and 777 for YAML 1.2".
std::string differing_readings(const std::string& text);

/// The same for a key, which the server reads as a string unless it is a number, time, true or null.
std::string differing_key(const std::string& text);

}  // namespace kfp
