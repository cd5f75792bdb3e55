#pragma once

#include <map>
#include <optional>
#include <string>

#include "kfp/dsl/pipeline.h"
#include "kfp/ir/pipeline_spec.h"

namespace kfp::dsl {

struct CompileOptions {
  std::string name = "";                                ///< instead of the pipeline's or component's
  std::map<std::string, nlohmann::json> defaults = {};  ///< of parameters, instead of the declared ones
};

/// The IR of a pipeline: the same data that the Python SDK (kfp 2.17) compiles for the same pipeline written
/// in Python, names included; write it with ir::to_yaml.
///
/// Where the SDK would write what the open-source backend does not resolve, this differs: Concat is folded
/// into one text, and an optional input with a default that the command needs is passed with its default.
/// @throws core::UsageError naming both ends: inputs that are missing, tasks that wait for each other, tasks
/// that wait for what is inside a branch
ir::Pipeline compile(const Pipeline& pipeline, const CompileOptions& options = {});

/// A component file, as the SDK's load_component_from_file and component_from_ir read it.
ir::Pipeline compile(const ContainerComponent& component, const CompileOptions& options = {});

}  // namespace kfp::dsl
