#pragma once

#include <cstdint>

// Compiled once for each instruction set: what it is inlined into says for which.
#define CALOPIPE_INLINE [[gnu::always_inline]] inline

namespace calo::infer {

/// Vectors as the compiler knows them, read and written at any address.
template <int kLanes>
struct Vectors;
template <>
struct Vectors<4> {
  using Float = float __attribute__((vector_size(16), aligned(4), may_alias));
  using Int = std::uint32_t __attribute__((vector_size(16), aligned(4), may_alias));
  using Bytes = signed char __attribute__((vector_size(4), aligned(1), may_alias));
};
template <>
struct Vectors<8> {
  using Float = float __attribute__((vector_size(32), aligned(4), may_alias));
  using Int = std::uint32_t __attribute__((vector_size(32), aligned(4), may_alias));
  using Bytes = signed char __attribute__((vector_size(8), aligned(1), may_alias));
};
template <>
struct Vectors<16> {
  using Float = float __attribute__((vector_size(64), aligned(4), may_alias));
  using Int = std::uint32_t __attribute__((vector_size(64), aligned(4), may_alias));
  using Bytes = signed char __attribute__((vector_size(16), aligned(1), may_alias));
};

}  // namespace calo::infer
