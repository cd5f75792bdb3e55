#include "calo/infer/detail/kernels.h"

#include <algorithm>
#include <array>

#include "calo/infer/detail/amx_kernels.h"
#include "calo/infer/vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace calo::infer {
namespace {

using Tile = PackedLayer::Tile;
using Kernel = PackedLayer::Kernel;
constexpr std::int64_t kPanel = PackedLayer::kPanel;
using Kernels = std::array<Kernel, PackedLayer::kVectorRows>;

CALOPIPE_INLINE float float_at(const std::byte* at) {
  float value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}
CALOPIPE_INLINE std::uint32_t word_at(const std::byte* at) {
  std::uint32_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

using Word [[gnu::aligned(1), gnu::may_alias]] = std::uint32_t;

// Each of the following keeps kRows x kVectors sums in registers for the whole product.

template <int kLanes, int kVectors, int kRows>
CALOPIPE_INLINE void tile_fp32(const Tile& t) {
  using Vector = typename Vectors<kLanes>::Float;
  const auto* const weight = reinterpret_cast<const float*>(t.weight);
  for (std::int64_t column = 0; column < kPanel; column += kVectors * kLanes) {
    Vector sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) load(sum[r][v], t.bias + column + v * kLanes);
    // What the next columns need, or the next panel.
    const std::int64_t next =
        column + kVectors * kLanes < kPanel ? kVectors * kLanes : t.in * kPanel - column;
    for (std::int64_t k = 0; k < t.in; ++k) {
      const float* at = weight + k * kPanel + column;
      if constexpr (kVectors * kLanes < kPanel) __builtin_prefetch(at + next);
      Vector w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) load(w[v], at + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const float x = float_at(t.rows + static_cast<std::size_t>(r) * t.row_bytes + k * 4);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] += w[v] * x;
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) store(t.z + r * t.z_stride + column + v * kLanes, sum[r][v]);
  }
}

// bf16 is the upper half of a float: where the machine has no products of it, weights are widened. A word
// holds those of two outputs, so that both come from one load.
template <int kLanes, int kVectors, int kRows>
CALOPIPE_INLINE void tile_bf16_widened(const Tile& t) {
  using Vector = typename Vectors<kLanes>::Float;
  using Int = typename Vectors<kLanes>::Int;
  for (std::int64_t column = 0; column < kPanel; column += kVectors * kLanes) {
    Vector sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) load(sum[r][v], t.bias + column + v * kLanes);
    for (std::int64_t k = 0; k < t.in; ++k) {
      const std::byte* at = t.weight + (k * kPanel + column) * 2;
      Vector w[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v += 2) {
        Int both;
        load(both, at + v * kLanes * 2);
        w[v] = reinterpret_cast<Vector>(both << 16);
        w[v + 1] = reinterpret_cast<Vector>(both >> 16 << 16);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const float x = float_at(t.rows + static_cast<std::size_t>(r) * t.row_bytes + k * 4);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] += w[v] * x;
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) store(t.z + r * t.z_stride + column + v * kLanes, sum[r][v]);
  }
}

// Integer weights times float rows; the scale comes last. A word holds the weights of four outputs: each is
// moved to the word's upper end and down again with its sign.
template <int kLanes, int kVectors, int kRows, int kColumn = 0>
CALOPIPE_INLINE void tile_int8_floats(const Tile& t) {
  using Vector = typename Vectors<kLanes>::Float;
  using Int = typename Vectors<kLanes>::Int;
  using Signed = typename Vectors<kLanes>::Signed;
  Vector sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sum[r][v] = Vector{};
  for (std::int64_t k = 0; k < t.in; ++k) {
    const std::byte* at = t.weight + k * kPanel;
    Vector w[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      constexpr int kFirst = kColumn / kLanes;
      Int word;
      load(word, at + (kFirst + v) / 4 * kLanes * 4);
      w[v] = __builtin_convertvector(reinterpret_cast<Signed>(word << (24 - (kFirst + v) % 4 * 8)) >> 24,
                                     Vector);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const float x = float_at(t.rows + static_cast<std::size_t>(r) * t.row_bytes + k * 4);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] += w[v] * x;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t j = kColumn + v * kLanes;
      Vector bias, scale;
      load(bias, t.bias + j);
      load(scale, t.scale + j);
      store(t.z + r * t.z_stride + j, bias + scale * sum[r][v]);
    }
  if constexpr (kColumn + kVectors * kLanes < kPanel)
    tile_int8_floats<kLanes, kVectors, kRows, kColumn + kVectors * kLanes>(t);
}

