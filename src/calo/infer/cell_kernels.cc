#include "calo/infer/cell_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "calo/infer/vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace calo::infer {
namespace {

using Kind = Activation::Kind;
using Row = CellKernels::Row;
constexpr std::size_t kGroup = CellKernels::kGroup;
constexpr float kInfinite = std::numeric_limits<float>::infinity();

CALOPIPE_INLINE bool is_finite(float x) {
  return x * 0.0f == 0;
}

// Of a cell that is its z times a scale: the least z that is surely finite afterwards.
CALOPIPE_INLINE float least_finite(float scale) {
  return -0.999f * std::numeric_limits<float>::max() / (scale > 1 ? scale : 1.0f);
}

// Vectors go in and out by reference: by value they would be another calling convention on each machine.

// x = e^x within 2e-7 relative, as core::fast_exp has it.
template <int kLanes>
CALOPIPE_INLINE void exponential(typename Vectors<kLanes>::Float& x) {
  using Float = typename Vectors<kLanes>::Float;
  using Int = typename Vectors<kLanes>::Int;
  clamp<kLanes>(x, -87.0f, 88.0f);
  constexpr float kRound = 12582912.0f;  // 1.5 x 2^23: adding it rounds to an integer
  const Float shifted = x * 1.44269504f + kRound;
  const Float n = shifted - kRound;
  const Float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // Cody and Waite's split of ln 2
  Float p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  x = p * reinterpret_cast<Float>((reinterpret_cast<Int>(shifted) + 127u) << 23);
}

// z = scale · f(z)
template <Kind kKind, int kLanes>
CALOPIPE_INLINE void apply(const Activation& activation, typename Vectors<kLanes>::Float& z, float scale) {
  using Float = typename Vectors<kLanes>::Float;
  const Float zero = Float{};
  if constexpr (kKind == Kind::kSigmoid) {
    z = -z;
    exponential<kLanes>(z);
    z = scale / (1.0f + z);
  } else if constexpr (kKind == Kind::kSoftplus) {
    Float u = z > zero ? -z : z;
    exponential<kLanes>(u);
    // log(1 + u) = 2 atanh(u / (2 + u)), see core::fast_log1p.
    const Float s = u / (2.0f + u), q = s * s;
    const Float series =
        1.0f + q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9 + q * (1.0f / 11)))));
    const Float positive = z > zero ? z : zero;
    z = scale * (positive + 2.0f * s * series);
  } else if constexpr (kKind == Kind::kRelu) {
    z = scale * (z < zero ? zero : z);  // NaN stays
  } else if constexpr (kKind == Kind::kIdentity) {
    z = scale * z;
  } else {
    for (int i = 0; i < kLanes; ++i) z[i] = scale * activation(z[i]);
  }
}

template <Kind kKind, int kLanes>
CALOPIPE_INLINE bool dense(const Activation& activation, const float* z, std::size_t count, float scale,
                           float* out) {
  using Float = typename Vectors<kLanes>::Float;
  Float spoilt{};  // 0, and NaN as soon as one cell is not finite
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Float cells;
    load(cells, z + i);
    apply<kKind, kLanes>(activation, cells, scale);
    spoilt += cells * 0.0f;
    store(out + i, cells);
  }
  bool finite = true;
  for (int lane = 0; lane < kLanes; ++lane) finite &= spoilt[lane] == 0;
  if (i == count) return finite;
  float rest[kLanes] = {};
  std::memcpy(rest, z + i, (count - i) * sizeof(float));
  Float cells;
  load(cells, rest);
  apply<kKind, kLanes>(activation, cells, scale);
  store(rest, cells);
  for (std::size_t j = 0; j < count - i; ++j) finite &= is_finite(rest[j]);
  std::memcpy(out + i, rest, (count - i) * sizeof(float));
  return finite;
}

