#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/local/runs_report.h"

namespace kfp::local {

/// Common and different properties of two or more runs. Values are by run id; runs without a value are left
/// out.
struct Comparison {
  struct Parameter {
    std::string name;
    std::map<std::string, nlohmann::json> values;
  };
  struct MetricRow {
    std::string task, artifact, name;
    std::map<std::string, nlohmann::json> values;
  };
  struct Task {
    std::string path;
    std::map<std::string, TaskRecord> records;
  };
  struct Artifact {
    std::string task, name;
    std::map<std::string, std::string> sha256;
    bool equal = false;  ///< every run has it, with the same content
  };

  std::vector<RunRecord> runs;        ///< in the order in which they were given
  std::vector<Parameter> parameters;  ///< parameters that differ
  std::vector<MetricRow> metrics;
  std::vector<Task> tasks;
  std::vector<Artifact> artifacts;  ///< output artifacts
};

/// @throws core::UsageError if fewer than two runs are given
Comparison compare(const std::vector<RunReport>& reports);

nlohmann::json to_json(const Comparison& comparison, double now_s);
std::string compare_text(const Comparison& comparison, const TextStyle& style);

}  // namespace kfp::local
