#include "calo/infer/float_functions.h"

#include <cstring>

#include "calo/infer/vectors.h"

namespace calo::infer {
namespace {

using Kind = Activation::Kind;

// Polynomials are fits of the least largest error, made for these ranges. Vectors go in and out by reference:
// by value they would be another calling convention on each machine. Comparisons are written so that NaN
// fails them and stays.

template <int kLanes>
struct Functions {
  using Float = typename Vectors<kLanes>::Float;
  using Int = typename Vectors<kLanes>::Int;
  using Signed = typename Vectors<kLanes>::Signed;

  static constexpr float kRound = 12582912.0f;  // 1.5 x 2^23: adding it rounds to an integer

  CALOPIPE_INLINE static void magnitude(Float& x) {
    x = reinterpret_cast<Float>(reinterpret_cast<Int>(x) & 0x7fffffffu);
  }
  // The sign of `of` for an x that has none.
  CALOPIPE_INLINE static void take_sign(Float& x, const Float& of) {
    x = reinterpret_cast<Float>(reinterpret_cast<Int>(x) | (reinterpret_cast<const Int&>(of) & 0x80000000u));
  }
  // x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite's split of ln 2); q = e^r - 1.
  CALOPIPE_INLINE static void reduce(const Float& x, Signed& n, Float& q) {
    const Float shifted = x * 1.44269504f + kRound;
    const Float whole = shifted - kRound;
    n = reinterpret_cast<const Signed&>(shifted) - 0x4b400000;
    const Float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Float p = r * 1.3950807e-3f + 8.369073e-3f;
    p = p * r + 4.1666202e-2f;
    p = p * r + 1.6666517e-1f;
    p = p * r + 0.5f;
    q = p * (r * r) + r;
  }
  CALOPIPE_INLINE static void power_of_two(const Signed& n, Float& to) {
    to = reinterpret_cast<Float>((n + 127) << 23);
  }

  CALOPIPE_INLINE static void exp(Float& x) {
    clamp<kLanes>(x, -104.0f, 89.0f);
    Signed n;
    Float q, first, second;
    reduce(x, n, q);
    // In two steps, so that subnormal results are rounded once.
    const Signed half = n >> 1;
    power_of_two(half, first);
    power_of_two(n - half, second);
    x = (q + 1.0f) * first * second;
  }
  CALOPIPE_INLINE static void exp_of_minus_magnitude(Float& x) {
    magnitude(x);
    x = -x;
    exp(x);
  }

  CALOPIPE_INLINE static void expm1(Float& x) {
    clamp<kLanes>(x, -30.0f, 89.0f);
    Signed n;
    Float q, half;
    reduce(x, n, q);
    power_of_two(n - 1, half);
    const Float y = 2.0f * (q * half + (half - 0.5f));
    x = n == 0 ? q : y;
  }

  // log(1 + u) for u in [0, 1], = 2 atanh(u / (2 + u))
  CALOPIPE_INLINE static void log1p(Float& u) {
    const Float over = 1.0f / (2.0f + u), s = u * over, t = s * s;
    Float p = t * 1.2150502e-1f + 1.071382e-1f;
    p = p * t + 1.4308444e-1f;
    p = p * t + 1.9999439e-1f;
    p = p * t + 3.3333337e-1f;
    p = p * t + 1.0f;
    u = u * ((over + over) * p);
  }

  CALOPIPE_INLINE static void sigmoid(Float& x) {
    Float e = x;
    exp_of_minus_magnitude(e);
    const Float one = Float{} + 1.0f;
    x = (x < Float{} ? e : one) / (1.0f + e);
  }

  CALOPIPE_INLINE static void tanh(Float& x) {
    Float t = x;
    magnitude(t);
    const Float most = Float{} + 10.0f;
    t = t > most ? most : t;
    t = t + t;
    expm1(t);
    t = t / (t + 2.0f);
    take_sign(t, x);
    x = t;
  }

  CALOPIPE_INLINE static void softplus(Float& x) {
    Float e = x;
    exp_of_minus_magnitude(e);
    log1p(e);
    x = (x > Float{} ? x : Float{}) + e;
  }

  CALOPIPE_INLINE static void erf(Float& x) {
    const Float s = x * x;
    Float p = s * 8.223984e-5f - 8.108082e-4f;
    p = p * s + 5.1979916e-3f;
    p = p * s - 2.6858186e-2f;
    p = p * s + 1.1283674e-1f;
    p = p * s - 3.7612632e-1f;
    p = p * s + 1.2837917e-1f;
    const Float near = x * p + x;
    // 1 - exp(-t - t P(t)) from where the other ends
    Float t = x;
    magnitude(t);
    const Float bound = Float{} + 0.93f, most = Float{} + 4.0f;
    const Float size = t;
    t = t > most ? most : t;
    p = t * -2.13533e-4f + 3.2113183e-3f;
    p = p * t - 2.2878613e-2f;
    p = p * t + 1.0524467e-1f;
    p = p * t + 6.357309e-1f;
    p = p * t + 1.2851076e-1f;
    Float far = -(p * t + t);
    exp(far);
    far = 1.0f - far;
    take_sign(far, x);
    x = size > bound ? far : near;
  }

  CALOPIPE_INLINE static void hard_sigmoid(Float& x, float alpha, float beta) {
    x = x * alpha + beta;
    clamp<kLanes>(x, 0.0f, 1.0f);
  }