template <Kind kKind, int kLanes>
CALOPIPE_INLINE std::size_t collect(const Activation& activation, const Row& row) {
  using Float = typename Vectors<kLanes>::Float;
  [[maybe_unused]] const float least = least_finite(row.scale);
  std::size_t next = row.size;
  for (std::size_t group = 0; group < row.count; group += kGroup) {
    const float* const z = row.z + group;
    // What cannot be compared is no less than anything.
    unsigned any = 0;
    for (std::size_t j = 0; j < kGroup; ++j) {
      any |= static_cast<unsigned>(!(z[j] < row.smallest));
      if constexpr (kKind == Kind::kIdentity) any |= static_cast<unsigned>(z[j] < least);
    }
    if (any == 0) continue;
    float energies[kGroup];
    for (std::size_t j = 0; j < kGroup; j += kLanes) {
      Float some;
      load(some, z + j);
      apply<kKind, kLanes>(activation, some, row.scale);
      store(energies + j, some);
    }
    // Without a branch: every cell is written, the next one over it where it was below the threshold.
    for (std::size_t j = 0; j < kGroup; ++j) {
      const std::uint32_t cell = row.first_cell + static_cast<std::uint32_t>(group + j);
      row.cells[next] = cell;
      row.energies[next] = energies[j];
      const auto hit =
          static_cast<unsigned>(!(energies[j] < row.threshold)) & static_cast<unsigned>(!(energies[j] <= 0));
      next += (hit | static_cast<unsigned>(energies[j] == -kInfinite)) &
              static_cast<unsigned>(cell < row.all_cells);
    }
  }
  return next;
}

template <Kind kKind>
bool dense_plain(const Activation& activation, const float* z, std::size_t count, float scale, float* out) {
  return dense<kKind, 4>(activation, z, count, scale, out);
}
template <Kind kKind>
std::size_t collect_plain(const Activation& activation, const Row& row) {
  return collect<kKind, 4>(activation, row);
}

#if defined(__x86_64__)
// As apply(); a quick sigmoid is within 2e-4 (relative), which is small compared with the error of narrow
// weights: e^-z = 2^n · 2^r, a polynomial for 2^r.
template <Kind kKind, bool kQuick>
[[gnu::target("avx2,fma"), gnu::always_inline]] inline void apply_avx2(const Activation& activation,
                                                                       Vectors<8>::Float& z, float scale) {
  if constexpr (kKind == Kind::kSigmoid && kQuick) {
    const __m256 round = _mm256_set1_ps(12582912.0f), one = _mm256_set1_ps(1);
    // Beyond the range of n the result is as good as 0 or 1; NaN stays.
    __m256 t = _mm256_mul_ps((__m256)z, _mm256_set1_ps(-1.44269504f));
    t = _mm256_min_ps(_mm256_set1_ps(125), _mm256_max_ps(_mm256_set1_ps(-125), t));
    const __m256 shifted = _mm256_add_ps(t, round);
    const __m256 r = _mm256_sub_ps(t, _mm256_sub_ps(shifted, round));
    __m256 p = _mm256_fmadd_ps(r, _mm256_set1_ps(5.517144e-2f), _mm256_set1_ps(2.4261081e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(6.9326099e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(9.9992809e-1f));
    const __m256 power = _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(shifted), 23)));
    z = (Vectors<8>::Float)_mm256_div_ps(_mm256_set1_ps(scale), _mm256_add_ps(power, one));
  } else {
    apply<kKind, 8>(activation, z, scale);
  }
}

[[gnu::target("avx2,fma"), gnu::always_inline]] inline bool all_zero(__m256 x) {  // NaN is not
  return _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ)) == 0;
}

