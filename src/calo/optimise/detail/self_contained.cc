#include "calo/optimise/detail/self_contained.h"

#include <onnx/onnx_pb.h>

#include <set>

#include "calo/infer/external_data.h"
#include "core/error.h"
#include "core/staged_output.h"

namespace calo {
namespace {

using Tensor = onnx::TensorProto;

std::size_t element_bytes(int type) {
  switch (type) {
    case Tensor::INT8:
    case Tensor::UINT8:
    case Tensor::BOOL:
      return 1;
    case Tensor::FLOAT16:
    case Tensor::BFLOAT16:
    case Tensor::INT16:
    case Tensor::UINT16:
      return 2;
    case Tensor::DOUBLE:
    case Tensor::INT64:
    case Tensor::UINT64:
      return 8;
    default:
      return 4;
  }
}

// Includes an external tensor. Returns true if it was external. The engine's reader has checked its shape and
// type.
bool take_in(Tensor& tensor, infer::ExternalData& files) {
  if (tensor.data_location() != Tensor::EXTERNAL) return false;
  std::size_t size = element_bytes(tensor.data_type());
  for (const std::int64_t extent : tensor.dims()) size *= static_cast<std::size_t>(extent);
  infer::ExternalPlace place;
  for (const onnx::StringStringEntryProto& entry : tensor.external_data()) place[entry.key()] = entry.value();
  const auto bytes = infer::external_bytes(&files, place, size, tensor.name());
  tensor.set_raw_data(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  tensor.clear_external_data();
  tensor.clear_data_location();
  return true;
}

// Includes tensors of the graph and of the bodies of its loops.
bool take_in_all(onnx::GraphProto& graph, infer::ExternalData& files) {
  bool changed = false;
  for (Tensor& tensor : *graph.mutable_initializer()) changed |= take_in(tensor, files);
  for (onnx::NodeProto& node : *graph.mutable_node())
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) changed |= take_in(*attribute.mutable_t(), files);
      if (attribute.has_g()) changed |= take_in_all(*attribute.mutable_g(), files);
    }
  return changed;
}

}  // namespace

std::string self_contained(const std::filesystem::path& file,
                           const std::map<std::string, std::string>& properties) {
  std::string bytes = core::read_file(file);
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) throw core::InputError({.message = "is not an ONNX file", .file = file});
  infer::ExternalFiles files(file);
  bool changed = take_in_all(*model.mutable_graph(), files);
  std::set<std::string> known;
  for (const onnx::StringStringEntryProto& property : model.metadata_props()) known.insert(property.key());
  for (const auto& [key, value] : properties) {
    if (known.contains(key)) continue;
    onnx::StringStringEntryProto& property = *model.add_metadata_props();
    property.set_key(key);
    property.set_value(value);
    changed = true;
  }
  if (!changed) return bytes;
  if (!model.SerializeToString(&bytes))
    throw core::InputError(
        {.message = "exceeds protobuf's 2 GiB with the weights from the files beside it", .file = file});
  return bytes;
}

}  // namespace calo
