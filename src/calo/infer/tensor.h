#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

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

/// Numbers of one type; memory only grows.
struct Tensor {
  ElementType type = ElementType::kFloat;
  Shape shape;
  LargeArray<float> floats;
  LargeArray<std::int64_t> integers;  ///< of the other types

  bool is_float() const { return type == ElementType::kFloat; }
  std::size_t size() const { return static_cast<std::size_t>(shape.count()); }
};

}  // namespace calo::infer