template <Kind kKind, bool kQuick>
[[gnu::target("avx2,fma")]] bool dense_avx2(const Activation& activation, const float* z, std::size_t count,
                                            float scale, float* out) {
  const __m256 zero = _mm256_setzero_ps();
  __m256 spoilt = zero;  // as in dense()
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    auto cells = (Vectors<8>::Float)_mm256_loadu_ps(z + i);
    apply_avx2<kKind, kQuick>(activation, cells, scale);
    spoilt = _mm256_fmadd_ps((__m256)cells, zero, spoilt);
    _mm256_storeu_ps(out + i, (__m256)cells);
  }
  if (i < count) {
    float rest[8] = {};
    std::memcpy(rest, z + i, (count - i) * sizeof(float));
    auto cells = (Vectors<8>::Float)_mm256_loadu_ps(rest);
    apply_avx2<kKind, kQuick>(activation, cells, scale);
    _mm256_storeu_ps(rest, (__m256)cells);
    for (std::size_t j = count - i; j < 8; ++j) rest[j] = 0;
    spoilt = _mm256_fmadd_ps(_mm256_loadu_ps(rest), zero, spoilt);
    std::memcpy(out + i, rest, (count - i) * sizeof(float));
  }
  return all_zero(spoilt);
}

constexpr std::size_t kLine = 64;
// Numbers before the next line of memory: lines at the ends are shared with what others write.
std::size_t before_line(const float* out, std::size_t count) {
  return std::min(count, (kLine - reinterpret_cast<std::uintptr_t>(out) % kLine) % kLine / sizeof(float));
}

template <Kind kKind, bool kQuick>
[[gnu::target("avx2,fma")]] bool stream_avx2(const Activation& activation, const float* z, std::size_t count,
                                             float scale, float* out) {
  const std::size_t head = before_line(out, count);
  bool finite = dense_avx2<kKind, kQuick>(activation, z, head, scale, out);
  const __m256 zero = _mm256_setzero_ps();
  __m256 spoilt = zero;
  std::size_t i = head;
  for (; i + 16 <= count; i += 16)  // a line at once: half of one waits long for the other
#pragma GCC unroll 2
    for (std::size_t half = i; half < i + 16; half += 8) {
      auto cells = (Vectors<8>::Float)_mm256_loadu_ps(z + half);
      apply_avx2<kKind, kQuick>(activation, cells, scale);
      spoilt = _mm256_fmadd_ps((__m256)cells, zero, spoilt);
      _mm256_stream_ps(out + half, (__m256)cells);
    }
  finite &= all_zero(spoilt);
  finite &= dense_avx2<kKind, kQuick>(activation, z + i, count - i, scale, out + i);
  return finite;
}

// For each choice of 8 lanes: which ones they are, from the first on.
constexpr auto kChosen = [] {
  std::array<std::array<std::uint8_t, 8>, 256> chosen{};
  for (std::size_t mask = 0; mask < 256; ++mask)
    for (std::uint8_t lane = 0, next = 0; lane < 8; ++lane)
      if ((mask >> lane & 1) != 0) chosen[mask][next++] = lane;
  return chosen;
}();

template <Kind kKind, bool kQuick>
[[gnu::target("avx2,fma,popcnt")]] std::size_t collect_avx2(const Activation& activation, const Row& of) {
  static_assert(kGroup == 16);
  const Row row = of;  // nothing that is written below can change it
  const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 smallest = _mm256_set1_ps(row.smallest), threshold = _mm256_set1_ps(row.threshold);
  const __m256 minus_infinite = _mm256_set1_ps(-kInfinite), least = _mm256_set1_ps(least_finite(row.scale));
  std::size_t next = row.size;
  for (std::size_t group = 0; group < row.count; group += kGroup) {
    const float* const z = row.z + group;
    const __m256 halves[2] = {_mm256_loadu_ps(z), _mm256_loadu_ps(z + 8)};
    // NaN too
    __m256 any = _mm256_or_ps(_mm256_cmp_ps(halves[0], smallest, _CMP_NLT_UQ),
                              _mm256_cmp_ps(halves[1], smallest, _CMP_NLT_UQ));
    if constexpr (kKind == Kind::kIdentity)
      any = _mm256_or_ps(any, _mm256_or_ps(_mm256_cmp_ps(halves[0], least, _CMP_LT_OQ),
                                           _mm256_cmp_ps(halves[1], least, _CMP_LT_OQ)));
    if (_mm256_movemask_ps(any) == 0) continue;
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t first = group + 8 * half;
      auto some = (Vectors<8>::Float)halves[half];
      apply_avx2<kKind, kQuick>(activation, some, row.scale);
      const auto energies = (__m256)some;
      __m256 hit = _mm256_and_ps(_mm256_cmp_ps(energies, threshold, _CMP_NLT_UQ),
                                 _mm256_cmp_ps(energies, _mm256_setzero_ps(), _CMP_NLE_UQ));
      hit = _mm256_or_ps(hit, _mm256_cmp_ps(energies, minus_infinite, _CMP_EQ_OQ));
      const auto mask = static_cast<unsigned>(_mm256_movemask_ps(hit));
      // Whole vectors are written; what is behind the hits is written over.
      const __m256i order =
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(kChosen[mask].data())));
      const __m256i cells =
          _mm256_add_epi32(places, _mm256_set1_epi32(static_cast<int>(row.first_cell + first)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(row.cells + next),
                          _mm256_permutevar8x32_epi32(cells, order));
      _mm256_storeu_ps(row.energies + next, _mm256_permutevar8x32_ps(energies, order));
      next += static_cast<unsigned>(__builtin_popcount(mask));
    }
  }
  while (next > row.size && row.cells[next - 1] >= row.all_cells) --next;  // those behind the last cell
  return next;
}

