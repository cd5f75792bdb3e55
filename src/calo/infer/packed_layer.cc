#include "calo/infer/packed_layer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "calo/infer/amx_kernels.h"
#include "calo/infer/kernels.h"
#include "core/error.h"

namespace calo::infer {
namespace {

void prepare_bf16(const float* in, std::int64_t count, std::byte* out) {
  for (std::int64_t k = 0; k < count; ++k) {
    const std::uint16_t value = to_bfloat16(in[k]);
    std::memcpy(out + k * 2, &value, 2);
  }
  if (count % 2 != 0) std::memset(out + count * 2, 0, 2);
}

// 16 or 8 bits over the row's own range; zero is always in it.
void prepare_integers(const float* in, std::int64_t count, bool wide, std::byte* out) {
  const float most = wide ? 65535.0f : 255.0f;
  float low = 0, high = 0, spoilt = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    low = std::min(low, in[k]);
    high = std::max(high, in[k]);
    spoilt += in[k] * 0.0f;
  }
  const float step = high > low ? (high - low) / most : 1.0f;
  // A number that is not finite cannot be among the bytes: it spoils the row, so that it is seen behind.
  if (spoilt != 0 || !std::isfinite(step)) low = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(out, &low, sizeof low);
  std::memcpy(out + 4, &step, sizeof step);
  const std::int64_t filled = (count + 3) / 4 * 4;
  std::byte* const highs = out + kIntegerRowHeader;
  std::byte* const lows = highs + filled;
  for (std::int64_t k = 0; k < filled; ++k) {
    const float scaled = k < count ? (in[k] - low) / step : 0.0f;
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): not negative, so half up is what is meant
    const auto q = scaled > 0 ? static_cast<std::uint32_t>(std::min(scaled, most) + 0.5f) : 0u;
    if (wide) {
      highs[k] = static_cast<std::byte>(q >> 8);
      lows[k] = static_cast<std::byte>(q & 0xff);
    } else {
      highs[k] = static_cast<std::byte>(q);
    }
  }
}

}  // namespace

std::uint16_t to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40);  // NaN stays
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

const char* to_string(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
    case Precision::kW8a8:
      return "w8a8";
  }
  return "?";
}

Precision parse_precision(std::string_view text) {
  for (const Precision precision : kPrecisions)
    if (text == to_string(precision)) return precision;
  throw core::UsageError({.message = "\"" + std::string(text) + "\" is no precision",
                          .field = "precision",
                          .hint = "one of fp32, bf16, int8, w8a8"});
}

const char* to_string(Isa isa) {
  switch (isa) {
    case Isa::kPlain:
      return "plain";
    case Isa::kAvx2:
      return "AVX2";
    case Isa::kAvx512:
      return "AVX-512";
    case Isa::kAvx512Narrow:
      return "AVX-512 with BF16 and VNNI";
    case Isa::kAmx:
      return "AVX-512 with BF16 and VNNI, AMX";
  }
  return "?";
}

Isa best_isa() {
#if defined(__x86_64__)
  static const Isa best = [] {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
      if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512vnni")) return Isa::kAvx512;
      return amx::available() ? Isa::kAmx : Isa::kAvx512Narrow;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::kAvx2;
    return Isa::kPlain;
  }();
  return best;
#else
  return Isa::kPlain;
#endif
}

PackedLayer::PackedLayer(const WeightView& weight, std::span<const float> bias, std::int64_t in,
                         const Options& options)
    : in_(in), out_(static_cast<std::int64_t>(bias.size())), precision_(options.precision) {
  bias_.assign(static_cast<std::size_t>(panels() * kPanel), 0.0f);
  std::copy(bias.begin(), bias.end(), bias_.begin());
  switch (precision_) {
    case Precision::kFp32:
      pack_fp32(weight, options);
      break;
    case Precision::kBf16:
      pack_bf16(weight, options);
      break;
    case Precision::kInt8:
    case Precision::kW8a8:
      pack_int8(weight, options);
      break;
  }
}

PackedLayer::PackedLayer(std::span<const float> weight, std::span<const float> bias, std::int64_t in)
    : PackedLayer({.data = reinterpret_cast<const std::byte*>(weight.data()), .out_stride = in}, bias, in,
                  Options{}) {}

void PackedLayer::pack_fp32(const WeightView& weight, const Options& options) {
  kernels_ = fp32_kernels(options.isa);
  row_bytes_ = static_cast<std::size_t>(in_) * sizeof(float);
  panel_bytes_ = row_bytes_ * kPanel;
  weight_ = LargeArray<std::byte>(static_cast<std::size_t>(panels()) * panel_bytes_,
                                  LargeArray<std::byte>::Pages::kHuge);
  auto* const packed = reinterpret_cast<float*>(weight_.data());
  for (std::int64_t panel = 0; panel < panels(); ++panel) {
    float* const at = packed + panel * in_ * kPanel;
    for (std::int64_t k = 0; k < in_; ++k)
      for (std::int64_t j = 0; j < kPanel; ++j) {
        const std::int64_t output = panel * kPanel + j;
        at[k * kPanel + j] = output < out_ ? weight.at(output, k) : 0.0f;
      }
    if (options.packed) options.packed(panel * kPanel);
  }
}

