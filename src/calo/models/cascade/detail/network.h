#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "calo/infer/cascade/nets.h"

namespace calo::cascade {

/// Tensors of a network, or the gradients with respect to them. Null if the network has no such tensor.
template <class Number>
struct NetTensors {
  std::vector<Number*> weight, bias;  ///< one for each hidden layer, then one for the output
  Number* layer_table = nullptr;
  Number* position_table = nullptr;
  Number* spectra = nullptr;
};

/// Forward and backward pass of a network over a few hundred rows. Hidden layers have hard-swish; the first
/// has a row of each table added, and the later ones have their input added.
class NetworkPass {
 public:
  static constexpr std::size_t kRows = 512;

  explicit NetworkPass(const CascadeNet& net);

  const CascadeNet& net() const { return net_; }
  std::size_t rows() const { return rows_; }
  bool is_full() const { return rows_ == kRows; }
  /// Adds a row with this layer and position. Returns the memory for its features.
  float* add_row(std::size_t layer, std::size_t position);
  void clear() { rows_ = 0; }

  /// Calculates outputs() of the rows.
  void forward(const NetTensors<const float>& tensors);
  const float* outputs() const { return out_.data(); }
  /// Memory for the derivatives of a loss with respect to the outputs.
  float* output_gradient() { return out_gradient_.data(); }
  /// Adds the gradients with respect to all tensors except the spectra, from output_gradient(). Those of
  /// weights may be null: they are not needed.
  void backward(const NetTensors<const float>& tensors, const NetTensors<float>& gradient);

 private:
  CascadeNet net_;
  std::size_t rows_ = 0;
  std::vector<std::size_t> layer_, position_;
  std::vector<float> x_, out_, out_gradient_, upper_, lower_;
  std::vector<std::vector<float>> z_, h_;  // one for each hidden layer
};

/// Makes OpenBLAS use one thread during its lifetime: its sums depend on the number of threads, and the pool
/// already distributes the work.
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
