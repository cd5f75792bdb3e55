#pragma once

#include "calo/infer/packed_layer.h"

namespace calo::infer {

/// Kernels of each precision: of Isa::kAmx (bf16 and integer rows) one for 16 rows, of others for 1 to
/// PackedLayer::kVectorRows.
///
/// Weights of a panel: fp32 `[in, 64]`; bf16 `[in / 2, 64, 2]`; int8 with float rows `[in, 64]`, with integer
/// rows `[in / 4, 64, 4]`. Odd inputs are filled up with zeros.
///
/// Rows: fp32 and float rows `[in]`; bf16 `[in / 2, 2]`; integer rows: two floats (x = first + second · q),
/// 8 bytes of nothing, then the high and the low bytes of q, `[in / 4, 4]` each; of 8 bits q alone.
const PackedLayer::Kernel* fp32_kernels(Isa isa);
const PackedLayer::Kernel* bf16_kernels(Isa isa);
const PackedLayer::Kernel* int8_float_kernels(Isa isa);
/// Only for Isa::kAvx512Narrow and more. @param wide  rows of 16 bits, else of 8
const PackedLayer::Kernel* int8_integer_kernels(Isa isa, bool wide);

/// Where the bytes of integer rows begin.
constexpr std::size_t kIntegerRowHeader = 16;

}  // namespace calo::infer
