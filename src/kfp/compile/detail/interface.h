#pragma once

#include <string>

#include "kfp/dsl/detail/graph.h"
#include "kfp/ir/pipeline_spec.h"

// Parts of the compiler; not part of the public interface.
namespace kfp::dsl::lowering {

/// Adds an input or output to a component's definitions.
void declare_input(ir::ComponentSpec& component, const std::string& name, const Port& port);
void declare_output(ir::ComponentSpec& component, const std::string& name, const Port& port);
/// A component with these inputs and outputs.
ir::ComponentSpec interface_of(const Ports& inputs, const Ports& outputs);

/// The part of an input or output that a group passes on: the type, without default and description.
Port bare(const Port& port);

/// Name of inputs that the SDK adds: "pipelinechannel--x".
std::string channel_input(const std::string& full_name);

/// A group's conditions as one CEL expression over the group's inputs for the channels.
/// @throws core::UsageError if types cannot be compared
std::string condition_text(const graph::Group& group);

/// Adds the Kubernetes settings of an executor.
void set_kubernetes(ir::Pipeline& pipeline, const std::string& label, ir::KubernetesExecutorConfig config);

/// Adds components, executors and Kubernetes settings of a compiled pipeline to another, under unused names.
/// @return the root of the inner pipeline, with the new names
ir::ComponentSpec merge(const ir::Pipeline& inner, ir::Pipeline& outer);

}  // namespace kfp::dsl::lowering
