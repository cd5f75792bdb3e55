#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/onnx_graph.h"
#include "calo/infer/onnx_reader.h"
#include "calo/infer/precision.h"
#include "calo/infer/tensor.h"
#include "core/philox.h"
#include "core/thread_pool.h"

namespace calo::infer {

/// What an operator keeps from one run to the next, in the workspace: its own, where it made one.
struct Kept {
  virtual ~Kept() = default;
};

/// One call of an operator: what it reads and writes, within which limits.
struct OperatorCall {
  const std::string& where;               ///< node and operator, for messages
  std::span<const Tensor* const> inputs;  ///< null if left out
  std::span<Tensor* const> outputs;       ///< null if nobody reads it
  const OnnxLimits& limits;
  std::int64_t& work;             ///< multiplications left; see OnnxLimits::work
  std::span<core::Philox> noise;  ///< by row; what is not by row takes the first
  bool noise_by_row = false;
  LargeArray<std::byte>* scratch = nullptr;  ///< kept from run to run; null if constants are folded
  core::ThreadPool* pool = nullptr;
  Isa isa = best_isa();
  std::unique_ptr<Kept>* kept = nullptr;  ///< null if constants are folded
  std::int64_t* iterations = nullptr;     ///< left of all loops; see OnnxLimits. Null likewise

  [[noreturn]] void fail(const std::string& message) const;
  const Tensor& input(std::size_t i) const;
  /// Null where it was left out.
  const Tensor* optional_input(std::size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  /// float32 or float16
  const Tensor& floats(std::size_t i) const;
  /// these or float64
  const Tensor& reals(std::size_t i) const;
  /// A real input of the same type as the first.
  const Tensor& like_first(std::size_t i) const;
  /// integers or bool
  const Tensor& integers(std::size_t i) const;
  /// A constant list of integers: of at most one dimension.
  std::span<const std::int64_t> list(std::size_t i) const;
  /// @throws core::InputError if there are fewer or more inputs
  void inputs_between(std::size_t least, std::size_t most) const;
  /// Sets type and shape of an output and gives it memory. @throws core::InputError if it is too large
  Tensor& output(std::size_t i, ElementType type, const Shape& shape) const;
  void spend(std::int64_t a, std::int64_t b, std::int64_t c) const;
};

using Operator = std::function<void(OperatorCall& call)>;

/// The simple interpreter's operators, each right for itself. What they make is settled (see tensor.h) by
/// whoever calls them.
/// @throws core::InputError if the operator is not known, or its attributes are not
Operator make_operator(const OnnxNode& node, std::int64_t opset);

/// Every operator that make_operator() knows, in alphabetical order.
std::vector<std::string> operator_names();

/// "node "name" (Op)".
std::string where_of(const OnnxNode& node);
[[noreturn]] void refuse_node(const OnnxNode& node, const std::string& message);

/// Attributes with their defaults. @throws core::InputError if one is of another kind
float float_attribute(const OnnxNode& node, const std::string& name, float otherwise);
std::int64_t int_attribute(const OnnxNode& node, const std::string& name, std::int64_t otherwise);
/// 0 or 1.
bool flag_attribute(const OnnxNode& node, const std::string& name, bool otherwise);
std::string string_attribute(const OnnxNode& node, const std::string& name, const std::string& otherwise);
std::vector<std::int64_t> ints_attribute(const OnnxNode& node, const std::string& name);
std::vector<float> floats_attribute(const OnnxNode& node, const std::string& name);
std::vector<std::string> strings_attribute(const OnnxNode& node, const std::string& name);
bool has_attribute(const OnnxNode& node, const std::string& name);
/// A type to cast to or to make. @throws core::InputError if it is not known
ElementType type_attribute(const OnnxNode& node, const std::string& name, ElementType otherwise);
/// @throws core::InputError if the node has another attribute than these
void only_attributes(const OnnxNode& node, std::initializer_list<const char*> names);
/// Kernels, strides, dilations, pads: as many as the dimensions that they belong to, or none; each in range.
std::vector<std::int64_t> extents_attribute(const OnnxNode& node, const std::string& name, std::int64_t least,
                                            std::int64_t most);

/// An axis in [0, rank), negative ones counted from the end.
std::size_t axis_of(const OperatorCall& call, std::int64_t axis, std::size_t rank);

/// The shape that Reshape gives. @param allow_zero 0 is an extent, not "as before"
Shape reshaped(const OperatorCall& call, const Shape& from, std::span<const std::int64_t> target,
               bool allow_zero);

/// Whether the node runs graphs of its own: Loop and If, of which compile() makes operators.
bool has_bodies(const OnnxNode& node);

/// Copies `count` elements between tensors of one type.
void copy(const Tensor& from, std::int64_t begin, Tensor& to, std::int64_t place, std::int64_t count);

/// Makers by name, given by each kind's file.
using OperatorMaker = std::function<Operator(const OnnxNode& node, std::int64_t opset)>;
using OperatorTable = std::map<std::string, OperatorMaker>;
void add_elementwise_operators(OperatorTable& table);
void add_cast_operators(OperatorTable& table);
void add_shape_operators(OperatorTable& table);
void add_gather_operators(OperatorTable& table);
void add_product_operators(OperatorTable& table);
void add_normalisation_operators(OperatorTable& table);
void add_reduce_operators(OperatorTable& table);
void add_convolution_operators(OperatorTable& table);
void add_pool_operators(OperatorTable& table);
void add_recurrent_operators(OperatorTable& table);
void add_einsum_operators(OperatorTable& table);
void add_resize_operators(OperatorTable& table);
void add_random_operators(OperatorTable& table);

}  // namespace calo::infer
