#include "calo/infer/onnx_reader.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "calo/infer/detail/finite_constants.h"
#include "calo/infer/detail/printable.h"
#include "calo/infer/detail/protobuf_wire.h"
#include "calo/infer/tensor.h"
#include "core/error.h"

namespace calo::infer {
namespace {

using Bytes = std::span<const std::byte>;
using Field = WireReader::Field;

// Numbers of fields, as in onnx.proto.
enum ModelField {
  kIrVersion = 1,
  kProducerName = 2,
  kGraph = 7,
  kOpsetImport = 8,
  kMetadataProps = 14,
  kFunctions = 25
};
enum GraphField { kNode = 1, kInitializer = 5, kInput = 11, kOutput = 12, kSparseInitializer = 15 };
enum NodeField { kNodeInput = 1, kNodeOutput = 2, kNodeName = 3, kOpType = 4, kAttribute = 5, kDomain = 7 };
enum AttributeField {
  kAttributeName = 1,
  kF = 2,
  kI = 3,
  kS = 4,
  kT = 5,
  kG = 6,
  kFloats = 7,
  kInts = 8,
  kStrings = 9,
  kTensors = 10,
  kGraphs = 11,
  kTypeProto = 14,
  kTypeProtos = 15,
  kAttributeType = 20,
  kRefAttrName = 21,
  kSparseTensor = 22,
  kSparseTensors = 23
};
enum TensorField {
  kDims = 1,
  kDataType = 2,
  kSegment = 3,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kTensorName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13,
  kDataLocation = 14
};

[[noreturn]] void refuse(std::string message, std::string field, std::string hint = {}) {
  throw core::InputError({.message = std::move(message), .field = std::move(field), .hint = std::move(hint)});
}

ElementType element_type(std::int64_t type, const std::string& where) {
  if (!is_known_type(type))
    refuse(fmt::format("has elements of type {}", type), where,
           "known are float (1), float16 (10), double (11), bool (9), integers (2 to 7, 12, 13); of weights, "
           "bfloat16 (16)");
  return static_cast<ElementType>(type);
}

std::size_t size_of(ElementType type) {
  switch (type) {
    case ElementType::kBool:
    case ElementType::kInt8:
    case ElementType::kUint8:
      return 1;
    case ElementType::kBfloat16:
    case ElementType::kFloat16:
    case ElementType::kInt16:
    case ElementType::kUint16:
      return 2;
    case ElementType::kInt64:
    case ElementType::kUint64:
    case ElementType::kDouble:
      return 8;
    default:
      return 4;
  }
}

// A tensor's product of extents; every one is checked.
std::int64_t element_count(const std::vector<std::int64_t>& shape, const OnnxLimits& limits,
                           const std::string& where) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0) refuse(fmt::format("has the negative extent {}", extent), where);
    if (extent > 0 && count > limits.elements / extent)
      refuse(fmt::format("has more than {} elements", limits.elements), where);
    count *= extent;
  }
  return count;
}

// Numbers of a raw run, one of T each.
template <class T, class Take>
void each_of(Bytes raw, const Take& take) {
  for (std::size_t i = 0; i < raw.size() / sizeof(T); ++i) {
    T value;
    std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
    take(i, value);
  }
}

// As two's complement has it in fewer bits.
std::int64_t narrowed(std::int64_t value, ElementType type) {
  const auto bits = static_cast<std::uint64_t>(value);
  switch (type) {
    case ElementType::kInt8:
      return static_cast<std::int8_t>(bits);
    case ElementType::kUint8:
      return static_cast<std::uint8_t>(bits);
    case ElementType::kInt16:
      return static_cast<std::int16_t>(bits);
    case ElementType::kUint16:
      return static_cast<std::uint16_t>(bits);
    case ElementType::kInt32:
      return static_cast<std::int32_t>(bits);
    case ElementType::kUint32:
      return static_cast<std::uint32_t>(bits);
    case ElementType::kBool:
      return value != 0;
    default:
      return value;
  }
}

