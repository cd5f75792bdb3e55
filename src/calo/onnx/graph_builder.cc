#include "calo/onnx/graph_builder.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "core/error.h"
#include "core/provenance.h"

namespace calo {
namespace {

bool is_identifier(const std::string& name) {
  constexpr const char* kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  return !name.empty() && std::strchr(kLetters, name[0]) != nullptr &&
         name.find_first_not_of(std::string(kLetters) + "0123456789") == std::string::npos;
}

void describe(onnx::ValueInfoProto& info, const std::string& name, const GraphBuilder::Shape& shape) {
  info.set_name(name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t extent : shape) {
    auto& dimension = *tensor.mutable_shape()->add_dim();
    if (extent < 0)
      dimension.set_dim_param("N");
    else
      dimension.set_dim_value(extent);
  }
}

onnx::TensorProto& add_tensor(onnx::GraphProto& graph, const std::string& name,
                              const GraphBuilder::Shape& shape, onnx::TensorProto::DataType type,
                              const void* data, std::size_t bytes) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t extent : shape) tensor.add_dims(extent);
  tensor.set_raw_data(data, bytes);  // little-endian, like all supported machines
  return tensor;
}

}  // namespace

GraphBuilder::GraphBuilder(const std::string& graph_name, const std::string& documentation)
    : model_(std::make_unique<onnx::ModelProto>()) {
  model_->set_ir_version(kIrVersion);
  model_->set_producer_name("calopipe");
  model_->set_producer_version(core::version());
  model_->set_doc_string(documentation);
  onnx::OperatorSetIdProto& opset = *model_->add_opset_import();
  opset.set_domain("");
  opset.set_version(kOpset);
  model_->mutable_graph()->set_name(graph_name);
}

GraphBuilder::~GraphBuilder() = default;

onnx::GraphProto& GraphBuilder::graph() {
  return bodies_.empty() ? *model_->mutable_graph() : *bodies_.back().graph;
}

void GraphBuilder::claim(const std::string& name) {
  if (!is_identifier(name))
    throw std::logic_error(fmt::format("ONNX name \"{}\" is not an identifier", name));
  if (!names_.insert(name).second)
    throw std::logic_error(fmt::format("ONNX name \"{}\" is used twice", name));
}

void GraphBuilder::make(const std::string& name) {
  claim(name);
  (bodies_.empty() ? values_ : bodies_.back().made).insert(name);
}

void GraphBuilder::require(const std::string& name) const {
  const bool in_body =
      std::any_of(bodies_.begin(), bodies_.end(), [&](const Body& body) { return body.made.contains(name); });
  if (!in_body && !values_.contains(name))
    throw std::logic_error(fmt::format("ONNX value \"{}\" is used before it is made", name));
}

std::string GraphBuilder::input(const std::string& name, const Shape& shape) {
  claim(name);
  values_.insert(name);
  describe(*model_->mutable_graph()->add_input(), name, shape);
  return name;
}

std::string GraphBuilder::floats(const std::string& name, const Shape& shape,
                                 const std::vector<float>& values) {
  claim(name);
  values_.insert(name);
  add_tensor(*model_->mutable_graph(), name, shape, onnx::TensorProto::FLOAT, values.data(),
             values.size() * sizeof(float));
  return name;
}

std::string GraphBuilder::integers(const std::string& name, const Shape& values) {
  return integers(name, {static_cast<std::int64_t>(values.size())}, values);
}

std::string GraphBuilder::integers(const std::string& name, const Shape& shape, const Shape& values) {
  claim(name);
  values_.insert(name);
  add_tensor(*model_->mutable_graph(), name, shape, onnx::TensorProto::INT64, values.data(),
             values.size() * sizeof(std::int64_t));
  return name;
}

