#include "calo/infer/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace calo::infer {
namespace {

const OnnxAttribute* find(const OnnxNode& node, const std::string& name, OnnxAttribute::Kind kind) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return nullptr;
  if (found->second.kind != kind)
    throw core::InputError(
        {.message = fmt::format("has the attribute \"{}\" of another kind", name), .field = where_of(node)});
  return &found->second;
}

}  // namespace

std::string where_of(const OnnxNode& node) {
  return fmt::format("node \"{}\" ({})", node.name, node.op_type);
}

void refuse_node(const OnnxNode& node, const std::string& message) {
  throw core::InputError({.message = message, .field = where_of(node)});
}

void OperatorCall::fail(const std::string& message) const {
  throw core::InputError({.message = message, .field = where});
}

const Tensor& OperatorCall::input(std::size_t i) const {
  if (i >= inputs.size() || inputs[i] == nullptr) fail(fmt::format("misses its input {}", i));
  return *inputs[i];
}

const Tensor& OperatorCall::floats(std::size_t i) const {
  const Tensor& tensor = input(i);
  if (!tensor.is_float()) fail(fmt::format("needs floats as input {}, not {}", i, to_string(tensor.type)));
  return tensor;
}

const Tensor& OperatorCall::reals(std::size_t i) const {
  const Tensor& tensor = input(i);
  if (!is_real(tensor.type)) fail(fmt::format("needs floats as input {}, not {}", i, to_string(tensor.type)));
  return tensor;
}

const Tensor& OperatorCall::like_first(std::size_t i) const {
  const Tensor& tensor = reals(i);
  if (tensor.type != input(0).type)
    fail(fmt::format("takes two types, {} and {}", to_string(input(0).type), to_string(tensor.type)));
  return tensor;
}

std::span<const std::int64_t> OperatorCall::list(std::size_t i) const {
  const Tensor& tensor = integers(i);
  if (tensor.shape.rank > 1) fail(fmt::format("needs a list as input {}", i));
  return {tensor.integers.data(), tensor.size()};
}

void OperatorCall::inputs_between(std::size_t least, std::size_t most) const {
  if (inputs.size() < least || inputs.size() > most)
    fail(fmt::format("has {} inputs, and {} to {} are known", inputs.size(), least, most));
}

const Tensor& OperatorCall::integers(std::size_t i) const {
  const Tensor& tensor = input(i);
  if (is_real(tensor.type)) fail(fmt::format("needs integers as input {}", i));
  return tensor;
}

Tensor& OperatorCall::output(std::size_t i, ElementType type, const Shape& shape) const {
  if (i >= outputs.size() || outputs[i] == nullptr) fail(fmt::format("misses its output {}", i));
  std::int64_t count = 1;
  for (const std::int64_t extent : shape.span()) {
    if (extent < 0) fail(fmt::format("makes the shape {}", shape.to_string()));
    if (extent > 0 && count > limits.elements / extent)
      fail(fmt::format("makes more than {} elements: {}", limits.elements, shape.to_string()));
    count *= extent;
  }
  Tensor& tensor = *outputs[i];
  tensor.type = type;
  tensor.shape = shape;
  tensor.make_room();
  return tensor;
}

void OperatorCall::spend(std::int64_t a, std::int64_t b, std::int64_t c) const {
  for (const std::int64_t factor : {a, b, c})
    if (factor == 0) return;
  // Each is at most limits.elements.
  const double product = static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
  if (product > static_cast<double>(work)) fail("asks for more work than a model may");
  work -= static_cast<std::int64_t>(product);
}

float float_attribute(const OnnxNode& node, const std::string& name, float otherwise) {
  const OnnxAttribute* found = find(node, name, OnnxAttribute::Kind::kFloat);
  return found != nullptr ? found->f : otherwise;
}

std::int64_t int_attribute(const OnnxNode& node, const std::string& name, std::int64_t otherwise) {
  const OnnxAttribute* found = find(node, name, OnnxAttribute::Kind::kInt);
  return found != nullptr ? found->i : otherwise;
}

std::vector<std::int64_t> ints_attribute(const OnnxNode& node, const std::string& name) {
  const OnnxAttribute* found = find(node, name, OnnxAttribute::Kind::kInts);
  return found != nullptr ? found->ints : std::vector<std::int64_t>();
}

bool flag_attribute(const OnnxNode& node, const std::string& name, bool otherwise) {
  const std::int64_t value = int_attribute(node, name, otherwise ? 1 : 0);
  if (value != 0 && value != 1)
    refuse_node(node, fmt::format("has the value {} of \"{}\", which is neither 0 nor 1", value, name));
  return value != 0;
}

std::string string_attribute(const OnnxNode& node, const std::string& name, const std::string& otherwise) {
  const OnnxAttribute* found = find(node, name, OnnxAttribute::Kind::kString);
  return found != nullptr ? found->s : otherwise;
}

std::vector<float> floats_attribute(const OnnxNode& node, const std::string& name) {
  const OnnxAttribute* found = find(node, name, OnnxAttribute::Kind::kFloats);
  return found != nullptr ? found->floats : std::vector<float>();
}