// One entry of a tensor's place outside of the file.
void read_place(Bytes bytes, ExternalPlace& place, const std::string& where) {
  WireReader entry(bytes, where);
  std::string key, value;
  for (Field part; entry.next(part);) {
    if (part.number == 1) key = entry.text(part);
    if (part.number == 2) value = entry.text(part);
  }
  if (!place.emplace(key, std::move(value)).second)
    refuse(fmt::format("lies outside of the file, at a place with two of \"{}\"", printable(key)), where);
}

OnnxTensor read_tensor(Bytes bytes, const OnnxLimits& limits, ExternalData* external, std::string where) {
  OnnxTensor tensor;
  std::int64_t type = 0;
  Bytes raw, packed_floats;
  bool has_raw = false;
  std::size_t packed_times = 0;
  std::optional<ExternalPlace> place;
  bool is_outside = false;
  std::vector<float> floats;
  std::vector<std::int64_t> int32s, int64s, uint64s;
  std::vector<double> doubles;
  const auto elements = static_cast<std::size_t>(limits.elements);
  {
    // The name first, so that every later message has it.
    WireReader names(bytes, where);
    for (Field field; names.next(field);)
      if (field.number == kTensorName) tensor.name = names.text(field);
    if (!tensor.name.empty()) where = fmt::format("tensor \"{}\"", printable(tensor.name));
  }
  WireReader reader(bytes, where);
  for (Field field; reader.next(field);) {
    switch (field.number) {
      case kDims:
        reader.integers(field, tensor.shape, limits.rank);
        break;
      case kDataType:
        type = reader.integer(field);
        break;
      case kFloatData:
        // One packed run stays where it is.
        if (field.type == WireReader::Type::kBytes && packed_times++ == 0 && floats.empty()) {
          packed_floats = field.bytes;
        } else {
          if (!packed_floats.empty()) {
            reader.reals({.number = field.number, .type = WireReader::Type::kBytes, .bytes = packed_floats},
                         floats, elements);
            packed_floats = {};
          }
          reader.reals(field, floats, elements);
        }
        break;
      case kInt32Data:
        reader.integers(field, int32s, elements);
        break;
      case kInt64Data:
        reader.integers(field, int64s, elements);
        break;
      case kRawData:
        raw = reader.bytes(field);
        has_raw = true;
        break;
      case kExternalData:
        if (!place) place.emplace();
        read_place(reader.bytes(field), *place, where);
        break;
      case kDoubleData:
        reader.doubles(field, doubles, elements);
        break;
      case kUint64Data:
        reader.integers(field, uint64s, elements);
        break;
      case kDataLocation: {
        const std::int64_t location = reader.integer(field);
        if (location != 0 && location != 1)
          refuse(fmt::format("lies at a place of the kind {}, which is not known", location), where);
        is_outside = location == 1;
        break;
      }
      case kSegment:
      case kStringData:
        refuse("holds segments or texts, which are not known", where);
      default:
        break;
    }
  }
  tensor.type = element_type(type, where);
  tensor.count = element_count(tensor.shape, limits, where);
  const auto count = static_cast<std::size_t>(tensor.count);
  const auto check = [&](std::size_t held) {
    if (held != count) refuse(fmt::format("holds {} numbers, and its shape asks for {}", held, count), where);
  };
  if (is_outside != place.has_value())
    refuse("says that it lies outside of the file and not where, or where and not that it does", where);
  if (is_outside) {
    if (!raw.empty() || !packed_floats.empty() || !floats.empty() || !doubles.empty() || !int32s.empty() ||
        !int64s.empty() || !uint64s.empty())
      refuse("holds numbers and says that they lie outside of the file", where);
    raw = external_bytes(external, *place, count * size_of(tensor.type), where);
    has_raw = true;
  }
  if (has_raw && raw.size() != count * size_of(tensor.type))
    refuse(fmt::format("holds {} bytes, and its shape asks for {}", raw.size(), count * size_of(tensor.type)),
           where);
  if (tensor.type == ElementType::kFloat) {
    if (has_raw) {
      tensor.floats = raw;
    } else if (!packed_floats.empty()) {
      if (packed_floats.size() % sizeof(float) != 0) refuse("ends in the middle of a number", where);
      check(packed_floats.size() / sizeof(float));
      tensor.floats = packed_floats;
    } else {
      check(floats.size());
      tensor.owned.resize(count * sizeof(float));
      if (count > 0) std::memcpy(tensor.owned.data(), floats.data(), tensor.owned.size());
      tensor.floats = tensor.owned;
    }
    return tensor;
  }
  if (is_narrow(tensor.type)) {
    if (!has_raw) {  // each number in an int32 of its own
      check(int32s.size());
      const std::size_t size = size_of(tensor.type);
      tensor.owned.resize(count * size);
      for (std::size_t i = 0; i < count; ++i) std::memcpy(tensor.owned.data() + i * size, &int32s[i], size);
      raw = tensor.owned;
    }
    tensor.narrow = raw;
    return tensor;
  }
  if (tensor.type == ElementType::kFloat16) {  // widened; kept as bits in a number of its own where not raw
    if (!has_raw) check(int32s.size());
    tensor.owned.resize(count * sizeof(float));
    const auto put = [&](std::size_t i, std::uint16_t bits) {
      const float value = from_half(bits);
      std::memcpy(tensor.owned.data() + i * sizeof value, &value, sizeof value);
    };
    if (has_raw)
      each_of<std::uint16_t>(raw, put);
    else
      for (std::size_t i = 0; i < count; ++i) put(i, static_cast<std::uint16_t>(int32s[i]));
    tensor.floats = tensor.owned;
    return tensor;
  }
  if (tensor.type == ElementType::kDouble) {
    if (has_raw) {
      doubles.resize(count);
      each_of<double>(raw, [&](std::size_t i, double value) { doubles[i] = value; });
    }
    check(doubles.size());
    tensor.doubles = std::move(doubles);
    return tensor;
  }
  if (has_raw) {
    tensor.integers.resize(count);
    const auto put = [&](std::size_t i, auto value) {
      tensor.integers[i] = static_cast<std::int64_t>(value);
    };
    switch (size_of(tensor.type)) {
      case 1:
        each_of<std::uint8_t>(raw, put);
        break;
      case 2:
        each_of<std::uint16_t>(raw, put);
        break;
      case 4:
        each_of<std::uint32_t>(raw, put);
        break;
      default:
        each_of<std::int64_t>(raw, put);
    }
  } else {
    const bool in_uint64s = tensor.type == ElementType::kUint32 || tensor.type == ElementType::kUint64;
    tensor.integers = tensor.type == ElementType::kInt64 ? std::move(int64s)
                      : in_uint64s                       ? std::move(uint64s)
                                                         : std::move(int32s);
    check(tensor.integers.size());
  }
  for (std::int64_t& value : tensor.integers) value = narrowed(value, tensor.type);
  return tensor;
}

