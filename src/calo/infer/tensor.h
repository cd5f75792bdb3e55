#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

#include "calo/infer/large_array.h"
#include "calo/infer/onnx_graph.h"

namespace calo::infer {

/// Extents of a tensor, of at most 8 dimensions; holds no memory of its own.
struct Shape {
  static constexpr std::size_t kMaxRank = 8;

  std::size_t rank = 0;
  std::array<std::int64_t, kMaxRank> extents{};

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> list) : Shape(std::span(list.begin(), list.size())) {}
  explicit Shape(std::span<const std::int64_t> list) : rank(list.size()) {
    for (std::size_t i = 0; i < rank; ++i) extents[i] = list[i];
  }

  std::int64_t& operator[](std::size_t i) { return extents[i]; }
  std::int64_t operator[](std::size_t i) const { return extents[i]; }
  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (std::size_t i = 0; i < rank; ++i)
      if (extents[i] != other.extents[i]) return false;
    return true;
  }
  std::span<const std::int64_t> span() const { return {extents.data(), rank}; }
  /// Product of the extents from dimension `begin` to before `end`; they have been checked not to overflow.
  std::int64_t count(std::size_t begin, std::size_t end) const {
    std::int64_t product = 1;
    for (std::size_t i = begin; i < end; ++i) product *= extents[i];
    return product;
  }
  std::int64_t count() const { return count(0, rank); }
  void push_back(std::int64_t extent) { extents[rank++] = extent; }
  std::string to_string() const;
};

constexpr bool is_double(ElementType type) {
  return type == ElementType::kDouble;
}
/// Kept as float: float32, and float16, which is rounded after each operator.
constexpr bool is_single(ElementType type) {
  return type == ElementType::kFloat || type == ElementType::kFloat16 || type == ElementType::kBfloat16;
}
constexpr bool is_real(ElementType type) {
  return is_single(type) || is_double(type);
}

/// Numbers of one type; memory only grows.
struct Tensor {
  ElementType type = ElementType::kFloat;
  Shape shape;
  LargeArray<float> floats;           ///< of float32 and float16
  LargeArray<double> doubles;         ///< of float64
  LargeArray<std::int64_t> integers;  ///< of the other types; uint64 by its bits

  bool is_float() const { return is_single(type); }
  std::size_t size() const { return static_cast<std::size_t>(shape.count()); }

  /// The numbers as the type that by_storage() gives for them.
  template <class T>
  T* numbers() {
    if constexpr (std::is_same_v<T, float>)
      return floats.data();
    else if constexpr (std::is_same_v<T, double>)
      return doubles.data();
    else
      return reinterpret_cast<T*>(integers.data());  // int64_t, or uint64_t, which may alias it
  }
  template <class T>
  const T* numbers() const {
    return const_cast<Tensor*>(this)->numbers<T>();
  }
  void make_room() {
    if (is_single(type))
      floats.make_room(size());
    else if (is_double(type))
      doubles.make_room(size());
    else
      integers.make_room(size());
  }
};

// NOLINTBEGIN(bugprone-branch-clone): the branches differ by their types.
/// body(T()) with the type in which the numbers of an element type are kept: float, double, int64_t, or
/// uint64_t.
template <class Body>
void by_storage(ElementType type, const Body& body) {
  if (is_single(type))
    body(float());
  else if (is_double(type))
    body(double());
  else if (type == ElementType::kUint64)
    body(std::uint64_t());
  else
    body(std::int64_t());
}
/// body(T()) with float or double; the type is a real one.
template <class Body>
void by_real(ElementType type, const Body& body) {
  if (is_double(type))
    body(double());
  else
    body(float());
}
// NOLINTEND(bugprone-branch-clone)

/// Brings numbers into the range and precision of their type, as two's complement wraps around and float16
/// rounds (to the nearest, half to even).
void settle(Tensor& tensor);

/// float16 as its bits.
float from_half(std::uint16_t bits);
std::uint16_t to_half(float x);

}  // namespace calo::infer
