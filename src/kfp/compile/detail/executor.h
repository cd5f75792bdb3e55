#pragma once

#include <functional>
#include <string>

#include "kfp/dsl/detail/graph.h"
#include "kfp/ir/pipeline_spec.h"

// Parts of the compiler; not part of the public interface.
namespace kfp::dsl::lowering {

/// Fills in a string that has tokens of channels: each becomes the placeholder of the task's input for it.
using FillText = std::function<std::string(const std::string&)>;

/// Image, command, arguments, environment and resources of a task.
ir::Container container_of(const graph::TaskNode& node, const FillText& fill);

ir::Importer importer_of(const graph::ImporterSource& source);

/// Converts "1 hour" and similar strings to seconds in the IR's format ("3600s").
ir::Duration duration_of(const std::string& span);

/// Returns the settings with the source of each value, found by `resolve` from the token of its channel.
ir::KubernetesExecutorConfig resolved(
    ir::KubernetesExecutorConfig config,
    const std::function<ir::TaskInputParameter(const std::string& token)>& resolve);

/// The tokens of the values that the settings use.
std::vector<std::string> tokens_of(const ir::KubernetesExecutorConfig& config);

}  // namespace kfp::dsl::lowering
