#pragma once

#include <time.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "calo/infer/detail/amx_kernels.h"
#include "calo/infer/precision.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench {

inline std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "a processor without a name";
}

inline std::string load_average() {
  std::ifstream file("/proc/loadavg");
  std::string one, five;
  file >> one >> five;
  return one + ", " + five;
}

/// The instruction sets that this machine has, and CALOPIPE_ISA leaves.
inline std::vector<calo::infer::Isa> instruction_sets() {
  std::vector<calo::infer::Isa> sets;
  for (const calo::infer::Isa isa : calo::infer::kIsas)
    if (calo::infer::has_isa(isa) && isa <= calo::infer::best_isa()) sets.push_back(isa);
  return sets;
}

/// CPU time of this thread: other load disturbs it less.
inline double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

#if defined(__x86_64__)
// Products in registers only: as many sums as hide how long one takes. `kWords` names the products of one
// instruction set.
enum class Products { kMulAdd, kFma256, kWords256, kWordsVnni, kFma512, kBf16, kBytes };

template <Products kProducts, class Vector>
[[gnu::always_inline]] inline void only_products(int rounds) {
  Vector sums[10] = {};
  const Vector a{}, b{};
  for (int round = 0; round < rounds; ++round)
#pragma GCC unroll 10
    for (Vector& sum : sums) {
      Vector one = sum;
      if constexpr (kProducts == Products::kMulAdd)
        asm volatile("movaps %1, %%xmm15\n\tmulps %2, %%xmm15\n\taddps %%xmm15, %0"
                     : "+x"(one)
                     : "x"(a), "x"(b)
                     : "xmm15");
      else if constexpr (kProducts == Products::kFma256 || kProducts == Products::kFma512)
        asm volatile("vfmadd231ps %2, %1, %0" : "+v"(one) : "v"(a), "v"(b));
      else if constexpr (kProducts == Products::kWords256)
        asm volatile("vpmaddwd %2, %1, %%ymm15\n\tvpaddd %%ymm15, %0, %0"
                     : "+x"(one)
                     : "x"(a), "x"(b)
                     : "xmm15");
      else if constexpr (kProducts == Products::kWordsVnni)
        asm volatile("%{vex%} vpdpwssd %2, %1, %0" : "+x"(one) : "x"(a), "x"(b));
      else if constexpr (kProducts == Products::kBf16)
        asm volatile("vdpbf16ps %2, %1, %0" : "+v"(one) : "v"(a), "v"(b));
      else
        asm volatile("vpdpbusd %2, %1, %0" : "+v"(one) : "v"(a), "v"(b));
      sum = one;
    }
}
template <Products kProducts>
void products_of_128(int rounds) {
  only_products<kProducts, __m128>(rounds);
}
template <Products kProducts>
[[gnu::target("avx2,fma")]] void products_of_256(int rounds) {
  only_products<kProducts, __m256>(rounds);
}
template <Products kProducts>
[[gnu::target("avx512f")]] void products_of_512(int rounds) {
  only_products<kProducts, __m512>(rounds);
}

// The same by tiles of 16 x 16 sums and 16 words.
template <bool kBf16>
void products_of_tiles(int rounds) {
  for (int round = 0; round < rounds; ++round)
    if constexpr (kBf16)
      asm volatile(
          "tdpbf16ps %tmm5, %tmm4, %tmm0\n tdpbf16ps %tmm5, %tmm4, %tmm1\n"
          "tdpbf16ps %tmm5, %tmm4, %tmm2\n tdpbf16ps %tmm5, %tmm4, %tmm3");
    else
      asm volatile(
          "tdpbusd %tmm5, %tmm4, %tmm0\n tdpbusd %tmm5, %tmm4, %tmm1\n"
          "tdpbusd %tmm5, %tmm4, %tmm2\n tdpbusd %tmm5, %tmm4, %tmm3");
}
#endif

/// Multiplications and additions a second that the instructions do at most by which an instruction set makes
/// the products of a precision; NaN where it is not known.
inline double arithmetic_rate([[maybe_unused]] calo::infer::Isa isa,
                              [[maybe_unused]] calo::infer::Precision precision) {
#if defined(__x86_64__)
  using calo::infer::Isa;
  using calo::infer::Precision;
  namespace amx = calo::infer::amx;
  constexpr int kRounds = 100'000;
  const bool bf16 = precision == Precision::kBf16,
             bytes = precision == Precision::kW8a8 || precision == Precision::kInt8;
  const bool tiles = isa >= Isa::kAmx && (bf16 || bytes);
  // What is run, and the products of a round.
  const auto [body, products] = [&]() -> std::pair<void (*)(int), double> {
    if (tiles && bf16) return {products_of_tiles<true>, 4.0 * 8192};
    if (tiles) return {products_of_tiles<false>, 4.0 * 16384};
    if (isa >= Isa::kAvx512Narrow && bf16) return {products_of_512<Products::kBf16>, 320};
    if (isa >= Isa::kAvx512Narrow && bytes) return {products_of_512<Products::kBytes>, 640};
    if (isa >= Isa::kAvx512) return {products_of_512<Products::kFma512>, 160};
    if (isa == Isa::kAvx2Vnni && bytes) return {products_of_256<Products::kWordsVnni>, 160};
    if (isa >= Isa::kAvx2 && bytes) return {products_of_256<Products::kWords256>, 160};
    if (isa >= Isa::kAvx2) return {products_of_256<Products::kFma256>, 80};
    return {products_of_128<Products::kMulAdd>, 40};
  }();
  if (tiles) amx::configure(amx::config_for(amx::kStepWords));
  double least = 1e300;
  for (int i = 0; i < 30; ++i) {
    const double start = cpu_seconds();
    body(kRounds);
    least = std::min(least, cpu_seconds() - start);
  }
  if (tiles) amx::release();
  // Inputs of 16 bits are two products of bytes.
  const double parts = precision == Precision::kInt8 && isa >= Isa::kAvx512Narrow ? 2 : 1;
  return 2 * products * kRounds / least / parts;
#else
  return NAN;
#endif
}

}  // namespace bench
