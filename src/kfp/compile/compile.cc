#include "kfp/compile/compile.h"

#include <fmt/format.h>

#include "kfp/compile/detail/interface.h"
#include "kfp/compile/detail/lowering.h"
#include "kfp/ir/validate.h"

namespace kfp::dsl {
namespace {

using lowering::kSchemaVersion;
using lowering::kSdkVersion;
using lowering::Lowering;
using lowering::refuse;

void apply(const CompileOptions& options, ir::Pipeline& pipeline) {
  if (!options.name.empty()) pipeline.spec.pipeline_info->name = options.name;
  const Ports inputs = inputs_from_ir(*pipeline.spec.root);
  for (const auto& [name, value] : options.defaults) {
    const auto found = inputs.find(name);
    const std::string what = fmt::format("default of input \"{}\"", name);
    if (found == inputs.end()) refuse(what, "is given, but there is no such input");
    if (found->second.is_artifact)
      refuse(what, "is given, but the input is an artifact, which has no default");
    pipeline.spec.root->input_definitions->parameters[name].default_value =
        constant_for(found->second.type, value, what);
  }
  // Finds mistakes that the DSL does not see: inside compiled pipelines and components that were added.
  for (const ir::Problem& problem : ir::validate(pipeline))
    if (problem.severity == ir::Problem::Severity::kError)
      refuse("the compiled pipeline: " + problem.place, problem.message, problem.hint);
}

}  // namespace

ir::Pipeline compile(const Pipeline& pipeline, const CompileOptions& options) {
  ir::Pipeline result = Lowering(*pipeline.graph()).run();
  apply(options, result);
  return result;
}

ir::Pipeline compile(const ContainerComponent& component, const CompileOptions& options) {
  const ContainerComponent ready = checked(component);
  const std::string name = kubernetes_name(ready.name);
  ir::Task task{.task_info = ir::TaskInfo{name},
                .caching_options = ir::CachingOptions{.enable_cache = true},
                .component_ref = ir::ComponentRef{"comp-" + name}};
  ir::ComponentSpec root = lowering::interface_of(ready.inputs, ready.outputs);
  root.dag.emplace();
  if (!ready.inputs.empty()) task.inputs.emplace();
  for (const auto& [input, port] : ready.inputs) {
    if (port.is_artifact)
      task.inputs->artifacts[input].component_input_artifact = input;
    else
      task.inputs->parameters[input].component_input_parameter = input;
  }
  if (!ready.outputs.empty()) root.dag->outputs.emplace();
  for (const auto& [output, port] : ready.outputs) {
    if (port.is_artifact)
      root.dag->outputs->artifacts[output].artifact_selectors = {
          {.producer_subtask = name, .output_artifact_key = output}};
    else
      root.dag->outputs->parameters[output].value_from_parameter =
          ir::ParameterSelector{.producer_subtask = name, .output_parameter_key = output};
  }
  root.dag->tasks[name] = std::move(task);
  ir::Pipeline result;
  result.spec.pipeline_info = ir::PipelineInfo{.name = name};
  result.spec.sdk_version = kSdkVersion;
  result.spec.schema_version = kSchemaVersion;
  result.spec.deployment_spec.emplace();
  result.spec.deployment_spec->executors["exec-" + name].container =
      ir::Container{.image = ready.image, .command = ready.command, .args = ready.args};
  ir::ComponentSpec own = lowering::interface_of(ready.inputs, ready.outputs);
  own.executor_label = "exec-" + name;
  result.spec.components["comp-" + name] = std::move(own);
  result.spec.root = std::move(root);
  apply(options, result);
  return result;
}

}  // namespace kfp::dsl
