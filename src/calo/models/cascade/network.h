#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "calo/infer/cascade/nets.h"

namespace calo::cascade {

/// The tensors of one network, or the gradients by them. Null where the network has none.
template <class Number>
struct NetTensors {
  std::vector<Number*> weight, bias;  ///< of each hidden layer, then of the output
  Number* layer_table = nullptr;
  Number* position_table = nullptr;
  Number* spectra = nullptr;
};

/// Forward and backward pass of one network over a few hundred rows: hidden layers with hard-swish, the first
/// with a row of each table added, those after it added to what they got.
class NetworkPass {
 public:
  static constexpr std::size_t kRows = 512;

  explicit NetworkPass(const CascadeNet& net);

  const CascadeNet& net() const { return net_; }
  std::size_t rows() const { return rows_; }
  bool is_full() const { return rows_ == kRows; }
  /// Where the features of the next row go; it has this layer and position.
  float* add_row(std::size_t layer, std::size_t position);
  void clear() { rows_ = 0; }

  /// Calculates outputs() of the rows.
  void forward(const NetTensors<const float>& tensors);
  const float* outputs() const { return out_.data(); }
  /// For the derivatives of a loss by the outputs.
  float* output_gradient() { return out_gradient_.data(); }
  /// Adds the gradients by all tensors but the spectra, from output_gradient().
  void backward(const NetTensors<const float>& tensors, const NetTensors<float>& gradient);

 private:
  CascadeNet net_;
  std::size_t rows_ = 0;
  std::vector<std::size_t> layer_, position_;
  std::vector<float> x_, out_, out_gradient_, upper_, lower_;
  std::vector<std::vector<float>> z_, h_;  // of each hidden layer
};

/// OpenBLAS on one thread while this lives: its sums depend on the number of threads, and the pool already
/// shares the work out.
class OneBlasThread {
 public:
  OneBlasThread();
  ~OneBlasThread();
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  int before_;
};

}  // namespace calo::cascade