// What is read, with what all graphs of the file hold together.
struct Reading {
  const OnnxLimits& limits;
  ExternalData* external = nullptr;
  std::size_t nodes = 0, constants = 0;
  std::size_t depth = 0;  // of the graph that is being read
};

void read_graph(Bytes bytes, Reading& reading, OnnxGraph& graph);

bool has_bodies(const std::string& op_type) {
  return op_type == "Loop" || op_type == "If";
}

OnnxAttribute read_attribute(Bytes bytes, Reading& reading, const std::string& node,
                             const std::string& op_type, std::string& name) {
  const OnnxLimits& limits = reading.limits;
  OnnxAttribute attribute;
  WireReader reader(bytes, node);
  std::int64_t type = 0;
  constexpr std::size_t kMostTexts = 1000;
  bool seen_f = false, seen_i = false, seen_s = false, seen_t = false;
  for (Field field; reader.next(field);) {
    switch (field.number) {
      case kAttributeName:
        name = reader.text(field);
        break;
      case kAttributeType:
        type = reader.integer(field);
        break;
      case kF:
        attribute.f = reader.real(field);
        seen_f = true;
        break;
      case kI:
        attribute.i = reader.integer(field);
        seen_i = true;
        break;
      case kS:
        attribute.s = reader.text(field);
        seen_s = true;
        break;
      case kT:
        attribute.t =
            read_tensor(reader.bytes(field), limits, reading.external, fmt::format("{}, a tensor", node));
        seen_t = true;
        break;
      case kFloats:
        reader.reals(field, attribute.floats, limits.attribute_numbers);
        break;
      case kInts:
        reader.integers(field, attribute.ints, limits.attribute_numbers);
        break;
      case kG:
        if (!has_bodies(op_type)) refuse("has a subgraph, which is known of Loop and If only", node);
        if (attribute.g != nullptr) refuse("has an attribute of two graphs", node);
        if (reading.depth >= limits.depth)
          refuse(fmt::format("has a body in more than {} others", limits.depth - 1), node);
        attribute.g = std::make_shared<OnnxGraph>();
        ++reading.depth;
        read_graph(reader.bytes(field), reading, *attribute.g);
        --reading.depth;
        break;
      case kGraphs:
        refuse("has several subgraphs as one attribute, which are not known", node);
      case kStrings:
        if (attribute.strings.size() >= kMostTexts) refuse("has an attribute of too many texts", node);
        attribute.strings.push_back(reader.text(field));
        break;
      case kTensors:
      case kTypeProto:
      case kTypeProtos:
      case kSparseTensor:
      case kSparseTensors:
      case kRefAttrName:
        refuse("has an attribute of a kind that is not known", node);
      default:
        break;
    }
  }
  using Kind = OnnxAttribute::Kind;
  switch (type) {  // AttributeProto.AttributeType
    case 1:
      attribute.kind = Kind::kFloat;
      break;
    case 2:
      attribute.kind = Kind::kInt;
      break;
    case 3:
      attribute.kind = Kind::kString;
      break;
    case 4:
      attribute.kind = Kind::kTensor;
      if (!seen_t) refuse("has a tensor attribute without a tensor", node);
      break;
    case 5:
      attribute.kind = Kind::kGraph;
      if (attribute.g == nullptr) refuse("has a subgraph attribute without a graph", node);
      break;
    case 6:
      attribute.kind = Kind::kFloats;
      break;
    case 7:
      attribute.kind = Kind::kInts;
      break;
    case 8:
      attribute.kind = Kind::kStrings;
      break;
    case 0:  // old files leave it out
      attribute.kind = seen_f                       ? Kind::kFloat
                       : seen_i                     ? Kind::kInt
                       : seen_s                     ? Kind::kString
                       : seen_t                     ? Kind::kTensor
                       : attribute.g != nullptr     ? Kind::kGraph
                       : !attribute.floats.empty()  ? Kind::kFloats
                       : !attribute.strings.empty() ? Kind::kStrings
                                                    : Kind::kInts;
      break;
    default:
      refuse(fmt::format("has an attribute of the unknown kind {}", type), node);
  }
  return attribute;
}

