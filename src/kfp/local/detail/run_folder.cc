#include "kfp/local/detail/run_folder.h"

#include <algorithm>

#include "core/error.h"

namespace kfp::local {
namespace {

void check_name(const std::string& name, const std::string& place) {
  const bool bad = name.empty() || name.size() > 200 || name.front() == '.' ||
                   std::any_of(name.begin(), name.end(), [](unsigned char c) {
                     return c == '/' || c == '\\' || c < 0x20 || c == 0x7f;
                   });
  if (bad)
    throw core::InputError({.message = "\"" + name.substr(0, 80) + "\" cannot be the name of a file",
                            .field = place,
                            .hint = "use at most 200 characters, no slash, and no dot at the beginning"});
}

void check_component(const ir::ComponentSpec& component, const std::string& place) {
  if (component.dag)
    for (const auto& [name, task] : component.dag->tasks) check_name(name, place + ".dag.tasks");
  if (!component.output_definitions) return;
  for (const auto& [name, output] : component.output_definitions->artifacts)
    check_name(name, place + ".outputDefinitions.artifacts");
  for (const auto& [name, output] : component.output_definitions->parameters)
    check_name(name, place + ".outputDefinitions.parameters");
}

}  // namespace

void check_names(const ir::PipelineSpec& spec) {
  if (spec.root) check_component(*spec.root, "root");
  for (const auto& [name, component] : spec.components) check_component(component, "components." + name);
}

}  // namespace kfp::local