// How many vectors of sums a row gets where 16 registers hold those of all rows: enough of them to hide how
// long a product takes. Three rows with four would leave none for weights that come in by way of a register.
constexpr int vectors_of(int rows) {
  return rows == 1 ? 8 : rows <= 3 ? 4 : 2;
}
constexpr int narrow_vectors_of(int rows) {
  return rows == 3 ? 2 : vectors_of(rows);
}

template <int kRows>
void fp32_plain(const Tile& t) {
  tile_fp32<4, vectors_of(kRows), kRows>(t);
}
template <int kRows>
void bf16_plain(const Tile& t) {
  tile_bf16_widened<4, narrow_vectors_of(kRows), kRows>(t);
}
template <int kRows>
void int8_plain(const Tile& t) {
  tile_int8_floats<4, narrow_vectors_of(kRows), kRows>(t);
}

#if defined(__x86_64__)
template <int kRows>
[[gnu::target("avx2,fma")]] void fp32_avx2(const Tile& t) {
  tile_fp32<8, vectors_of(kRows), kRows>(t);
}
template <int kRows>
[[gnu::target("avx2,fma")]] void bf16_avx2(const Tile& t) {
  tile_bf16_widened<8, narrow_vectors_of(kRows), kRows>(t);
}
// Adds a pair of products to each sum, of two vectors of weights after the other, for which the registers
// have room beside the sums. (Instructions by name: g++ 12 makes all products before it adds one, and has no
// room for them. On single sums: an array that it cannot take apart it keeps in memory.)
template <int kRows, int kVectors, bool kVnni>
[[gnu::target("avx2,fma"), gnu::always_inline]] inline void add_pairs(__m256i (&sum)[kRows][kVectors],
                                                                      const std::byte* weight,
                                                                      const std::byte* rows,
                                                                      std::size_t row_bytes) {
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; v += 2, weight += 32) {
    const __m256i first = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weight)));
    const __m256i second =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weight + 16)));
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const auto& x = *reinterpret_cast<const Word*>(rows + static_cast<std::size_t>(r) * row_bytes);
      __m256i one = sum[r][v], other = sum[r][v + 1];
      if constexpr (kVnni)
        asm("vpbroadcastd %4, %%ymm15\n\t"
            "%{vex%} vpdpwssd %2, %%ymm15, %0\n\t"
            "%{vex%} vpdpwssd %3, %%ymm15, %1"
            : "+x"(one), "+x"(other)
            : "x"(first), "x"(second), "m"(x)
            : "xmm15");
      else
        asm("vpbroadcastd %4, %%ymm14\n\t"
            "vpmaddwd %2, %%ymm14, %%ymm15\n\t"
            "vpaddd %%ymm15, %0, %0\n\t"
            "vpmaddwd %3, %%ymm14, %%ymm14\n\t"
            "vpaddd %%ymm14, %1, %1"
            : "+x"(one), "+x"(other)
            : "x"(first), "x"(second), "m"(x)
            : "xmm14", "xmm15");
      sum[r][v] = one;
      sum[r][v + 1] = other;
    }
  }
}

