#pragma once

#include <string_view>

namespace calo::infer {

/// How the weights of large layers are kept and multiplied. Sums are fp32 (int8: exact in int32, then fp32);
/// small layers stay fp32, for they cost nothing.
///
/// - bf16: weights and inputs rounded to 8 bits of mantissa
/// - int8: weights with one scale per output, inputs with 16 bits over each row's range
/// - w8a8: the same weights, inputs with 8 bits: half the products where the machine multiplies bytes
/// (AVX-512 VNNI),
///   elsewhere as int8
enum class Precision { kFp32, kBf16, kInt8, kW8a8 };
constexpr Precision kPrecisions[] = {Precision::kFp32, Precision::kBf16, Precision::kInt8, Precision::kW8a8};

const char* to_string(Precision precision);
/// @throws core::UsageError if it is none of fp32, bf16, int8, w8a8
Precision parse_precision(std::string_view text);

/// Instruction sets that the kernels are written for, from the least to the best.
enum class Isa {
  kPlain,         ///< any x86-64, or another machine
  kAvx2,          ///< with FMA
  kAvx2Vnni,      ///< AVX2 with the products of AVX-VNNI
  kAvx512,        ///< F, BW
  kAvx512Narrow,  ///< with BF16 and VNNI
  kAmx,           ///< with tiles: BF16 and INT8
};
constexpr Isa kIsas[] = {Isa::kPlain,  Isa::kAvx2,         Isa::kAvx2Vnni,
                         Isa::kAvx512, Isa::kAvx512Narrow, Isa::kAmx};

const char* to_string(Isa isa);
/// Whether this machine has it. (One with AVX-512 need not have AVX-VNNI.)
bool has_isa(Isa isa);
/// @param text  plain, avx2, avx2-vnni, avx512, avx512-narrow or amx
/// @throws core::UsageError if it is none of these
Isa parse_isa(std::string_view text);
/// The best that this machine has, no better than what the environment variable CALOPIPE_ISA names (as
/// parse_isa() takes it).
/// @throws core::UsageError if it names none
Isa best_isa();

}  // namespace calo::infer
