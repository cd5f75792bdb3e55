#pragma once

#include <cstdint>
#include <vector>

#include "core/philox.h"
#include "tune/algorithm.h"

namespace tune {

/// Uses of random numbers of one trial.
enum class Stream : std::uint32_t { kRandom = 0x7475'0001, kShift, kTpe, kCmaEs, kGaussianProcess };

inline core::Philox generator(std::uint64_t seed, std::int64_t number, Stream stream) {
  return {seed, static_cast<std::uint64_t>(number), static_cast<std::uint32_t>(stream)};
}

/// Uniform in (0, 1), 53 bits.
inline double uniform(core::Philox& random) {
  const std::uint64_t high = random.next_u32() >> 5, low = random.next_u32() >> 6;
  return (static_cast<double>(high * 67108864 + low) + 0.5) * 0x1p-53;
}

/// A point of the unit cube, uniformly.
inline std::vector<double> uniform_point(std::size_t dimensions, core::Philox& random) {
  std::vector<double> places(dimensions);
  for (double& place : places) place = uniform(random);
  return places;
}

/// Point `number` of a shifted Sobol sequence in the unit cube.
std::vector<double> sobol_point(std::size_t dimensions, std::uint64_t seed, std::int64_t number);

}  // namespace tune