// As apply_avx2().
template <Kind kKind, bool kQuick>
[[gnu::target("avx512f,avx512bw"), gnu::always_inline]] inline void apply_avx512(const Activation& activation,
                                                                                 Vectors<16>::Float& z,
                                                                                 float scale) {
  if constexpr (kKind == Kind::kSigmoid && kQuick) {
    // e^-z = 2^n · 2^r, a polynomial for 2^r; beyond the range of floats it is 0 or infinite, as it should
    // be.
    const __m512 t = _mm512_mul_ps((__m512)z, _mm512_set1_ps(-1.44269504f));
    const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 r = _mm512_sub_ps(t, n);
    __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(5.517144e-2f), _mm512_set1_ps(2.4261081e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.9326099e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.9992809e-1f));
    const __m512 denominator = _mm512_add_ps(_mm512_scalef_ps(p, n), _mm512_set1_ps(1));
    z = (Vectors<16>::Float)_mm512_mul_ps(_mm512_rcp14_ps(denominator), _mm512_set1_ps(scale));
  } else {
    apply<kKind, 16>(activation, z, scale);
  }
}

template <Kind kKind, bool kQuick>
[[gnu::target("avx512f,avx512bw")]] bool dense_avx512(const Activation& activation, const float* z,
                                                      std::size_t count, float scale, float* out) {
  const __m512 zero = _mm512_setzero_ps();
  __m512 spoilt = zero;  // as in dense()
  for (std::size_t i = 0; i < count; i += 16) {
    const auto lanes = static_cast<__mmask16>(count - i < 16 ? (1u << (count - i)) - 1 : 0xffffu);
    auto cells = (Vectors<16>::Float)_mm512_maskz_loadu_ps(lanes, z + i);
    apply_avx512<kKind, kQuick>(activation, cells, scale);
    spoilt = _mm512_mask3_fmadd_ps((__m512)cells, zero, spoilt, lanes);
    _mm512_mask_storeu_ps(out + i, lanes, (__m512)cells);
  }
  return _mm512_cmp_ps_mask(spoilt, zero, _CMP_NEQ_UQ) == 0;
}
template <Kind kKind, bool kQuick>
[[gnu::target("avx512f,avx512bw")]] bool stream_avx512(const Activation& activation, const float* z,
                                                       std::size_t count, float scale, float* out) {
  const std::size_t head = before_line(out, count);
  bool finite = dense_avx512<kKind, kQuick>(activation, z, head, scale, out);
  const __m512 zero = _mm512_setzero_ps();
  __m512 spoilt = zero;
  std::size_t i = head;
  for (; i + 16 <= count; i += 16) {
    Vectors<16>::Float cells;
    load(cells, z + i);
    apply_avx512<kKind, kQuick>(activation, cells, scale);
    spoilt = _mm512_fmadd_ps((__m512)cells, zero, spoilt);
    _mm512_stream_ps(out + i, (__m512)cells);
  }
  finite &= _mm512_cmp_ps_mask(spoilt, zero, _CMP_NEQ_UQ) == 0;
  finite &= dense_avx512<kKind, kQuick>(activation, z + i, count - i, scale, out + i);
  return finite;
}

