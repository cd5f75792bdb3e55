#include "calo/infer/cascade/hard_swish.h"

#include <cstring>

#include "calo/infer/vectors.h"

namespace calo::cascade {
namespace {

using infer::Isa;
using infer::Vectors;

struct Arrays {
  const float* x;
  const float *first, *second;  // what is added to x, where a kernel adds it
  const float* before;          // what is added to the result, where a kernel adds it
  float* h;
  std::size_t count;
};

template <int kLanes, int kSummands, bool kBefore>
CALOPIPE_INLINE void some_of(const float* x, const float* first, const float* second, const float* before,
                             float* h) {
  using Float = typename Vectors<kLanes>::Float;
  Float sum, more;
  infer::load(sum, x);
  if constexpr (kSummands > 0) infer::load(more, first), sum += more;
  if constexpr (kSummands > 1) infer::load(more, second), sum += more;
  Float gate = sum + 3.0f;
  infer::clamp<kLanes>(gate, 0.0f, 6.0f);
  Float y = sum * gate;
  if constexpr (kBefore)
    infer::load(more, before), y = more + y * (1.0f / 6.0f);
  else
    y = y * (1.0f / 6.0f);
  infer::store(h, y);
}

template <int kLanes, int kSummands, bool kBefore>
CALOPIPE_INLINE void all_of(const Arrays& of) {
  const Arrays a = of;  // nothing that is written below can change it
  std::size_t i = 0;
  for (; i + kLanes <= a.count; i += kLanes)
    some_of<kLanes, kSummands, kBefore>(a.x + i, a.first + i, a.second + i, a.before + i, a.h + i);
  if (i == a.count) return;
  // The rest in the same way, so that its bits are the same.
  float rest[5][kLanes] = {};
  const std::size_t bytes = (a.count - i) * sizeof(float);
  std::memcpy(rest[0], a.x + i, bytes);
  if constexpr (kSummands > 0) std::memcpy(rest[1], a.first + i, bytes);
  if constexpr (kSummands > 1) std::memcpy(rest[2], a.second + i, bytes);
  if constexpr (kBefore) std::memcpy(rest[3], a.before + i, bytes);
  some_of<kLanes, kSummands, kBefore>(rest[0], rest[1], rest[2], rest[3], rest[4]);
  std::memcpy(a.h + i, rest[4], bytes);
}

template <int kSummands, bool kBefore>
void swish_plain(const Arrays& a) {
  all_of<4, kSummands, kBefore>(a);
}
#if defined(__x86_64__)
template <int kSummands, bool kBefore>
[[gnu::target("avx2,fma")]] void swish_avx2(const Arrays& a) {
  all_of<8, kSummands, kBefore>(a);
}
template <int kSummands, bool kBefore>
[[gnu::target("avx512f,avx512bw")]] void swish_avx512(const Arrays& a) {
  all_of<16, kSummands, kBefore>(a);
}
#endif

template <int kSummands, bool kBefore>
void swish([[maybe_unused]] Isa isa, const Arrays& a) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return swish_avx512<kSummands, kBefore>(a);
  if (isa >= Isa::kAvx2) return swish_avx2<kSummands, kBefore>(a);
#endif
  swish_plain<kSummands, kBefore>(a);
}

}  // namespace

void add_hard_swish(const float* x, const float* before, float* h, std::size_t count, Isa isa) {
  swish<0, true>(isa, {.x = x, .first = x, .second = x, .before = before, .h = h, .count = count});
}

void hard_swish_of_sum(const float* x, const float* a, const float* b, float* h, std::size_t count, Isa isa) {
  const float* const first = a != nullptr ? a : b;
  const Arrays arrays{.x = x,
                      .first = first != nullptr ? first : x,
                      .second = b != nullptr ? b : x,
                      .before = x,
                      .h = h,
                      .count = count};
  if (a != nullptr && b != nullptr)
    swish<2, false>(isa, arrays);
  else if (first != nullptr)
    swish<1, false>(isa, arrays);
  else
    swish<0, false>(isa, arrays);
}

}  // namespace calo::cascade