// Integer weights times rows of 16 bits, some outputs and pairs: up to the last pairs z holds sums only.
template <int kRows, bool kVnni>
[[gnu::target("avx2,fma"), gnu::noinline]] void int8_columns(const Tile& t, std::int64_t column,
                                                             std::int64_t begin, std::int64_t end,
                                                             bool last) {
  constexpr int kVectors = narrow_vectors_of(kRows), kLanes = 8;
  __m256i sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_setzero_si256();
  const std::byte* weight = t.weight + (begin * kPanel + column) * 2;
  const std::byte* rows = t.rows + kIntegerRowHeader + begin * 4;
  const std::size_t row_bytes = t.row_bytes;
  for (const std::byte* const rows_end = rows + (end - begin) * 4; rows != rows_end;
       weight += kPanel * 4, rows += 8) {
    add_pairs<kRows, kVectors, kVnni>(sum, weight, rows, row_bytes);
    add_pairs<kRows, kVectors, kVnni>(sum, weight + kPanel * 2, rows + 4, row_bytes);
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const std::byte* const row = t.rows + static_cast<std::size_t>(r) * row_bytes;
    const __m256 first = _mm256_set1_ps(float_at(row)), step = _mm256_set1_ps(float_at(row + 4));
    float* const z = t.z + r * t.z_stride + column;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      __m256 product = _mm256_cvtepi32_ps(sum[r][v]);
      if (begin > 0) product = _mm256_add_ps(product, _mm256_loadu_ps(z + v * kLanes));
      if (last) {
        const std::int64_t j = column + v * kLanes;
        product = _mm256_fmadd_ps(product, step, _mm256_mul_ps(first, _mm256_loadu_ps(t.sums + j)));
        product = _mm256_fmadd_ps(product, _mm256_loadu_ps(t.scale + j), _mm256_loadu_ps(t.bias + j));
      }
      _mm256_storeu_ps(z + v * kLanes, product);
    }
  }
}
template <int kRows, bool kVnni>
void int8_words(const Tile& t) {
  constexpr std::int64_t kColumns = 8 * narrow_vectors_of(kRows);
  constexpr std::int64_t kExact = 256;  // pairs whose sum stays in 31 bits
  const std::int64_t pairs = (t.in + 3) / 4 * 2;
  for (std::int64_t begin = 0; begin == 0 || begin < pairs; begin += kExact)
    for (std::int64_t column = 0; column < kPanel; column += kColumns)
      int8_columns<kRows, kVnni>(t, column, begin, std::min(begin + kExact, pairs), begin + kExact >= pairs);
}
template <int kRows>
void int8_avx2(const Tile& t) {
  int8_words<kRows, false>(t);
}
template <int kRows>
void int8_avx2_vnni(const Tile& t) {
  int8_words<kRows, true>(t);
}

template <int kRows>
[[gnu::target("avx512f,avx512bw")]] void fp32_avx512(const Tile& t) {
  tile_fp32<16, 4, kRows>(t);
}
template <int kRows>
[[gnu::target("avx512f,avx512bw")]] void bf16_avx512(const Tile& t) {
  tile_bf16_widened<16, 4, kRows>(t);
}
template <int kRows>
[[gnu::target("avx512f,avx512bw")]] void int8_avx512(const Tile& t) {
  tile_int8_floats<16, 4, kRows>(t);
}

template <int kRows>
[[gnu::target("avx512f,avx512bw,avx512bf16")]] void bf16_products(const Tile& t) {
  __m512 sum[kRows][4];
#pragma GCC unroll 8
  for (int v = 0; v < 4; ++v)
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sum[r][v] = _mm512_loadu_ps(t.bias + v * 16);
  const std::int64_t pairs = (t.in + 1) / 2;
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const std::byte* at = t.weight + pair * kPanel * 4;
    __m512i w[4];
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) w[v] = _mm512_loadu_si512(at + v * 64);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512i x = _mm512_set1_epi32(
          static_cast<int>(word_at(t.rows + static_cast<std::size_t>(r) * t.row_bytes + pair * 4)));
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], (__m512bh)w[v], (__m512bh)x);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) _mm512_storeu_ps(t.z + r * t.z_stride + v * 16, sum[r][v]);
}

// 16 outputs of a row, from the sums of its high and its low bytes, or of its bytes.
template <int kParts>
[[gnu::always_inline, gnu::target("avx512f,avx512bw,avx512vnni")]] inline void finish_int8(
    const Tile& t, std::int64_t r, int v, __m512i high, __m512i low) {
  const std::byte* row = t.rows + static_cast<std::size_t>(r) * t.row_bytes;
  const __m512 first = _mm512_set1_ps(float_at(row)), step = _mm512_set1_ps(float_at(row + 4));
  __m512 product = _mm512_cvtepi32_ps(high);
  if constexpr (kParts == 2)
    product = _mm512_fmadd_ps(product, _mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(low));
  const __m512 all = _mm512_fmadd_ps(product, step, _mm512_mul_ps(first, _mm512_loadu_ps(t.sums + v * 16)));
  _mm512_storeu_ps(t.z + r * t.z_stride + v * 16,
                   _mm512_fmadd_ps(all, _mm512_loadu_ps(t.scale + v * 16), _mm512_loadu_ps(t.bias + v * 16)));
}