template <Kind kKind, bool kQuick>
[[gnu::target("avx512f,avx512bw")]] std::size_t collect_avx512(const Activation& activation, const Row& row) {
  const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i all = _mm512_set1_epi32(static_cast<int>(row.all_cells));
  const __m512 smallest = _mm512_set1_ps(row.smallest), threshold = _mm512_set1_ps(row.threshold);
  const __m512 minus_infinite = _mm512_set1_ps(-kInfinite);
  std::size_t next = row.size;
  for (std::size_t group = 0; group < row.count; group += kGroup) {
    const __m512 z = _mm512_loadu_ps(row.z + group);
    __mmask16 any = _mm512_cmp_ps_mask(z, smallest, _CMP_NLT_UQ);  // NaN too
    if constexpr (kKind == Kind::kIdentity)
      any |= _mm512_cmp_ps_mask(z, _mm512_set1_ps(least_finite(row.scale)), _CMP_LT_OQ);
    if (any == 0) continue;
    auto some = (Vectors<16>::Float)z;
    apply_avx512<kKind, kQuick>(activation, some, row.scale);
    const auto energies = (__m512)some;
    const __m512i cells =
        _mm512_add_epi32(places, _mm512_set1_epi32(static_cast<int>(row.first_cell + group)));
    __mmask16 hit = _mm512_cmp_ps_mask(energies, threshold, _CMP_NLT_UQ);
    hit = _mm512_mask_cmp_ps_mask(hit, energies, _mm512_setzero_ps(), _CMP_NLE_UQ);
    hit |= _mm512_cmp_ps_mask(energies, minus_infinite, _CMP_EQ_OQ);
    hit = _mm512_mask_cmp_epu32_mask(hit, cells, all, _MM_CMPINT_LT);
    // Whole vectors are written; what is behind the hits is written over. (Compressing into memory is slow on
    // some machines.)
    _mm512_storeu_si512(row.cells + next, _mm512_maskz_compress_epi32(hit, cells));
    _mm512_storeu_ps(row.energies + next, _mm512_maskz_compress_ps(hit, energies));
    next += static_cast<unsigned>(__builtin_popcount(hit));
  }
  return next;
}
#endif

template <Kind kKind>
CellKernels by_isa([[maybe_unused]] Isa isa, [[maybe_unused]] bool quick) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512 && quick)
    return {collect_avx512<kKind, true>, dense_avx512<kKind, true>, stream_avx512<kKind, true>};
  if (isa >= Isa::kAvx512)
    return {collect_avx512<kKind, false>, dense_avx512<kKind, false>, stream_avx512<kKind, false>};
  if (isa >= Isa::kAvx2 && quick)
    return {collect_avx2<kKind, true>, dense_avx2<kKind, true>, stream_avx2<kKind, true>};
  if (isa >= Isa::kAvx2)
    return {collect_avx2<kKind, false>, dense_avx2<kKind, false>, stream_avx2<kKind, false>};
#endif
  return {collect_plain<kKind>, dense_plain<kKind>, dense_plain<kKind>};
}

}  // namespace

void stream_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

CellKernels cell_kernels(Kind kind, Isa isa, bool quick) {
  switch (kind) {
    case Kind::kSigmoid:
      return by_isa<Kind::kSigmoid>(isa, quick);
    case Kind::kSoftplus:
      return by_isa<Kind::kSoftplus>(isa, quick);
    case Kind::kRelu:
      return by_isa<Kind::kRelu>(isa, quick);
    case Kind::kIdentity:
      return by_isa<Kind::kIdentity>(isa, quick);
    default:  // one by one
      return by_isa<Kind::kTanh>(isa, quick);
  }
}

}  // namespace calo::infer
