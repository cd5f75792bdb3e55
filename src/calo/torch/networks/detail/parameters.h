#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "calo/model/optimizer.h"

namespace calo {

/// Trained tensors of a network, with Adam's steps.
class TorchParameters {
 public:
  explicit TorchParameters(std::uint64_t seed) : seed_(seed) {}

  /// Adds a tensor with uniform numbers in [-bound, bound].
  torch::Tensor add_uniform(std::vector<std::int64_t> shape, double bound);
  torch::Tensor add_constant(std::vector<std::int64_t> shape, float value);

  /// Updates all tensors with their gradients, and clears the gradients.
  void step(const Optimizer& optimizer);

 private:
  std::uint64_t seed_;
  std::deque<Parameter> parameters_;  // memory of the tensors
  std::vector<torch::Tensor> tensors_;
};

/// A layer of `in` x `out` with PyTorch's initial weights: uniform within 1 / sqrt(in).
struct TorchLinear {
  TorchLinear(TorchParameters& parameters, std::int64_t in, std::int64_t out);
  torch::Tensor operator()(const torch::Tensor& x) const { return torch::linear(x, weight, bias); }

  torch::Tensor weight, bias;
};

/// Restricts LibTorch to the calling thread during its lifetime. OpenMP's threads wait by spinning: together
/// with a pool's (or OpenBLAS') threads they occupy its cores, which is several times slower than one thread.
class OneTorchThread {
 public:
  OneTorchThread();
  ~OneTorchThread();
  OneTorchThread(const OneTorchThread&) = delete;
  OneTorchThread& operator=(const OneTorchThread&) = delete;

 private:
  int before_;
};

}  // namespace calo