OnnxNode read_node(Bytes bytes, Reading& reading, std::size_t place) {
  OnnxNode node;
  const std::string where = fmt::format("node {}", place);
  WireReader reader(bytes, where);
  std::vector<Bytes> attributes;
  std::string domain;
  for (Field field; reader.next(field);) {
    switch (field.number) {
      case kNodeInput:
        node.inputs.push_back(reader.text(field));
        break;
      case kNodeOutput:
        node.outputs.push_back(reader.text(field));
        break;
      case kNodeName:
        node.name = reader.text(field);
        break;
      case kOpType:
        node.op_type = reader.text(field);
        break;
      case kAttribute:
        attributes.push_back(reader.bytes(field));
        break;
      case kDomain:
        domain = reader.text(field);
        break;
      default:
        break;
    }
  }
  constexpr std::size_t kMostArguments = 1000;
  if (node.inputs.size() > kMostArguments || node.outputs.size() > kMostArguments)
    refuse(fmt::format("has more than {} inputs or outputs", kMostArguments), where);
  node.name = printable(node.name.empty() ? fmt::format("#{}", place) : node.name);
  const std::string named = fmt::format("node \"{}\" ({})", node.name, printable(node.op_type));
  if (!domain.empty() && domain != "ai.onnx")
    refuse(fmt::format("is an operator of the domain \"{}\", which is not known", printable(domain)), named);
  for (const Bytes at : attributes) {
    std::string name;
    OnnxAttribute attribute = read_attribute(at, reading, named, node.op_type, name);
    if (!node.attributes.emplace(name, std::move(attribute)).second)
      refuse(fmt::format("has the attribute \"{}\" twice", printable(name)), named);
  }
  return node;
}

