#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

// How readers take a plain scalar (one without quotes or tag). No part of the public interface.
namespace kfp {

/// By YAML 1.2's core schema (section 10.3.2).
nlohmann::json core_scalar(const std::string& text);

/// As the server of Kubeflow Pipelines reads it: gopkg.in/yaml.v3 3.0.1 into JSON (v2_template.go).
/// YAML 1.1's numbers (0777, 0b101, 1_000), no yes and no; times become texts of RFC 3339.
nlohmann::json server_scalar(const std::string& text);

/// As PyYAML 6 reads it, which the Python SDK uses: YAML 1.1. Null where the value is nothing that JSON has:
/// `what` tells ("a date").
struct PythonScalar {
  nlohmann::json value;
  std::string what;
};
PythonScalar python_scalar(const std::string& text);

/// What is to be said of a plain scalar that these readers, and the server, take differently; empty if all
/// agree. "0777 is 511 for the server, this program and the Python SDK, and 777 for YAML 1.2".
std::string differing_readings(const std::string& text);

/// The same of a key, which is a text for the server where it is none of a number, time, true or null.
std::string differing_key(const std::string& text);

}  // namespace kfp
