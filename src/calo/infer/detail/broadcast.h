#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "calo/infer/operators.h"

namespace calo::infer {

/// Walks a broadcast: for each run of the last dimension, where in each operand it begins.
template <std::size_t kOperands>
struct Broadcast {
  Shape shape;
  std::array<std::array<std::int64_t, Shape::kMaxRank>, kOperands> strides{};

  Broadcast(const OperatorCall& call, const std::array<const Shape*, kOperands>& operands) {
    for (const Shape* operand : operands) shape.rank = std::max(shape.rank, operand->rank);
    for (std::size_t i = 0; i < shape.rank; ++i) {
      std::int64_t extent = 1;
      for (const Shape* operand : operands) {
        if (i + operand->rank < shape.rank) continue;
        const std::int64_t own = (*operand)[i + operand->rank - shape.rank];
        if (own == 1) continue;
        if (extent != 1 && extent != own) call.fail("takes shapes that do not fit together");
        extent = own;
      }
      shape[i] = extent;
    }
    for (std::size_t o = 0; o < kOperands; ++o) {
      std::int64_t stride = 1;
      for (std::size_t i = operands[o]->rank; i-- > 0;) {
        const std::int64_t own = (*operands[o])[i];
        strides[o][i + shape.rank - operands[o]->rank] = own == 1 ? 0 : stride;
        stride *= own;
      }
    }
  }

  template <class Body>
  void for_each_run(const Body& body) const {
    const std::int64_t length = shape.rank > 0 ? shape[shape.rank - 1] : 1;
    if (shape.count() == 0) return;
    const std::int64_t runs = shape.count() / length;
    std::array<std::int64_t, kOperands> begin{}, step{};
    for (std::size_t o = 0; o < kOperands; ++o) step[o] = shape.rank > 0 ? strides[o][shape.rank - 1] : 0;
    std::array<std::int64_t, Shape::kMaxRank> at{};
    for (std::int64_t run = 0; run < runs; ++run) {
      body(run * length, length, begin, step);
      for (std::size_t i = shape.rank - (shape.rank > 0 ? 1 : 0); i-- > 0;) {
        for (std::size_t o = 0; o < kOperands; ++o) begin[o] += strides[o][i];
        if (++at[i] < shape[i]) break;
        for (std::size_t o = 0; o < kOperands; ++o) begin[o] -= strides[o][i] * shape[i];
        at[i] = 0;
      }
    }
  }
};

}  // namespace calo::infer
