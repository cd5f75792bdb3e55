#pragma once

#include <cstdint>
#include <vector>

#include "core/philox.h"

namespace test {

/// Normal numbers of variance 1 around `shift`.
inline std::vector<double> normals(std::size_t count, std::uint64_t seed, double shift = 0) {
  std::vector<double> values;
  core::Philox random(seed, 0);
  for (std::size_t i = 0; i < count; ++i) values.push_back(random.normal() + shift);
  return values;
}

}  // namespace test
