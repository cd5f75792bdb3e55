#pragma once

#include "calo/infer/packed_layer.h"

namespace calo::infer {

/// Kernels of each precision: of Isa::kAmx (bf16 and rows of bytes) one for 16 rows, of others for 1 to
/// PackedLayer::kVectorRows.
///
/// Weights of a panel are in the order that the format of the rows asks for.
const PackedLayer::Kernel* fp32_kernels(Isa isa);
RowFormat bf16_rows(Isa isa);
const PackedLayer::Kernel* bf16_kernels(Isa isa);
RowFormat int8_rows(Isa isa, std::int64_t in);
/// @param wide  rows of 16 bits, else of 8; of RowFormat::kBytes only
const PackedLayer::Kernel* int8_kernels(Isa isa, RowFormat rows, bool wide);

/// Numbers of a vector of the widest registers.
constexpr std::int64_t lanes(Isa isa) {
  return isa >= Isa::kAvx512 ? 16 : isa >= Isa::kAvx2 ? 8 : 4;
}
/// Where an output's weight lies among the 64 of an input, for kernels that widen `per_word` weights from
/// each word of a vector: the first ones of all words are the first outputs, and so on.
constexpr std::int64_t word_place(std::int64_t output, std::int64_t per_word, Isa isa) {
  const std::int64_t n = lanes(isa);
  return (output / (per_word * n) * n + output % n) * per_word + output / n % per_word;
}

/// Where q of integer rows begins: behind two floats (x = first + second · q) and 8 bytes of nothing.
constexpr std::size_t kIntegerRowHeader = 16;

}  // namespace calo::infer
