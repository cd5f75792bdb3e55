#include "calo/optimise/detail/narrow_weights.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "calo/infer/packed_layer.h"
#include "calo/infer/program.h"
#include "core/error.h"

namespace calo {
namespace {

using Tensor = onnx::TensorProto;

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.dims(0) * tensor.dims(1)));
  if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() != values.size() * sizeof(float)) return {};
    std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
  } else {
    if (static_cast<std::size_t>(tensor.float_data_size()) != values.size()) return {};
    std::copy(tensor.float_data().begin(), tensor.float_data().end(), values.begin());
  }
  return values;
}

bool is_large_matrix(const Tensor& tensor) {
  return tensor.data_type() == Tensor::FLOAT && tensor.dims_size() == 2 && tensor.dims(0) > 0 &&
         tensor.dims(1) > 0 && tensor.dims(0) * tensor.dims(1) >= infer::kSmallLayer;
}

// Weights of products, with the axis of their outputs.
std::map<std::string, int> weights_of_products(const onnx::GraphProto& graph) {
  std::map<std::string, int> axes;
  for (const onnx::NodeProto& node : graph.node()) {
    if ((node.op_type() != "Gemm" && node.op_type() != "MatMul") || node.input_size() < 2) continue;
    int axis = 1;
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (attribute.name() == "transB" && attribute.i() != 0) axis = 0;
    axes[node.input(1)] = axis;
  }
  return axes;
}

void store_bfloat16(const std::vector<float>& values, Tensor& tensor) {
  std::string raw(values.size() * 2, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = infer::to_bfloat16(values[i]);
    std::memcpy(raw.data() + 2 * i, &half, 2);
  }
  tensor.set_data_type(Tensor::BFLOAT16);
  tensor.set_raw_data(std::move(raw));
}

std::vector<float> store_int8(const std::vector<float>& values, int out_axis, Tensor& tensor) {
  const auto rows = static_cast<std::size_t>(tensor.dims(0)),
             columns = static_cast<std::size_t>(tensor.dims(1));
  const auto output = [&](std::size_t i) { return out_axis == 0 ? i / columns : i % columns; };
  std::vector<float> scales(out_axis == 0 ? rows : columns, 0.0f);
  for (std::size_t i = 0; i < values.size(); ++i)
    scales[output(i)] = std::max(scales[output(i)], std::abs(values[i]));
  for (float& scale : scales) scale = scale > 0 ? scale / 127.0f : 1.0f;
  std::string raw(values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i)
    raw[i] = static_cast<char>(static_cast<std::int8_t>(std::lround(values[i] / scales[output(i)])));
  tensor.set_data_type(Tensor::INT8);
  tensor.set_raw_data(std::move(raw));
  return scales;
}

void store_narrow(onnx::GraphProto& graph, infer::Precision precision) {
  const std::map<std::string, int> axes = weights_of_products(graph);
  std::vector<onnx::NodeProto> makers;
  std::vector<Tensor> scales;
  for (Tensor& tensor : *graph.mutable_initializer()) {
    const auto weight = axes.find(tensor.name());
    if (weight == axes.end() || !is_large_matrix(tensor)) continue;
    const std::vector<float> values = floats_of(tensor);
    if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }) ||
        values.empty())
      throw core::InputError({.message = "is damaged or not finite", .field = tensor.name()});
    onnx::NodeProto maker;
    maker.add_output(tensor.name());
    maker.set_name(tensor.name() + "_as_floats");
    tensor.clear_float_data();
    onnx::AttributeProto& attribute = *maker.add_attribute();
    attribute.set_type(onnx::AttributeProto::INT);
    if (precision == infer::Precision::kBf16) {
      store_bfloat16(values, tensor);
      tensor.set_name(weight->first + "_bfloat16");
      maker.set_op_type("Cast");
      maker.add_input(tensor.name());
      attribute.set_name("to");
      attribute.set_i(Tensor::FLOAT);
    } else {
      const std::vector<float> found = store_int8(values, weight->second, tensor);
      tensor.set_name(weight->first + "_int8");
      Tensor scale;
      scale.set_name(weight->first + "_scale");
      scale.set_data_type(Tensor::FLOAT);
      scale.add_dims(static_cast<std::int64_t>(found.size()));
      scale.set_raw_data(
          std::string(reinterpret_cast<const char*>(found.data()), found.size() * sizeof(float)));
      maker.set_op_type("DequantizeLinear");
      maker.add_input(tensor.name());
      maker.add_input(scale.name());
      attribute.set_name("axis");
      attribute.set_i(weight->second);
      scales.push_back(std::move(scale));
    }
    makers.push_back(std::move(maker));
  }
  for (Tensor& scale : scales) *graph.add_initializer() = std::move(scale);
  // Nodes that make the weights come before nodes that use them.
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
  for (onnx::NodeProto& maker : makers) *nodes.Add() = std::move(maker);
  for (onnx::NodeProto& node : *graph.mutable_node()) *nodes.Add() = std::move(node);
  graph.mutable_node()->Swap(&nodes);
}

}  // namespace

std::string for_precision(const std::string& bytes, infer::Precision precision, bool narrow_weights) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) throw core::InputError({.message = "is not an ONNX file"});
  constexpr std::int64_t kOpset = 13;  // the first whose DequantizeLinear has an axis
  for (const onnx::OperatorSetIdProto& opset : model.opset_import())
    if (narrow_weights && opset.domain().empty() && opset.version() < kOpset)
      throw core::InputError({.message = "has an operator set before 13, which cannot store narrow weights",
                              .field = "opset_import",
                              .hint = "convert it again, or keep its weights unchanged (--weights float)"});
  if (narrow_weights && precision != infer::Precision::kFp32) store_narrow(*model.mutable_graph(), precision);
  auto& properties = *model.mutable_metadata_props();
  const auto found = std::find_if(properties.begin(), properties.end(), [](const auto& property) {
    return property.key() == "calopipe.precision";
  });
  onnx::StringStringEntryProto& property = found != properties.end() ? *found : *properties.Add();
  property.set_key("calopipe.precision");
  property.set_value(to_string(precision));
  std::string out;
  // The output is deterministic because these messages have no maps.
  if (!model.SerializeToString(&out)) throw core::InputError({.message = "exceeds protobuf's 2 GiB"});
  return out;
}

}  // namespace calo
