#include "kfp/compile/detail/interface.h"

namespace kfp::dsl::lowering {
namespace {

template <class Spec>
void describe(Spec& spec, const Port& port) {
  if (!port.description.empty()) spec.description = port.description;
}

template <class Spec>
Spec artifact_spec(const Port& port) {
  Spec spec;
  spec.artifact_type =
      ir::ArtifactTypeSchema{.schema_title = port.schema_title, .schema_version = port.schema_version};
  if (port.is_list) spec.is_artifact_list = true;
  describe(spec, port);
  return spec;
}

// An unknown type is written as STRING, as in the SDK.
ParameterType written(const ValueType& type) {
  return type.type == ParameterType::kUnspecified ? ParameterType::kString : type.type;
}

}  // namespace

void declare_input(ir::ComponentSpec& component, const std::string& name, const Port& port) {
  if (!component.input_definitions) component.input_definitions.emplace();
  if (port.is_artifact) {
    auto spec = artifact_spec<ir::InputArtifactSpec>(port);
    if (port.optional) spec.is_optional = true;
    component.input_definitions->artifacts[name] = std::move(spec);
    return;
  }
  ir::InputParameterSpec spec{.parameter_type = written(port.type), .default_value = port.default_value};
  if (port.optional) spec.is_optional = true;
  describe(spec, port);
  component.input_definitions->parameters[name] = std::move(spec);
}

void declare_output(ir::ComponentSpec& component, const std::string& name, const Port& port) {
  if (!component.output_definitions) component.output_definitions.emplace();
  if (port.is_artifact) {
    component.output_definitions->artifacts[name] = artifact_spec<ir::OutputArtifactSpec>(port);
    return;
  }
  ir::OutputParameterSpec spec{.parameter_type = written(port.type)};
  describe(spec, port);
  component.output_definitions->parameters[name] = std::move(spec);
}

ir::ComponentSpec interface_of(const Ports& inputs, const Ports& outputs) {
  ir::ComponentSpec component;
  for (const auto& [name, port] : inputs) declare_input(component, name, port);
  for (const auto& [name, port] : outputs) declare_output(component, name, port);
  return component;
}

Port bare(const Port& port) {
  Port result = port;
  result.default_value.reset();
  result.optional = false;
  result.description.clear();
  return result;
}

std::string channel_input(const std::string& full_name) {
  return "pipelinechannel--" + full_name;
}

}  // namespace kfp::dsl::lowering
