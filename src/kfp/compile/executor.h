#pragma once

#include <functional>
#include <string>

#include "kfp/dsl/graph.h"
#include "kfp/ir/pipeline_spec.h"

// Parts of the compiler; no part of the public interface.
namespace kfp::dsl::lowering {

/// What fills in texts that hold tokens of channels: the placeholder of the task's input for each.
using FillText = std::function<std::string(const std::string&)>;

/// Image, command, arguments, environment and resources of a task.
ir::Container container_of(const graph::TaskNode& node, const FillText& fill);

ir::Importer importer_of(const graph::ImporterSource& source);

/// "1 hour" and the like in seconds, as the IR writes them ("3600s").
ir::Duration duration_of(const std::string& span);

/// The settings with each value that they take found by `resolve`, which gets the token of its channel.
ir::KubernetesExecutorConfig resolved(
    ir::KubernetesExecutorConfig config,
    const std::function<ir::TaskInputParameter(const std::string& token)>& resolve);

/// The tokens of values that the settings take.
std::vector<std::string> tokens_of(const ir::KubernetesExecutorConfig& config);

}  // namespace kfp::dsl::lowering
