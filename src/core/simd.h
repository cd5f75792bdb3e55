#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

/// Compiles a function for AVX-512, AVX2 and plain x86-64 and selects a version when the program starts, so
/// that one binary runs everywhere. The versions are named by levels of x86-64 and not by models:
/// "arch=haswell" is never selected on AMD. Not under sanitizers, which cannot run the selection.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CALOPIPE_SIMD_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CALOPIPE_SIMD_CLONES
#endif

namespace core {

/// e^x with a relative error of 2e-7, for loops that the compiler vectorises. x is clamped to the range of
/// normal floats.
inline __attribute__((always_inline)) float fast_exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  constexpr float kRound = 12582912.0f;  // 1.5 x 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // Cody and Waite's split of ln 2
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::uint32_t scale = (std::bit_cast<std::uint32_t>(shifted) + 127u) << 23;
  return p * std::bit_cast<float>(scale);
}

/// log(1 + u) for u in [0, 1], with an error of 1e-7: 2 atanh(u / (2 + u)).
inline __attribute__((always_inline)) float fast_log1p(float u) {
  const float s = u / (2.0f + u);
  const float q = s * s;
  return 2.0f * s *
         (1.0f + q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9 + q * (1.0f / 11))))));
}

inline __attribute__((always_inline)) float fast_sigmoid(float x) {
  return 1.0f / (1.0f + fast_exp(-x));
}

}  // namespace core
