#pragma once

#include <map>
#include <optional>
#include <string>

#include "kfp/dsl/pipeline.h"
#include "kfp/ir/pipeline_spec.h"

namespace kfp::dsl {

struct CompileOptions {
  std::string name = "";  ///< replaces the name of the pipeline or component
  std::map<std::string, nlohmann::json> defaults =
      {};  ///< values that replace the declared defaults of parameters
};

/// The IR of a pipeline: the same data, including names, that the Python SDK (kfp 2.17) compiles for the same
/// pipeline in Python. Write it with ir::to_yaml.
///
/// It differs where the SDK writes something that the open-source backend does not resolve: Concat becomes
/// one string, and an optional input with a default that the command needs is passed with its default.
/// @throws core::UsageError naming both ends: missing inputs, tasks that wait for each other, tasks that wait
///         for a task inside a branch
ir::Pipeline compile(const Pipeline& pipeline, const CompileOptions& options = {});

/// A component as a file that the SDK's load_component_from_file and component_from_ir read.
ir::Pipeline compile(const ContainerComponent& component, const CompileOptions& options = {});

}  // namespace kfp::dsl