  template <Kind kKind>
  CALOPIPE_INLINE static void apply(const Activation& f, Float& x) {
    const Float zero{};
    if constexpr (kKind == Kind::kRelu) {
      x = x < zero ? zero : x;
    } else if constexpr (kKind == Kind::kLeakyRelu) {
      x = x < zero ? x * f.alpha : x;
    } else if constexpr (kKind == Kind::kElu) {
      Float y = x;
      expm1(y);
      x = x < zero ? y * f.alpha : x;
    } else if constexpr (kKind == Kind::kSelu) {
      Float y = x;
      expm1(y);
      x = (x > zero ? x : y * f.alpha) * f.gamma;
    } else if constexpr (kKind == Kind::kCelu) {
      Float y = x / f.alpha;
      expm1(y);
      y = y * f.alpha;
      x = (x < zero ? zero : x) + (y > zero ? zero : y);
    } else if constexpr (kKind == Kind::kTanh) {
      tanh(x);
    } else if constexpr (kKind == Kind::kSigmoid) {
      sigmoid(x);
    } else if constexpr (kKind == Kind::kSoftplus) {
      softplus(x);
    } else if constexpr (kKind == Kind::kGelu) {
      Float y = x * 0.70710678118654752f;
      erf(y);
      x = 0.5f * x * (1.0f + y);
    } else if constexpr (kKind == Kind::kGeluTanh) {
      // (1 + tanh u) / 2 is a sigmoid of 2 u.
      Float u = 1.5957691216057308f * (x + 0.044715f * x * x * x);
      sigmoid(u);
      x = x * u;
    } else if constexpr (kKind == Kind::kMish) {
      // tanh(log(1 + e^x)) = ((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1)
      Float e = x;
      exp_of_minus_magnitude(e);
      const Float left = e * (e + 2.0f), right = 1.0f + 2.0f * e;
      const Float numerator = x > zero ? right : left;
      const Float rest = x > zero ? 2.0f * e * e : zero + 2.0f;
      x = x * (numerator / (numerator + rest));
    } else if constexpr (kKind == Kind::kHardSigmoid) {
      hard_sigmoid(x, f.alpha, f.gamma);
    } else if constexpr (kKind == Kind::kHardSwish) {
      Float y = x;
      hard_sigmoid(y, 1.0f / 6, 0.5f);
      x = x * y;
    } else if constexpr (kKind == Kind::kSoftsign) {
      Float y = x;
      magnitude(y);
      x = x / (1.0f + y);
    } else if constexpr (kKind == Kind::kExp) {
      exp(x);
    } else if constexpr (kKind == Kind::kErf) {
      erf(x);
    }
  }
};

template <Kind kKind, int kLanes>
CALOPIPE_INLINE void all_of(const Activation& f, const float* x, float* y, std::size_t count) {
  using Float = typename Vectors<kLanes>::Float;
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Float some;
    load(some, x + i);
    Functions<kLanes>::template apply<kKind>(f, some);
    store(y + i, some);
  }
  if (i == count) return;
  float rest[kLanes] = {};
  for (std::size_t j = 0; j < count - i; ++j) rest[j] = x[i + j];
  Float some;
  load(some, rest);
  Functions<kLanes>::template apply<kKind>(f, some);
  store(rest, some);
  for (std::size_t j = 0; j < count - i; ++j) y[i + j] = rest[j];
}

template <Kind kKind>
void plain(const Activation& f, const float* x, float* y, std::size_t count) {
  all_of<kKind, 4>(f, x, y, count);
}
#if defined(__x86_64__)
template <Kind kKind>
[[gnu::target("avx2,fma")]] void avx2(const Activation& f, const float* x, float* y, std::size_t count) {
  all_of<kKind, 8>(f, x, y, count);
}
template <Kind kKind>
[[gnu::target("avx512f,avx512bw")]] void avx512(const Activation& f, const float* x, float* y,
                                                std::size_t count) {
  all_of<kKind, 16>(f, x, y, count);
}
#endif

template <Kind kKind>
FloatFunction by_isa([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return avx512<kKind>;
  if (isa >= Isa::kAvx2) return avx2<kKind>;
#endif
  return plain<kKind>;
}

void identity(const Activation& /*f*/, const float* x, float* y, std::size_t count) {
  if (count > 0) std::memmove(y, x, count * sizeof(float));
}

}  // namespace

FloatFunction float_function(Kind kind, Isa isa) {
  switch (kind) {
    case Kind::kIdentity:
      return identity;
    case Kind::kRelu:
      return by_isa<Kind::kRelu>(isa);
    case Kind::kLeakyRelu:
      return by_isa<Kind::kLeakyRelu>(isa);
    case Kind::kElu:
      return by_isa<Kind::kElu>(isa);
    case Kind::kSelu:
      return by_isa<Kind::kSelu>(isa);
    case Kind::kCelu:
      return by_isa<Kind::kCelu>(isa);
    case Kind::kTanh:
      return by_isa<Kind::kTanh>(isa);
    case Kind::kSigmoid:
      return by_isa<Kind::kSigmoid>(isa);
    case Kind::kSoftplus:
      return by_isa<Kind::kSoftplus>(isa);
    case Kind::kGelu:
      return by_isa<Kind::kGelu>(isa);
    case Kind::kGeluTanh:
      return by_isa<Kind::kGeluTanh>(isa);
    case Kind::kMish:
      return by_isa<Kind::kMish>(isa);
    case Kind::kHardSigmoid:
      return by_isa<Kind::kHardSigmoid>(isa);
    case Kind::kHardSwish:
      return by_isa<Kind::kHardSwish>(isa);
    case Kind::kSoftsign:
      return by_isa<Kind::kSoftsign>(isa);
    case Kind::kExp:
      return by_isa<Kind::kExp>(isa);
    case Kind::kErf:
      return by_isa<Kind::kErf>(isa);
  }
  return identity;
}

}  // namespace calo::infer