// kParts sums for each row: of its high and its low bytes, or of its bytes. (Instructions by name: g++ 12
// moves the sums of its own _mm512_dpbusd_epi32 about, at half the speed.)
template <int kRows, int kParts>
[[gnu::target("avx512f,avx512bw,avx512vnni")]] void int8_few(const Tile& t) {
  __m512i sum[kParts * kRows][4];
#pragma GCC unroll 8
  for (int r = 0; r < kParts * kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) sum[r][v] = _mm512_setzero_si512();
  const std::int64_t quads = (t.in + 3) / 4;
  for (std::int64_t quad = 0; quad < quads; ++quad) {
    const std::byte* at = t.weight + quad * kPanel * 4;
    __m512i w[4];
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) w[v] = _mm512_loadu_si512(at + v * 64);
#pragma GCC unroll 8
    for (int r = 0; r < kParts * kRows; ++r) {
      const __m512i x = _mm512_set1_epi32(
          static_cast<int>(word_at(t.rows + static_cast<std::size_t>(r / kParts) * t.row_bytes +
                                   kIntegerRowHeader + ((r % kParts) * quads + quad) * 4)));
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) asm("vpdpbusd %2, %1, %0" : "+v"(sum[r][v]) : "v"(x), "v"(w[v]));
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v)
      finish_int8<kParts>(t, r, v, sum[kParts * r][v], sum[kParts * r + kParts - 1][v]);
  }
}
// At most 3 rows of two parts fit the registers.
template <int kRows>
[[gnu::target("avx512f,avx512bw,avx512vnni")]] void int8_products(const Tile& t) {
  constexpr int kFirst = std::min(kRows, 3);
  int8_few<kFirst, 2>(t);
  if constexpr (kRows > 3) {
    Tile rest = t;
    rest.rows += 3 * t.row_bytes;
    rest.z += 3 * t.z_stride;
    int8_few<kRows - 3, 2>(rest);
  }
}
template <int kRows>
[[gnu::target("avx512f,avx512bw,avx512vnni")]] void w8a8_products(const Tile& t) {
  int8_few<kRows, 1>(t);
}

// The machine's tiles. (Instructions by name: compilers take tiles as literals only.)
struct MachineTiles {
  enum class Product { kBf16, kBytes };
  template <int kTile>
  CALOPIPE_INLINE static void load(const std::byte* memory, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(memory), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  CALOPIPE_INLINE static void store(std::byte* memory, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(memory), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  CALOPIPE_INLINE static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <Product kProduct, int kSum, int kRows, int kWeights>
  CALOPIPE_INLINE static void dot() {
    if constexpr (kProduct == Product::kBf16)
      asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kRows), "i"(kWeights));
    else  // unsigned rows, signed weights
      asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kRows), "i"(kWeights));
  }
};

void bf16_amx(const Tile& t) {
  amx::products<MachineTiles, MachineTiles::Product::kBf16>(
      t.weight, t.rows, t.row_bytes, (t.in + 1) / 2, reinterpret_cast<const std::byte*>(t.bias),
      reinterpret_cast<std::byte*>(t.z), static_cast<std::size_t>(t.z_stride) * sizeof(float));
}

