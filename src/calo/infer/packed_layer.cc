#include "calo/infer/packed_layer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "calo/infer/detail/amx_kernels.h"
#include "calo/infer/detail/kernels.h"
#include "core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace calo::infer {
namespace {

void prepare_bf16(const float* in, std::int64_t count, std::byte* out) {
  for (std::int64_t k = 0; k < count; ++k) {
    const std::uint16_t value = to_bfloat16(in[k]);
    std::memcpy(out + k * 2, &value, 2);
  }
  if (count % 2 != 0) std::memset(out + count * 2, 0, 2);
}

void prepare_floats_of_bf16(const float* in, std::int64_t count, std::byte* out) {
  for (std::int64_t k = 0; k < count; ++k) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(to_bfloat16(in[k])) << 16);
    std::memcpy(out + k * 4, &value, 4);
  }
}

// x = first + step · q, q from 0 to `most`, over the row's own range; zero is always in it.
class Steps {
 public:
  Steps(const float* in, std::int64_t count, float most) : most_(most) {
    float high = 0, spoilt = 0;
    for (std::int64_t k = 0; k < count; ++k) {
      first_ = std::min(first_, in[k]);
      high = std::max(high, in[k]);
      spoilt += in[k] * 0.0f;
    }
    step_ = high > first_ ? (high - first_) / most : 1.0f;
    // A number that is not finite cannot be among the integers: it spoils the row, so that it is seen behind.
    if (spoilt != 0 || !std::isfinite(step_)) first_ = std::numeric_limits<float>::quiet_NaN();
  }
  std::uint32_t operator()(float x) const {
    const float scaled = (x - first_) / step_;
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): not negative, so half up is what is meant
    return scaled > 0 ? static_cast<std::uint32_t>(std::min(scaled, most_) + 0.5f) : 0u;
  }
  /// Of integers that are q less `zero`.
  void write_header(float zero, std::byte* out) const {
    const float first = first_ + zero * step_;
    std::memcpy(out, &first, sizeof first);
    std::memcpy(out + 4, &step_, sizeof step_);
  }

 private:
  float most_, first_ = 0, step_ = 1;
};

void prepare_bytes(const float* in, std::int64_t count, bool wide, std::byte* out) {
  const Steps steps(in, count, wide ? 65535.0f : 255.0f);
  steps.write_header(0, out);
  const std::int64_t filled = (count + 3) / 4 * 4;
  std::byte* const highs = out + kIntegerRowHeader;
  std::byte* const lows = highs + filled;
  for (std::int64_t k = 0; k < filled; ++k) {
    const std::uint32_t q = k < count ? steps(in[k]) : 0;
    if (wide) {
      highs[k] = static_cast<std::byte>(q >> 8);
      lows[k] = static_cast<std::byte>(q & 0xff);
    } else {
      highs[k] = static_cast<std::byte>(q);
    }
  }
}

void prepare_words(const float* in, std::int64_t count, std::byte* out) {
  constexpr int kHalf = 32768;
  const Steps steps(in, count, 65535.0f);
  steps.write_header(kHalf, out);
  for (std::int64_t k = 0; k < (count + 3) / 4 * 4; ++k) {
    const auto q =
        k < count ? static_cast<std::int16_t>(static_cast<int>(steps(in[k])) - kHalf) : std::int16_t{0};
    std::memcpy(out + kIntegerRowHeader + k * 2, &q, sizeof q);
  }
}

#if defined(__x86_64__)
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1u << 4) != 0;
}
#endif

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
    case Isa::kAvx2Vnni:
      return "AVX2 with VNNI";
    case Isa::kAvx512:
      return "AVX-512";
    case Isa::kAvx512Narrow:
      return "AVX-512 with BF16 and VNNI";
    case Isa::kAmx:
      return "AVX-512 with BF16 and VNNI, AMX";
  }
  return "?";
}

