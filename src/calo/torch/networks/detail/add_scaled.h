#pragma once

#include <cstddef>

namespace calo {

/// out[i] += factor * row[i], for each i < count; the arrays must not overlap.
void add_scaled(float* out, const float* row, float factor, std::size_t count);

}  // namespace calo