template <int kParts>
[[gnu::target("avx512f,avx512bw,avx512vnni")]] void int8_amx(const Tile& t) {
  alignas(64) std::int32_t sums[kParts][amx::kRows * kPanel];
  const std::int64_t quads = (t.in + 3) / 4;
  for (int part = 0; part < kParts; ++part)
    amx::products<MachineTiles, MachineTiles::Product::kBytes>(
        t.weight, t.rows + kIntegerRowHeader + part * quads * 4, t.row_bytes, quads, nullptr,
        reinterpret_cast<std::byte*>(sums[part]), kPanel * sizeof(std::int32_t));
  for (std::int64_t r = 0; r < amx::kRows; ++r)
    for (int v = 0; v < 4; ++v) {
      const std::int64_t at = r * kPanel + v * 16;
      finish_int8<kParts>(t, r, v, _mm512_load_si512(sums[0] + at), _mm512_load_si512(sums[kParts - 1] + at));
    }
}
#endif

}  // namespace

// NOLINTBEGIN(bugprone-macro-parentheses): a template cannot stand in parentheses
#define CALOPIPE_BY_ROWS(kernel) \
  { kernel<1>, kernel<2>, kernel<3>, kernel<4>, kernel<5>, kernel<6> }
// NOLINTEND(bugprone-macro-parentheses)

const Kernel* fp32_kernels([[maybe_unused]] Isa isa) {
  static constexpr Kernels plain = CALOPIPE_BY_ROWS(fp32_plain);
#if defined(__x86_64__)
  static constexpr Kernels avx2 = CALOPIPE_BY_ROWS(fp32_avx2), avx512 = CALOPIPE_BY_ROWS(fp32_avx512);
  if (isa >= Isa::kAvx512) return avx512.data();
  if (isa >= Isa::kAvx2) return avx2.data();
#endif
  return plain.data();
}

RowFormat bf16_rows(Isa isa) {
  return isa >= Isa::kAvx512Narrow ? RowFormat::kBf16 : RowFormat::kFloats;
}

const Kernel* bf16_kernels([[maybe_unused]] Isa isa) {
  static constexpr Kernels plain = CALOPIPE_BY_ROWS(bf16_plain);
#if defined(__x86_64__)
  static constexpr Kernels avx2 = CALOPIPE_BY_ROWS(bf16_avx2), avx512 = CALOPIPE_BY_ROWS(bf16_avx512),
                           products = CALOPIPE_BY_ROWS(bf16_products);
  static constexpr Kernel tiles = bf16_amx;
  if (isa >= Isa::kAmx) return &tiles;
  if (isa >= Isa::kAvx512Narrow) return products.data();
  if (isa >= Isa::kAvx512) return avx512.data();
  if (isa >= Isa::kAvx2) return avx2.data();
#endif
  return plain.data();
}

RowFormat int8_rows(Isa isa, std::int64_t in) {
  constexpr std::int64_t kMostInputs = 60'000;  // so that sums of bytes stay in 31 bits
  if (isa >= Isa::kAvx512Narrow && in <= kMostInputs) return RowFormat::kBytes;
  if (isa == Isa::kAvx2 || isa == Isa::kAvx2Vnni) return RowFormat::kWords;
  return RowFormat::kFloats;
}

const Kernel* int8_kernels([[maybe_unused]] Isa isa, [[maybe_unused]] RowFormat rows,
                           [[maybe_unused]] bool wide) {
  static constexpr Kernels plain = CALOPIPE_BY_ROWS(int8_plain);
#if defined(__x86_64__)
  static constexpr Kernels avx512 = CALOPIPE_BY_ROWS(int8_avx512), words = CALOPIPE_BY_ROWS(int8_avx2),
                           words_vnni = CALOPIPE_BY_ROWS(int8_avx2_vnni),
                           products = CALOPIPE_BY_ROWS(int8_products),
                           bytes = CALOPIPE_BY_ROWS(w8a8_products);
  static constexpr Kernel wide_tiles = int8_amx<2>, tiles = int8_amx<1>;
  switch (rows) {
    case RowFormat::kFloats:
    case RowFormat::kBf16:
      if (isa >= Isa::kAvx512) return avx512.data();
      break;
    case RowFormat::kWords:
      return isa == Isa::kAvx2Vnni ? words_vnni.data() : words.data();
    case RowFormat::kBytes:
      if (isa >= Isa::kAmx) return wide ? &wide_tiles : &tiles;
      return wide ? products.data() : bytes.data();
  }
#endif
  return plain.data();
}

}  // namespace calo::infer
