#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "calo/infer/cascade/trained.h"
#include "calo/infer/large_array.h"
#include "calo/infer/packed_layer.h"

namespace calo::cascade {

struct RowKernels;
struct WordKernels;

/// A stored network for sampling. A row's outputs do not depend on the other rows, to the bit.
///
/// In fp32 no work is done for inputs that are zero (regions without energy), and of the outputs only the
/// first kFirst are calculated for all rows: a split needs few of the others, which depend on these. Other
/// precisions calculate everything with the engine's layers.
class PackedNetwork {
 public:
  /// Outputs that forward() calculates.
  static constexpr std::size_t kFirst = 16;

  /// @throws core::InputError if a tensor is missing
  PackedNetwork(const CascadeNet& net, const Trained& model, const infer::PackedLayer::Options& options);

  /// Memory of the weights.
  std::size_t bytes() const;

  /// Rows that are worked through together.
  struct Rows {
    std::vector<float> x;                        ///< `[rows, inputs]`
    std::vector<std::size_t> layers, positions;  ///< rows of the tables
    std::vector<float> h, out;                   ///< the last hidden layer, and the outputs
    std::vector<float> between;                  ///< hidden layers of some rows
    std::vector<std::uint32_t> inputs;           ///< that are not zero, or pairs of them
    std::vector<std::int16_t> integers;          ///< some rows
    infer::LargeArray<std::byte> scratch;
    std::uint64_t rows_made = 0,
                  products = 0;  ///< rows that went through a network, and their multiplications

    void clear() { layers.clear(), positions.clear(); }
    std::size_t count() const { return layers.size(); }
  };

  /// Where the features of the next row go.
  float* add_row(Rows& rows, std::size_t layer, std::size_t position) const;
  /// Calculates the first outputs of all rows.
  void forward(Rows& rows) const;
  /// The first kFirst outputs of a row.
  const float* first_outputs(const Rows& rows, std::size_t row) const {
    return rows.out.data() + row * out_stride_;
  }
  /// Two outputs from kFirst on.
  std::array<float, 2> more_outputs(const Rows& rows, std::size_t row, int i, int j) const;
  /// All outputs of a row.
  void all_outputs(const Rows& rows, std::size_t row, float* out) const;
  /// @throws core::InputError always: an output is not finite
  [[noreturn]] void refuse_outputs() const;

 private:
  void pack_rows(const Trained& model);
  void pack_words(const Trained& model);
  void pack_common(const Trained& model);
  void forward_rows(Rows& rows, std::size_t begin, std::size_t count) const;
  void forward_words(Rows& rows, std::size_t begin, std::size_t count) const;
  void forward_layers(Rows& rows) const;

  CascadeNet net_;
  infer::Isa isa_;
  std::size_t out_stride_ = kFirst;
  // In fp32 and by words, the width being filled up to whole panels.
  const RowKernels* kernels_ = nullptr;
  const WordKernels* words_ = nullptr;
  std::size_t width_ = 0;
  infer::LargeArray<float> weights_;
  std::vector<const float*> hidden_;  // weights of each hidden layer, [panel, in, 64]
  const float* heads_ = nullptr;
  std::vector<float> more_;  // weights of the outputs from kFirst on, [output, width]
  struct WordLayer {
    infer::LargeArray<std::int16_t> weight;  // [panel, pairs, 64, 2]; heads: [pairs, kFirst, 2]
    std::vector<float> factors;              // by output
    std::size_t pairs = 0;
  };
  std::vector<WordLayer> word_layers_;  // hidden ones, then the heads
  std::vector<float> start_,
      position_table_;                      // by row of the table; start: of the biases and the layers' table
  std::vector<std::vector<float>> biases_;  // of each layer
  std::vector<std::uint32_t> all_inputs_;
  // In other precisions.
  std::vector<infer::PackedLayer> layers_;  // hidden ones, then the output
  std::vector<float> layer_table_;
};

}  // namespace calo::cascade