std::string GraphBuilder::node(const std::string& op, const std::vector<std::string>& inputs,
                               const std::string& output, const Attributes& attributes) {
  for (const std::string& input : inputs) require(input);
  make(output);
  onnx::NodeProto& node = *graph().add_node();
  node.set_op_type(op);
  node.set_name(output + "_node");
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  for (const auto& [name, value] : attributes) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    if (const float* number = std::get_if<float>(&value)) {
      attribute.set_type(onnx::AttributeProto::FLOAT);
      attribute.set_f(*number);
    } else if (const std::int64_t* integer = std::get_if<std::int64_t>(&value)) {
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(*integer);
    } else {
      attribute.set_type(onnx::AttributeProto::INTS);
      for (const std::int64_t element : std::get<Shape>(value)) attribute.add_ints(element);
    }
  }
  return output;
}

void GraphBuilder::output(const std::string& name, const Shape& shape) {
  require(name);
  describe(*model_->mutable_graph()->add_output(), name, shape);
}

void GraphBuilder::begin_loop(const std::string& step, const std::vector<Carried>& carried) {
  for (const Carried& value : carried) require(value.start);
  Body& body = bodies_.emplace_back();
  body.graph = std::make_unique<onnx::GraphProto>();
  body.carried = carried;
  body.graph->set_name(step + "_body");
  // ONNX infers the shapes of carried values; the other two are scalars.
  const auto input = [&](const std::string& name, onnx::TensorProto::DataType type) {
    make(name);
    onnx::ValueInfoProto& info = *body.graph->add_input();
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    if (type != onnx::TensorProto::FLOAT) tensor.mutable_shape();
  };
  input(step, onnx::TensorProto::INT64);
  input(step + "_goes_on", onnx::TensorProto::BOOL);
  for (const Carried& value : carried) input(value.name, onnx::TensorProto::FLOAT);
  // The loop only ends after `steps` steps.
  body.graph->add_output()->set_name(node("Identity", {step + "_goes_on"}, step + "_goes_on_still"));
  body.graph->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::BOOL);
}

std::vector<std::string> GraphBuilder::end_loop(const std::string& steps,
                                                const std::vector<std::string>& next,
                                                const std::vector<std::string>& collected,
                                                const std::string& name) {
  if (bodies_.empty() || next.size() != bodies_.back().carried.size())
    throw std::logic_error("a loop ends without a beginning, or passes on another number of values");
  for (const auto* values : {&next, &collected})
    for (const std::string& value : *values) {
      require(value);
      // An output of the body must be made in it, by a node.
      onnx::ValueInfoProto& info = *bodies_.back().graph->add_output();
      info.set_name(
          node("Identity", {value}, fmt::format("{}_out_{}", name, bodies_.back().graph->output_size())));
      info.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
    }
  const Body body = std::move(bodies_.back());
  bodies_.pop_back();
  require(steps);
  onnx::NodeProto& loop = *graph().add_node();
  loop.set_op_type("Loop");
  loop.set_name(name);
  loop.add_input(steps);
  loop.add_input("");
  for (const Carried& value : body.carried) loop.add_input(value.start);
  std::vector<std::string> outputs;
  for (std::size_t i = 0; i < next.size() + collected.size(); ++i) {
    outputs.push_back(fmt::format("{}_{}", name, i));
    make(outputs.back());
    loop.add_output(outputs.back());
  }
  onnx::AttributeProto& attribute = *loop.add_attribute();
  attribute.set_name("body");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  attribute.mutable_g()->Swap(body.graph.get());
  return outputs;
}

void GraphBuilder::metadata(const std::string& key, const std::string& value) {
  onnx::StringStringEntryProto& entry = *model_->add_metadata_props();
  entry.set_key(key);
  entry.set_value(value);
}

std::string GraphBuilder::bytes() const {
  if (model_->ByteSizeLong() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw core::InputError({.message = "is too large for one ONNX file (2 GiB)",
                            .field = "model",
                            .hint = "train a smaller one"});
  return model_->SerializeAsString();
}

}  // namespace calo