// A field that holds one message, found in the message around it; empty if it is missing.
Bytes only(Bytes bytes, std::uint32_t number, const std::string& where) {
  WireReader reader(bytes, where);
  Bytes found;
  bool seen = false;
  for (Field field; reader.next(field);) {
    if (field.number != number) continue;
    if (seen) refuse("holds something twice that may stand there once", where);
    seen = true;
    found = reader.bytes(field);
  }
  return found;
}

OnnxValue read_value(Bytes bytes, const OnnxLimits& limits, bool of_body) {
  OnnxValue value;
  {
    WireReader reader(bytes, "an input or output");
    for (Field field; reader.next(field);)
      if (field.number == 1) value.name = reader.text(field);
  }
  const std::string where = fmt::format("\"{}\"", printable(value.name));
  const Bytes type = only(bytes, 2, where);
  const Bytes tensor = only(type, 1, where);
  if (type.empty() && of_body) {
    value.is_typed = false;
    return value;
  }
  if (tensor.empty()) refuse("is no tensor", where);
  std::int64_t element = 0;
  WireReader reader(tensor, where);
  for (Field field; reader.next(field);)
    if (field.number == 1) element = reader.integer(field);
  if (element == 0 && of_body)
    value.is_typed = false;
  else
    value.type = element_type(element, where);
  if (value.type == ElementType::kBfloat16) refuse("is bfloat16, which only weights may be", where);
  const Bytes shape = only(tensor, 2, where);
  WireReader dims(shape, where);
  for (Field field; dims.next(field);) {
    if (field.number != 1) continue;
    if (value.shape.size() >= limits.rank)
      refuse(fmt::format("has more than {} dimensions", limits.rank), where);
    WireReader dim(dims.bytes(field), where);
    std::int64_t extent = -1;
    for (Field part; dim.next(part);)
      if (part.number == 1) {
        extent = dim.integer(part);
        if (extent < 0) refuse(fmt::format("has the negative extent {}", extent), where);
      }
    value.shape.push_back(extent);
  }
  std::vector<std::int64_t> fixed = value.shape;
  for (std::int64_t& extent : fixed)
    if (extent < 0) extent = 1;
  element_count(fixed, limits, where);
  return value;
}

// A Constant node is a constant.
OnnxTensor constant_of(OnnxNode& node) {
  const std::string where = fmt::format("node \"{}\" (Constant)", node.name);
  if (node.outputs.size() != 1 || node.attributes.size() != 1)
    refuse("needs one output and one value", where);
  auto& [name, attribute] = *node.attributes.begin();
  OnnxTensor tensor;
  using Kind = OnnxAttribute::Kind;
  const auto take_floats = [&](const float* from, std::size_t count) {
    tensor.count = static_cast<std::int64_t>(count);
    tensor.owned.resize(count * sizeof(float));
    if (count > 0) std::memcpy(tensor.owned.data(), from, tensor.owned.size());
    tensor.floats = tensor.owned;
  };
  if (name == "value" && attribute.kind == Kind::kTensor) {
    tensor = std::move(attribute.t);
  } else if (name == "value_float" && attribute.kind == Kind::kFloat) {
    take_floats(&attribute.f, 1);
  } else if (name == "value_floats" && attribute.kind == Kind::kFloats) {
    tensor.shape = {static_cast<std::int64_t>(attribute.floats.size())};
    take_floats(attribute.floats.data(), attribute.floats.size());
  } else if (name == "value_int" && attribute.kind == Kind::kInt) {
    tensor.type = ElementType::kInt64;
    tensor.integers = {attribute.i};
    tensor.count = 1;
  } else if (name == "value_ints" && attribute.kind == Kind::kInts) {
    tensor.type = ElementType::kInt64;
    tensor.shape = {static_cast<std::int64_t>(attribute.ints.size())};
    tensor.count = tensor.shape[0];
    tensor.integers = attribute.ints;
  } else {
    refuse(fmt::format("has the value \"{}\", which is not known", printable(name)), where);
  }
  tensor.name = node.outputs[0];
  return tensor;
}

// Every name is made once, before it is used. A body reads names of its own, and of what has been made around
// it by then.
class NameCheck {
 public:
  NameCheck(OnnxGraph& graph, NameCheck* around) : graph_(graph), around_(around) {}