void PackedLayer::pack_bf16(const WeightView& weight, const Options& options) {
  kernels_ = bf16_kernels(options.isa);
  tiles_ = options.isa >= Isa::kAmx;
  const std::int64_t pairs = (in_ + 1) / 2;
  row_bytes_ = static_cast<std::size_t>(pairs) * 4;
  panel_bytes_ = row_bytes_ * kPanel;
  weight_ = LargeArray<std::byte>(static_cast<std::size_t>(panels()) * panel_bytes_,
                                  LargeArray<std::byte>::Pages::kHuge);
  auto* const packed = reinterpret_cast<std::uint16_t*>(weight_.data());
  for (std::int64_t panel = 0; panel < panels(); ++panel) {
    std::uint16_t* const at = packed + panel * pairs * 2 * kPanel;
    for (std::int64_t k = 0; k < 2 * pairs; ++k)
      for (std::int64_t j = 0; j < kPanel; ++j) {
        const std::int64_t output = panel * kPanel + j;
        at[(k / 2 * kPanel + j) * 2 + k % 2] =
            output < out_ && k < in_ ? to_bfloat16(weight.at(output, k)) : std::uint16_t{0};
      }
    if (options.packed) options.packed(panel * kPanel);
  }
}

void PackedLayer::pack_int8(const WeightView& weight, const Options& options) {
  constexpr std::int64_t kMostInputs = 60'000;  // so that sums of bytes stay in 31 bits
  integer_rows_ = options.isa >= Isa::kAvx512Narrow && in_ <= kMostInputs;
  kernels_ = integer_rows_ ? int8_integer_kernels(options.isa, precision_ == Precision::kInt8)
                           : int8_float_kernels(options.isa);
  tiles_ = integer_rows_ && options.isa >= Isa::kAmx;
  const std::int64_t filled = integer_rows_ ? (in_ + 3) / 4 * 4 : in_;
  row_bytes_ =
      integer_rows_
          ? kIntegerRowHeader + static_cast<std::size_t>(precision_ == Precision::kInt8 ? 2 * filled : filled)
          : static_cast<std::size_t>(in_) * sizeof(float);
  panel_bytes_ = static_cast<std::size_t>(filled * kPanel);
  weight_ = LargeArray<std::byte>(static_cast<std::size_t>(panels()) * panel_bytes_,
                                  LargeArray<std::byte>::Pages::kHuge);
  std::memset(weight_.data(), 0, weight_.size());
  scale_.assign(bias_.size(), 0.0f);
  sums_.assign(bias_.size(), 0.0f);
  for (std::int64_t output = 0; output < out_; ++output) {
    float largest = 0;
    for (std::int64_t k = 0; k < in_; ++k) {
      const float size = std::abs(weight.at(output, k));
      if (!(size <= largest)) largest = size;  // NaN too
      if (!std::isfinite(largest)) break;
    }
    const float scale = std::isfinite(largest) ? largest / 127.0f : std::nanf("");
    const std::int64_t panel = output / kPanel, j = output % kPanel;
    std::byte* const at = weight_.data() + static_cast<std::size_t>(panel) * panel_bytes_;
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < in_ && largest > 0 && std::isfinite(largest); ++k) {
      const auto q = static_cast<std::int8_t>(std::lround(weight.at(output, k) / scale));
      sum += q;
      at[integer_rows_ ? (k / 4 * kPanel + j) * 4 + k % 4 : k * kPanel + j] = static_cast<std::byte>(q);
    }
    scale_[static_cast<std::size_t>(output)] = scale;
    sums_[static_cast<std::size_t>(output)] = static_cast<float>(sum);
    if (options.packed && j == 0) options.packed(output);
  }
}

// Words of two bf16 or of four bytes.
std::int64_t PackedLayer::words() const {
  return precision_ == Precision::kBf16 ? (in_ + 1) / 2 : (in_ + 3) / 4;
}

PackedLayer::Use::Use(const PackedLayer& layer) : tiles_(layer.tiles_) {
  if (tiles_) amx::configure(amx::config_for(layer.words()));
}

PackedLayer::Use::~Use() {
  if (tiles_) amx::release();
}

void PackedLayer::prepare(const float* input, std::int64_t input_stride, std::int64_t rows,
                          std::byte* out) const {
  if (tiles_) {
    const std::size_t filled = static_cast<std::size_t>(rows) * row_bytes_;
    std::memset(out + filled, 0, prepared_bytes(rows) - filled);
  }
  for (std::int64_t row = 0; row < rows; ++row, input += input_stride, out += row_bytes_) {
    if (precision_ == Precision::kBf16)
      prepare_bf16(input, in_, out);
    else if (integer_rows_)
      prepare_integers(input, in_, precision_ == Precision::kInt8, out);
    else
      std::memcpy(out, input, row_bytes_);
  }
}

void PackedLayer::multiply(const Use&, std::int64_t panel, const std::byte* prepared, std::int64_t rows,
                           float* z, std::int64_t z_stride) const {
  const std::int64_t first = panel * kPanel;
  kernels_[tiles_ ? 0 : rows - 1]({.weight = weight_.data() + static_cast<std::size_t>(panel) * panel_bytes_,
                                   .bias = bias_.data() + first,
                                   .scale = scale_.data() + (is_int8() ? first : 0),
                                   .sums = sums_.data() + (is_int8() ? first : 0),
                                   .in = in_,
                                   .rows = prepared,
                                   .row_bytes = row_bytes_,
                                   .z = z,
                                   .z_stride = z_stride});
}

}  // namespace calo::infer
