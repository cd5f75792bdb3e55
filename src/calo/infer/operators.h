#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/onnx_graph.h"
#include "calo/infer/onnx_reader.h"
#include "calo/infer/tensor.h"
#include "core/philox.h"

namespace calo::infer {

/// One call of an operator: what it reads and writes, within which limits.
struct OperatorCall {
  const std::string& where;               ///< node and operator, for messages
  std::span<const Tensor* const> inputs;  ///< null where left out
  std::span<Tensor* const> outputs;       ///< null where nobody reads it
  const OnnxLimits& limits;
  std::int64_t& work;             ///< multiplications left; see OnnxLimits::work
  std::span<core::Philox> noise;  ///< by row; what is not by row takes the first
  bool noise_by_row = false;

  [[noreturn]] void fail(const std::string& message) const;
  const Tensor& input(std::size_t i) const;
  /// Null where it was left out.
  const Tensor* optional_input(std::size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  const Tensor& floats(std::size_t i) const;
  const Tensor& integers(std::size_t i) const;
  /// Sets type and shape of an output and gives it memory. @throws core::InputError where it is too large
  Tensor& output(std::size_t i, ElementType type, const Shape& shape) const;
  void spend(std::int64_t a, std::int64_t b, std::int64_t c) const;
};

using Operator = std::function<void(OperatorCall& call)>;

/// The simple interpreter's operators, each right for itself: elementwise with broadcasting, shapes,
/// products, normalisations and noise.
/// @throws core::InputError where the operator is not known, or its attributes are not
Operator make_operator(const OnnxNode& node, std::int64_t opset);

/// "node "name" (Op)".
std::string where_of(const OnnxNode& node);

/// Attributes with their defaults. @throws core::InputError where one is of another kind
float float_attribute(const OnnxNode& node, const std::string& name, float otherwise);
std::int64_t int_attribute(const OnnxNode& node, const std::string& name, std::int64_t otherwise);
std::vector<std::int64_t> ints_attribute(const OnnxNode& node, const std::string& name);
/// @throws core::InputError where the node has another attribute than these
void only_attributes(const OnnxNode& node, std::initializer_list<const char*> names);

/// An axis in [0, rank), negative ones counted from the end.
std::size_t axis_of(const OperatorCall& call, std::int64_t axis, std::size_t rank);

/// The shape that Reshape gives. @param allow_zero 0 is an extent, not "as before"
Shape reshaped(const OperatorCall& call, const Shape& from, std::span<const std::int64_t> target,
               bool allow_zero);

// By kind, in files of their own; null where the operator is of another kind.
Operator elementwise_operator(const OnnxNode& node, std::int64_t opset);
Operator shape_operator(const OnnxNode& node, std::int64_t opset);
Operator product_operator(const OnnxNode& node, std::int64_t opset);

}  // namespace calo::infer