  void run(const std::string& where_graph) {
    for (const OnnxTensor& constant : graph_.constants)
      make(constant.name, fmt::format("tensor \"{}\"", printable(constant.name)));
    for (const OnnxValue& input : graph_.inputs)
      make(input.name, fmt::format("input \"{}\"", printable(input.name)));
    for (const OnnxNode& node : graph_.nodes)
      for (const std::string& name : node.outputs) makers_.emplace(name, &node);
    for (OnnxNode& node : graph_.nodes) {
      const std::string where = fmt::format("node \"{}\" ({})", node.name, printable(node.op_type));
      for (const std::string& name : node.inputs)
        if (!name.empty()) find(name, where);
      std::set<std::string> captured;
      for (auto& [name, attribute] : node.attributes) {
        if (attribute.g == nullptr) continue;
        NameCheck(*attribute.g, this).run(fmt::format("{}, its body \"{}\"", where, printable(name)));
        captured.insert(attribute.g->captured.begin(), attribute.g->captured.end());
      }
      node.captured.assign(captured.begin(), captured.end());
      if (node.outputs.empty()) refuse("has no output", where);
      for (const std::string& name : node.outputs) {
        if (name.empty()) continue;
        for (const NameCheck* outer = around_; outer != nullptr; outer = outer->around_)
          if (outer->made_.contains(name))
            refuse(fmt::format("makes \"{}\", which the graph around it has made", printable(name)), where);
        make(name, where);
      }
    }
    std::set<std::string> outputs;
    for (const OnnxValue& output : graph_.outputs) {
      const std::string where = around_ == nullptr
                                    ? fmt::format("output \"{}\"", printable(output.name))
                                    : fmt::format("{}, output \"{}\"", where_graph, printable(output.name));
      if (!made_.contains(output.name) && (around_ == nullptr || !around_->is_made(output.name)))
        refuse("is made by no node", where);
      if (!made_.contains(output.name)) captured_.insert(output.name);
      // A body's value may be carried on and be kept as well.
      if (!outputs.insert(output.name).second && around_ == nullptr) refuse("is there twice", where);
    }
    if (graph_.outputs.empty()) refuse("has no output", where_graph);
    graph_.captured.assign(captured_.begin(), captured_.end());
    for (const std::string& name : captured_) around_->note(name);
  }

 private:
  void make(const std::string& name, const std::string& where) {
    if (name.empty()) refuse("has no name", where);
    if (!made_.insert(name).second) refuse(fmt::format("makes \"{}\" a second time", printable(name)), where);
  }

  bool is_made(const std::string& name) const {
    return made_.contains(name) || (around_ != nullptr && around_->is_made(name));
  }

  // What a body reads, this graph has, or reads from around it in turn.
  void note(const std::string& name) {
    if (!made_.contains(name)) captured_.insert(name);
  }

  void find(const std::string& name, const std::string& where) {
    if (made_.contains(name)) return;
    for (NameCheck* scope = this; scope != nullptr; scope = scope->around_) {
      if (scope->made_.contains(name)) {
        captured_.insert(name);
        return;
      }
      if (const auto maker = scope->makers_.find(name); maker != scope->makers_.end())
        refuse(fmt::format(
                   "takes \"{}\" before it is made by node \"{}\": the nodes are out of order or in a cycle",
                   printable(name), maker->second->name),
               where);
    }
    refuse(fmt::format("takes \"{}\", which is neither an input nor a constant nor made by a node",
                       printable(name)),
           where);
  }

  OnnxGraph& graph_;
  NameCheck* around_;
  std::unordered_set<std::string> made_;
  std::unordered_map<std::string, const OnnxNode*> makers_;
  std::set<std::string> captured_;
};