bool has_isa([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kPlain:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx2Vnni:
      return has_isa(Isa::kAvx2) && has_avx_vnni();
    case Isa::kAvx512:
      return has_isa(Isa::kAvx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    case Isa::kAvx512Narrow:
      return has_isa(Isa::kAvx512) && __builtin_cpu_supports("avx512bf16") &&
             __builtin_cpu_supports("avx512vnni");
    case Isa::kAmx:
      return has_isa(Isa::kAvx512Narrow) && amx::available();
  }
#endif
  return isa == Isa::kPlain;
}

Isa parse_isa(std::string_view text) {
  constexpr std::pair<std::string_view, Isa> kNames[] = {{"plain", Isa::kPlain},
                                                         {"avx2", Isa::kAvx2},
                                                         {"avx2-vnni", Isa::kAvx2Vnni},
                                                         {"avx512", Isa::kAvx512},
                                                         {"avx512-narrow", Isa::kAvx512Narrow},
                                                         {"amx", Isa::kAmx}};
  for (const auto& [name, isa] : kNames)
    if (text == name) return isa;
  throw core::UsageError({.message = "\"" + std::string(text) + "\" is no instruction set",
                          .field = "CALOPIPE_ISA",
                          .hint = "one of plain, avx2, avx2-vnni, avx512, avx512-narrow, amx"});
}

Isa best_isa() {
  static const Isa best = [] {
    const char* const named = std::getenv("CALOPIPE_ISA");
    const Isa most = named != nullptr ? parse_isa(named) : Isa::kAmx;
    Isa has = Isa::kPlain;
    for (const Isa isa : kIsas)
      if (isa <= most && has_isa(isa)) has = isa;
    return has;
  }();
  return best;
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
  rows_ = bf16_rows(options.isa);
  tiles_ = options.isa >= Isa::kAmx;
  const bool pairs = rows_ == RowFormat::kBf16;
  const std::int64_t filled = pairs ? (in_ + 1) / 2 * 2 : in_;
  row_bytes_ = static_cast<std::size_t>(filled * (pairs ? 2 : 4));
  panel_bytes_ = static_cast<std::size_t>(filled * kPanel * 2);
  weight_ = LargeArray<std::byte>(static_cast<std::size_t>(panels()) * panel_bytes_,
                                  LargeArray<std::byte>::Pages::kHuge);
  auto* const packed = reinterpret_cast<std::uint16_t*>(weight_.data());
  for (std::int64_t panel = 0; panel < panels(); ++panel) {
    std::uint16_t* const at = packed + panel * filled * kPanel;
    for (std::int64_t k = 0; k < filled; ++k)
      for (std::int64_t j = 0; j < kPanel; ++j) {
        const std::int64_t output = panel * kPanel + j;
        at[pairs ? (k / 2 * kPanel + j) * 2 + k % 2 : k * kPanel + word_place(j, 2, options.isa)] =
            output < out_ && k < in_ ? to_bfloat16(weight.at(output, k)) : std::uint16_t{0};
      }
    if (options.packed) options.packed(panel * kPanel);
  }
}

void PackedLayer::pack_int8(const WeightView& weight, const Options& options) {
  const bool wide = precision_ == Precision::kInt8;
  rows_ = int8_rows(options.isa, in_);
  kernels_ = int8_kernels(options.isa, rows_, wide);
  tiles_ = rows_ == RowFormat::kBytes && options.isa >= Isa::kAmx;
  const std::int64_t together = rows_ == RowFormat::kBytes ? 4 : rows_ == RowFormat::kWords ? 2 : 1;
  const std::int64_t filled = rows_ == RowFormat::kFloats ? in_ : (in_ + 3) / 4 * 4;
  if (rows_ == RowFormat::kFloats)
    row_bytes_ = static_cast<std::size_t>(in_) * sizeof(float);
  else
    row_bytes_ = kIntegerRowHeader +
                 static_cast<std::size_t>(rows_ == RowFormat::kWords || wide ? 2 * filled : filled);
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
      at[rows_ == RowFormat::kFloats ? k * kPanel + word_place(j, 4, options.isa)
                                     : (k / together * kPanel + j) * together + k % together] =
          static_cast<std::byte>(q);
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
    switch (rows_) {
      case RowFormat::kFloats:
        if (precision_ == Precision::kBf16)
          prepare_floats_of_bf16(input, in_, out);
        else
          std::memcpy(out, input, row_bytes_);
        break;
      case RowFormat::kBf16:
        prepare_bf16(input, in_, out);
        break;
      case RowFormat::kWords:
        prepare_words(input, in_, out);
        break;
      case RowFormat::kBytes:
        prepare_bytes(input, in_, precision_ == Precision::kInt8, out);
        break;
    }
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
