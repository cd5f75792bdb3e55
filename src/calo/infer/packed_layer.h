#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "calo/infer/large_array.h"
#include "calo/infer/precision.h"

namespace calo::infer {

/// A matrix of float32 anywhere in memory, at any address: element (output, input).
struct WeightView {
  enum class Storage { kFloat, kBfloat16, kInt8 };

  const std::byte* data = nullptr;
  std::int64_t out_stride = 0;  ///< in elements
  std::int64_t in_stride = 1;
  float factor = 1;  ///< of every element
  Storage storage = Storage::kFloat;
  std::span<const float> scales = {};  ///< of int8, by output

  std::int64_t element_bytes() const {
    return storage == Storage::kFloat ? 4 : storage == Storage::kBfloat16 ? 2 : 1;
  }
  float at(std::int64_t output, std::int64_t input) const {
    const std::int64_t place = output * out_stride + input * in_stride;
    float value = 0;
    switch (storage) {
      case Storage::kFloat:
        std::memcpy(&value, data + place * 4, 4);
        break;
      case Storage::kBfloat16:
        std::memcpy(reinterpret_cast<std::byte*>(&value) + 2, data + place * 2, 2);  // the upper half
        break;
      case Storage::kInt8:
        value = static_cast<float>(static_cast<std::int8_t>(data[place])) *
                scales[static_cast<std::size_t>(output)];
    }
    return factor * value;
  }
};

/// How a layer takes its rows and keeps the weights of a panel, both filled up with zeros to whole groups of
/// inputs. Integers q are behind a header of two floats (x = first + second · q) and 8 bytes of nothing.
enum class RowFormat {
  kFloats,  ///< `[in]`; fp32 weights `[in, 64]`, narrow ones too, in the order of word_place()
  kBf16,    ///< `[in / 2, 2]`; weights `[in / 2, 64, 2]`
  kWords,   ///< q of 16 bits with a sign, `[in / 4, 2, 2]`; weights `[in / 4, 2, 64, 2]`
  kBytes,  ///< the high and the low bytes of q, `[in / 4, 4]` each, or q of 8 bits; weights `[in / 4, 64, 4]`
};

/// Rounded to the nearest, half to even.
std::uint16_t to_bfloat16(float x);

/// A dense layer's weights in panels of 64 outputs, for the product with a few rows at a time.
///
/// fp32: every output is one chain of fused multiply-adds over the inputs in their order, starting from the
/// bias: the bits do not depend on how many rows are multiplied together, nor on AVX2 or AVX-512 (plain
/// x86-64, which has no fused multiply-add, differs in the last bits). bf16 and int8 depend on the machine,
/// not on the rows; int8 and w8a8 are the same on AVX-512 with VNNI and on AMX, and on AVX2 with and without
/// VNNI.
class PackedLayer {
 public:
  static constexpr std::int64_t kPanel = 64;
  /// Rows that multiply() takes at once: as many sums as the registers of AVX-512 hold, or the tiles of AMX.
  static constexpr std::int64_t kVectorRows = 6, kTileRows = 16, kMaxRows = kTileRows;

  struct Options {
    Precision precision = Precision::kFp32;
    Isa isa = best_isa();
    /// Called when the weights of outputs before this one are no longer needed.
    std::function<void(std::int64_t)> packed = {};
  };

  PackedLayer() = default;
  /// @param bias `[out]`
  PackedLayer(const WeightView& weight, std::span<const float> bias, std::int64_t in, const Options& options);
  /// @param weight `[out, in]`
  PackedLayer(std::span<const float> weight, std::span<const float> bias, std::int64_t in);

  std::int64_t in() const { return in_; }
  std::int64_t out() const { return out_; }
  std::int64_t panels() const { return (out_ + kPanel - 1) / kPanel; }
  Precision precision() const { return precision_; }
  /// Memory of the weights.
  std::size_t bytes() const { return weight_.size() + bias_.size() * sizeof(float) * (is_int8() ? 3 : 1); }

  std::int64_t rows_at_once() const { return tiles_ ? kTileRows : kVectorRows; }
  /// Bytes of a panel's weights.
  std::size_t panel_bytes() const { return panel_bytes_; }
  /// Bytes of one row as multiply() takes it, and of all: kernels read whole groups of rows.
  std::size_t row_bytes() const { return row_bytes_; }
  std::size_t prepared_bytes(std::int64_t rows) const {
    const std::int64_t at_once = rows_at_once();
    return static_cast<std::size_t>((rows + at_once - 1) / at_once * at_once) * row_bytes_;
  }
  /// Brings rows of in() floats into that form.
  /// @param out  prepared_bytes(rows)
  void prepare(const float* input, std::int64_t input_stride, std::int64_t rows, std::byte* out) const;

  /// What a thread holds while it multiplies (the machine's tiles).
  class Use {
   public:
    explicit Use(const PackedLayer& layer);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    bool tiles_;
  };

  /// z[row, 0…63] = bias + weight · input[row] for the panel's outputs. Outputs behind the last one are 0.
  /// @param prepared  of prepare(), from a row on whose number is a multiple of rows_at_once()
  /// @param rows  1 to rows_at_once()
  /// @param z  room for rows_at_once() rows: those behind `rows` may be overwritten
  void multiply(const Use& use, std::int64_t panel, const std::byte* prepared, std::int64_t rows, float* z,
                std::int64_t z_stride) const;

  /// What a kernel works on: one panel, some rows.
  struct Tile {
    const std::byte* weight;
    const float* bias;   // 64
    const float* scale;  // 64, of int8
    const float* sums;   // 64, of int8: of the integer weights over the inputs
    std::int64_t in;
    const std::byte* rows;
    std::size_t row_bytes;
    float* z;
    std::int64_t z_stride;
  };
  using Kernel = void (*)(const Tile& tile);

 private:
  bool is_int8() const { return precision_ == Precision::kInt8 || precision_ == Precision::kW8a8; }
  std::int64_t words() const;
  void pack_fp32(const WeightView& weight, const Options& options);
  void pack_bf16(const WeightView& weight, const Options& options);
  void pack_int8(const WeightView& weight, const Options& options);

  std::int64_t in_ = 0;
  std::int64_t out_ = 0;
  Precision precision_ = Precision::kFp32;
  RowFormat rows_ = RowFormat::kFloats;
  bool tiles_ = false;  // AMX
  std::size_t row_bytes_ = 0;
  std::size_t panel_bytes_ = 0;
  const Kernel* kernels_ = nullptr;  // by rows - 1; one where there are tiles
  LargeArray<std::byte> weight_;
  std::vector<float> bias_, scale_, sums_;  // [panel, 64]
};

}  // namespace calo::infer