void read_graph(Bytes bytes, Reading& reading, OnnxGraph& graph) {
  const OnnxLimits& limits = reading.limits;
  const bool is_body = reading.depth > 0;
  WireReader reader(bytes, "graph");
  std::unordered_set<std::string> constants;
  const auto add_constant = [&](OnnxTensor tensor) {
    if (reading.constants++ >= limits.constants)
      refuse(fmt::format("has more than {} constants", limits.constants), "graph");
    constants.insert(tensor.name);
    graph.constants.push_back(std::move(tensor));
  };
  std::size_t place = 0;
  for (Field field; reader.next(field);) {
    switch (field.number) {
      case kNode: {
        if (reading.nodes++ >= limits.nodes)
          refuse(fmt::format("has more than {} nodes", limits.nodes), "graph");
        OnnxNode node = read_node(reader.bytes(field), reading, place++);
        if (node.op_type == "Constant")
          add_constant(constant_of(node));
        else
          graph.nodes.push_back(std::move(node));
        break;
      }
      case kInitializer:
        add_constant(read_tensor(reader.bytes(field), limits, reading.external,
                                 fmt::format("initializer {}", graph.constants.size())));
        break;
      case kSparseInitializer:
        refuse("has sparse initializers, which are not known", "graph");
      case kInput:
        graph.inputs.push_back(read_value(reader.bytes(field), limits, is_body));
        break;
      case kOutput:
        graph.outputs.push_back(read_value(reader.bytes(field), limits, is_body));
        break;
      default:
        break;
    }
  }
  // Inputs that have a constant of the same name are not asked for. Those of a body stand at their places.
  if (!is_body)
    std::erase_if(graph.inputs, [&](const OnnxValue& input) { return constants.contains(input.name); });
}

}  // namespace

const char* to_string(ElementType type) {
  switch (type) {
    case ElementType::kFloat:
      return "float";
    case ElementType::kInt8:
      return "int8";
    case ElementType::kBfloat16:
      return "bfloat16";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kBool:
      return "bool";
    case ElementType::kFloat16:
      return "float16";
    case ElementType::kDouble:
      return "float64";
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt16:
      return "int16";
    case ElementType::kUint16:
      return "uint16";
    case ElementType::kUint32:
      return "uint32";
    case ElementType::kUint64:
      return "uint64";
  }
  return "?";
}

float OnnxTensor::float_at(std::int64_t i) const {
  float value;
  std::memcpy(&value, floats.data() + static_cast<std::size_t>(i) * sizeof value, sizeof value);
  return value;
}

OnnxGraph read_onnx(Bytes bytes, const OnnxLimits& limits, ExternalData* external) {
  OnnxGraph graph;
  WireReader reader(bytes, "model");
  std::int64_t ir_version = 0;
  Bytes graph_bytes;
  bool has_graph = false;
  for (Field field; reader.next(field);) {
    switch (field.number) {
      case kIrVersion:
        ir_version = reader.integer(field);
        break;
      case kProducerName:
        graph.producer = printable(reader.text(field));
        break;
      case kGraph:
        if (has_graph) refuse("holds two graphs", "model");
        graph_bytes = reader.bytes(field);
        has_graph = true;
        break;
      case kOpsetImport: {
        WireReader opset(reader.bytes(field), "opset_import");
        std::string domain;
        std::int64_t version = 0;
        for (Field part; opset.next(part);) {
          if (part.number == 1) domain = opset.text(part);
          if (part.number == 2) version = opset.integer(part);
        }
        if (domain.empty() || domain == "ai.onnx") graph.opset = version;
        break;
      }
      case kMetadataProps: {
        WireReader entry(reader.bytes(field), "metadata_props");
        std::string key, value;
        for (Field part; entry.next(part);) {
          if (part.number == 1) key = entry.text(part);
          if (part.number == 2) value = entry.text(part);
        }
        graph.metadata[key] = value;
        break;
      }
      case kFunctions:
        refuse("defines functions of its own, which are not known", "model");
      default:
        break;
    }
  }
  if (!has_graph) refuse("holds no graph", "model", "is the file an ONNX model?");
  if (ir_version < 3 || ir_version > 13)
    refuse(fmt::format("has the IR version {}; known are 3 to 13", ir_version), "model");
  constexpr std::int64_t kFirstOpset = 9, kLastOpset = 23;
  if (graph.opset < kFirstOpset || graph.opset > kLastOpset)
    refuse(
        fmt::format("asks for the operator set {}; known are {} to {}", graph.opset, kFirstOpset, kLastOpset),
        "model");
  Reading reading{.limits = limits, .external = external};
  read_graph(graph_bytes, reading, graph);
  NameCheck(graph, nullptr).run("graph");
  check_finite(graph);
  return graph;
}

}  // namespace calo::infer
