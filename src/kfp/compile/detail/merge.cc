#include "kfp/compile/detail/interface.h"
#include "kfp/dsl/port.h"

namespace kfp::dsl::lowering {
namespace {

// Renames the components that the tasks of a DAG run.
void rename_references(ir::ComponentSpec& component, const std::map<std::string, std::string>& names) {
  if (!component.dag) return;
  for (auto& [name, task] : component.dag->tasks) {
    if (!task.component_ref || !task.component_ref->name) continue;
    const auto found = names.find(*task.component_ref->name);
    if (found != names.end()) task.component_ref->name = found->second;
  }
}

ir::PlatformDeploymentConfig& kubernetes_of(ir::Pipeline& pipeline) {
  if (!pipeline.platform) pipeline.platform.emplace();
  if (!pipeline.platform->platforms) pipeline.platform->platforms.emplace();
  auto& kubernetes = pipeline.platform->platforms->kubernetes;
  if (!kubernetes) kubernetes.emplace();
  if (!kubernetes->deployment_spec) kubernetes->deployment_spec.emplace();
  return *kubernetes->deployment_spec;
}

const std::map<std::string, ir::KubernetesExecutorConfig>* kubernetes_of(const ir::Pipeline& pipeline) {
  if (!pipeline.platform || !pipeline.platform->platforms || !pipeline.platform->platforms->kubernetes ||
      !pipeline.platform->platforms->kubernetes->deployment_spec)
    return nullptr;
  return &pipeline.platform->platforms->kubernetes->deployment_spec->executors;
}

// Adds the executors.
// @return the new label of each
std::map<std::string, std::string> merge_executors(const ir::Pipeline& inner, ir::Pipeline& outer) {
  std::map<std::string, std::string> labels;
  if (!inner.spec.deployment_spec) return labels;
  auto& executors = outer.spec.deployment_spec->executors;
  const auto* settings = kubernetes_of(inner);
  for (const auto& [label, executor] : inner.spec.deployment_spec->executors) {
    const std::string free = unique_name(label, executors);
    labels[label] = free;
    executors[free] = executor;
    if (settings != nullptr && settings->contains(label))
      kubernetes_of(outer).executors[free] = settings->at(label);
  }
  return labels;
}

}  // namespace

void set_kubernetes(ir::Pipeline& pipeline, const std::string& label, ir::KubernetesExecutorConfig config) {
  kubernetes_of(pipeline).executors[label] = std::move(config);
}

ir::ComponentSpec merge(const ir::Pipeline& inner, ir::Pipeline& outer) {
  const std::map<std::string, std::string> labels = merge_executors(inner, outer);
  // A new name must differ from the old and new names of all other components.
  std::map<std::string, std::string> names;
  std::map<std::string, bool> taken;
  for (const auto& [name, component] : outer.spec.components) taken[name] = true;
  for (const auto& [name, component] : inner.spec.components) {
    names[name] = unique_name(name, taken);
    taken[name] = taken[names[name]] = true;
  }
  for (const auto& [name, component] : inner.spec.components) {
    ir::ComponentSpec renamed = component;
    rename_references(renamed, names);
    if (renamed.executor_label && labels.contains(*renamed.executor_label))
      renamed.executor_label = labels.at(*renamed.executor_label);
    outer.spec.components[names[name]] = std::move(renamed);
  }
  ir::ComponentSpec root = inner.spec.root.value_or(ir::ComponentSpec{});
  rename_references(root, names);
  return root;
}

}  // namespace kfp::dsl::lowering
