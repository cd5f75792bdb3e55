#pragma once

#include <cstdint>

// Compiled once for each instruction set: what it is inlined into says for which.
#define CALOPIPE_INLINE [[gnu::always_inline]] inline

namespace calo::infer {

/// Vectors as the compiler knows them. Memory is read and written by load() and store() only: an attribute
/// for any address would be lost in templates (clang).
template <int kLanes>
struct Vectors;
template <>
struct Vectors<4> {
  using Float = float __attribute__((vector_size(16), aligned(4), may_alias));
  using Int = std::uint32_t __attribute__((vector_size(16), aligned(4), may_alias));
  using Signed = std::int32_t __attribute__((vector_size(16), aligned(4), may_alias));
  using Bytes = signed char __attribute__((vector_size(4), aligned(1), may_alias));
};
template <>
struct Vectors<8> {
  using Float = float __attribute__((vector_size(32), aligned(4), may_alias));
  using Int = std::uint32_t __attribute__((vector_size(32), aligned(4), may_alias));
  using Signed = std::int32_t __attribute__((vector_size(32), aligned(4), may_alias));
  using Bytes = signed char __attribute__((vector_size(8), aligned(1), may_alias));
};
template <>
struct Vectors<16> {
  using Float = float __attribute__((vector_size(64), aligned(4), may_alias));
  using Int = std::uint32_t __attribute__((vector_size(64), aligned(4), may_alias));
  using Signed = std::int32_t __attribute__((vector_size(64), aligned(4), may_alias));
  using Bytes = signed char __attribute__((vector_size(16), aligned(1), may_alias));
};

/// Doubles, and as many floats.
template <int kLanes>
struct Doubles;
template <>
struct Doubles<2> {
  using Double = double __attribute__((vector_size(16), aligned(4), may_alias));
  using Float = float __attribute__((vector_size(8), aligned(4), may_alias));
};
template <>
struct Doubles<4> {
  using Double = double __attribute__((vector_size(32), aligned(4), may_alias));
  using Float = float __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct Doubles<8> {
  using Double = double __attribute__((vector_size(64), aligned(4), may_alias));
  using Float = float __attribute__((vector_size(32), aligned(4), may_alias));
};

// (Not by memcpy: g++ 12 copies 32 bytes by halves through the stack, for it chooses the copy before it
// inlines.)
template <class Vector>
struct [[gnu::packed, gnu::may_alias]] AnyAddress {
  Vector vector;
};

template <class Vector>
CALOPIPE_INLINE void load(Vector& vector, const void* from) {
  vector = static_cast<const AnyAddress<Vector>*>(from)->vector;
}
template <class Vector>
CALOPIPE_INLINE void store(void* to, const Vector& vector) {
  static_cast<AnyAddress<Vector>*>(to)->vector = vector;
}

/// x = at least `least`, at most `most`; NaN stays. (By name for g++ 12, which makes a comparison and a
/// choice of it.)
template <int kLanes>
CALOPIPE_INLINE void clamp(typename Vectors<kLanes>::Float& x, float least, float most) {
  using Float = typename Vectors<kLanes>::Float;
  const Float low = Float{} + least, high = Float{} + most;
#if defined(__x86_64__) && !defined(__clang__)
  if constexpr (kLanes == 4) {
    Float bounded = low, both = high;
    asm("maxps %1, %0" : "+x"(bounded) : "x"(x));
    asm("minps %1, %0" : "+x"(both) : "x"(bounded));
    x = both;
  } else {
    Float bounded;
    asm("vmaxps %2, %1, %0" : "=v"(bounded) : "v"(low), "v"(x));
    asm("vminps %2, %1, %0" : "=v"(x) : "v"(high), "v"(bounded));
  }
#else
  x = x < low ? low : x;
  x = x > high ? high : x;
#endif
}

}  // namespace calo::infer
