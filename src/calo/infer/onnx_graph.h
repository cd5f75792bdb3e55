#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace calo::infer {

/// ONNX element types that the engine knows, by their number in TensorProto. bfloat16 is known as stored
/// weights only: constants that a Cast makes floats of.
enum class ElementType : std::int32_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16
};

/// Whether a number in a file or an attribute is that of a known element type.
constexpr bool is_known_type(std::int64_t number) {
  return (number >= 1 && number <= 7) || (number >= 9 && number <= 13) || number == 16;
}

/// Whether large weights of the type stay where the file has them, as they are.
constexpr bool is_narrow(ElementType type) {
  return type == ElementType::kInt8 || type == ElementType::kBfloat16;
}

const char* to_string(ElementType type);

/// A constant of the graph. The numbers of large ones stay where the file lies in memory.
struct OnnxTensor {
  std::string name;
  ElementType type = ElementType::kFloat;
  std::vector<std::int64_t> shape;  ///< each ≥ 0, their product within the limits
  std::int64_t count = 0;
  /// float32, little-endian, at any address: in the file's bytes, or in `owned`; of float16 widened.
  std::span<const std::byte> floats;
  std::span<const std::byte> narrow;   ///< int8 or bfloat16, little-endian, likewise
  std::vector<double> doubles;         ///< of float64
  std::vector<std::int64_t> integers;  ///< of the other types; uint64 by its bits
  std::vector<std::byte> owned;

  OnnxTensor() = default;
  OnnxTensor(OnnxTensor&&) = default;  // `floats` and `narrow` may point into `owned`
  OnnxTensor& operator=(OnnxTensor&&) = default;

  float float_at(std::int64_t i) const;
};

struct OnnxGraph;

/// Of one kind each, as ONNX has it.
struct OnnxAttribute {
  enum class Kind { kFloat, kInt, kString, kTensor, kGraph, kFloats, kInts, kStrings };
  Kind kind = Kind::kInt;
  float f = 0;
  std::int64_t i = 0;
  std::string s;
  OnnxTensor t;
  std::shared_ptr<OnnxGraph> g;  ///< a body, of Loop and If
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string> strings;
};

struct OnnxNode {
  std::string name;  ///< as in the file, or made from operator and place
  std::string op_type;
  std::vector<std::string> inputs;  ///< empty names are inputs left out
  std::vector<std::string> outputs;
  std::map<std::string, OnnxAttribute> attributes;
  /// What its bodies read of the graph that it stands in, beside its inputs.
  std::vector<std::string> captured;
};

/// An input or output. -1 is an extent that is not fixed.
struct OnnxValue {
  std::string name;
  ElementType type = ElementType::kFloat;
  std::vector<std::int64_t> shape;  ///< empty = a scalar, or not said
  bool is_typed = true;             ///< bodies may leave the type open
};

/// A graph that has been checked: names are unique, every node's inputs exist before it, constants are as
/// large as they say. So are the bodies of Loop and If, which may read what the graphs around them have made
/// before; a body's name hides the same name around it.
struct OnnxGraph {
  std::int64_t opset = 0;
  std::string producer;
  std::map<std::string, std::string> metadata;
  std::vector<OnnxNode> nodes;  ///< in an order in which they can run
  std::vector<OnnxTensor> constants;
  std::vector<OnnxValue> inputs;  ///< without those that are constants
  std::vector<OnnxValue> outputs;
  /// Of a body: names that stand for values of the graph around it.
  std::vector<std::string> captured;
};

}  // namespace calo::infer