std::vector<std::string> strings_attribute(const OnnxNode& node, const std::string& name) {
  const OnnxAttribute* found = find(node, name, OnnxAttribute::Kind::kStrings);
  return found != nullptr ? found->strings : std::vector<std::string>();
}

bool has_attribute(const OnnxNode& node, const std::string& name) {
  return node.attributes.contains(name);
}

ElementType type_attribute(const OnnxNode& node, const std::string& name, ElementType otherwise) {
  const std::int64_t type = int_attribute(node, name, static_cast<std::int64_t>(otherwise));
  if (!is_known_type(type) || static_cast<ElementType>(type) == ElementType::kBfloat16)
    refuse_node(node, fmt::format("makes the type {}, which is not known", type));
  return static_cast<ElementType>(type);
}

std::vector<std::int64_t> extents_attribute(const OnnxNode& node, const std::string& name, std::int64_t least,
                                            std::int64_t most) {
  std::vector<std::int64_t> values = ints_attribute(node, name);
  if (values.size() > 2 * Shape::kMaxRank)
    refuse_node(node, fmt::format("has {} numbers as \"{}\"", values.size(), name));
  for (const std::int64_t value : values)
    if (value < least || value > most)
      refuse_node(node, fmt::format("has {} in \"{}\", which is out of range", value, name));
  return values;
}

void copy(const Tensor& from, std::int64_t begin, Tensor& to, std::int64_t place, std::int64_t count) {
  if (count == 0) return;
  by_storage(from.type, [&](auto kind) {
    using T = decltype(kind);
    std::memcpy(to.numbers<T>() + place, from.numbers<T>() + begin,
                static_cast<std::size_t>(count) * sizeof(T));
  });
}

void only_attributes(const OnnxNode& node, std::initializer_list<const char*> names) {
  for (const auto& [name, attribute] : node.attributes)
    if (std::find_if(names.begin(), names.end(),
                     [&name = name](const char* known) { return name == known; }) == names.end())
      throw core::InputError({.message = fmt::format("has the attribute \"{}\", which is not known", name),
                              .field = where_of(node)});
}

std::size_t axis_of(const OperatorCall& call, std::int64_t axis, std::size_t rank) {
  const auto dimensions = static_cast<std::int64_t>(rank);
  if (axis < -dimensions || axis >= dimensions)
    call.fail(fmt::format("has the axis {}, and its tensor {} dimensions", axis, rank));
  return static_cast<std::size_t>(axis < 0 ? axis + dimensions : axis);
}

Shape reshaped(const OperatorCall& call, const Shape& from, std::span<const std::int64_t> target,
               bool allow_zero) {
  if (target.size() > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
  Shape shape(target);
  std::int64_t known = 1;
  std::ptrdiff_t open = -1;
  for (std::size_t i = 0; i < shape.rank; ++i) {
    if (shape[i] == 0 && !allow_zero) {
      if (i >= from.rank) call.fail("keeps an extent that is not there");
      shape[i] = from[i];
    }
    if (shape[i] == -1) {
      if (open >= 0) call.fail("leaves two extents open");
      open = static_cast<std::ptrdiff_t>(i);
      continue;
    }
    if (shape[i] < 0) call.fail(fmt::format("has the negative extent {}", shape[i]));
    if (shape[i] > 0 && known > call.limits.elements / shape[i])
      call.fail(fmt::format("makes more than {} elements", call.limits.elements));
    known *= shape[i];
  }
  if (open >= 0) {
    if (known == 0 || from.count() % known != 0)
      call.fail(fmt::format("cannot make {} of {}", shape.to_string(), from.to_string()));
    shape[static_cast<std::size_t>(open)] = from.count() / known;
  } else if (known != from.count()) {
    call.fail(fmt::format("cannot make {} of {}", shape.to_string(), from.to_string()));
  }
  return shape;
}

namespace {

const OperatorTable& operators() {
  static const OperatorTable all = [] {
    OperatorTable table;
    add_elementwise_operators(table);
    add_cast_operators(table);
    add_shape_operators(table);
    add_gather_operators(table);
    add_product_operators(table);
    add_normalisation_operators(table);
    add_reduce_operators(table);
    add_convolution_operators(table);
    add_pool_operators(table);
    add_recurrent_operators(table);
    add_einsum_operators(table);
    add_resize_operators(table);
    add_random_operators(table);
    return table;
  }();
  return all;
}

}  // namespace

bool has_bodies(const OnnxNode& node) {
  return node.op_type == "Loop" || node.op_type == "If";
}

Operator make_operator(const OnnxNode& node, std::int64_t opset) {
  const auto found = operators().find(node.op_type);
  if (found == operators().end())
    throw core::InputError({.message = "is an operator that is not known",
                            .field = where_of(node),
                            .hint = "doc/infer.md lists those that are"});
  return found->second(node, opset);
}

std::vector<std::string> operator_names() {
  std::vector<std::string> names = {"Constant", "If", "Loop"};  // made by the reader, and by compile()
  for (const auto& [name, maker] : operators()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace calo::infer
