#pragma once

#include <torch/torch.h>

#include "calo/model/optimizer.h"

namespace calo {

/// The step of an Optimizer on LibTorch's tensors on any device.
class TorchOptimizer {
 public:
  struct Moments {
    torch::Tensor first, second;
  };

  explicit TorchOptimizer(const Optimizer& optimizer) : optimizer_(optimizer) {}

  /// Updates `values` and `moments` in place with the gradient.
  void update(torch::Tensor values, Moments& moments, torch::Tensor gradient) const;

 private:
  const Optimizer& optimizer_;
};

}  // namespace calo
