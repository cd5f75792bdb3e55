#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calo/model/model_description.h"

namespace calo {

/// A trained tensor with the two moments of the optimiser.
struct Parameter {
  std::string name;  ///< as in Weights
  std::vector<std::int64_t> shape;
  std::vector<float> values;
  std::vector<float> first;   ///< Adam's m, momentum buffers
  std::vector<float> second;  ///< Adam's v, squared-gradient averages
  /// Index of the only part of the loss that depends on it (TrainableModel::loss_parts()); -1 = no part (it
  /// is not trained) or several.
  int part = -1;
  bool adapts_first =
      false;  ///< trained in the first phase of an adaptation (ModelDescription::adapt_epochs)
  /// Set by the training loop, only in models that set `part` or `adapts_first`: train_step() leaves values
  /// and moments as they are.
  bool frozen = false;
  /// If several processes share the tensor: the number of consecutive elements that each of them trains, one
  /// rank after the other. The others' are out of date between steps, until the training loop gathers them.
  /// Empty = every process trains all.
  std::vector<std::size_t> shares = {};
};

/// Default constants of PyTorch.
struct OptimizerConstants {
  static constexpr float kBeta1 = 0.9f;
  static constexpr float kBeta2 = 0.999f;
  static constexpr float kAdamEpsilon = 1e-8f;
  static constexpr float kRmsDecay = 0.99f;
  static constexpr float kAdagradEpsilon = 1e-10f;
};

/// One step of an optimiser on a range of a parameter, in one pass over memory: reads the gradient and
/// updates weights and moments in place. The formulas are PyTorch's (torch.optim), with OptimizerConstants.
class Optimizer {
 public:
  explicit Optimizer(const ModelDescription& description);

  /// Starts step number `step` (from 1) with this learning rate.
  void begin_step(std::int64_t step, double lr);

  /// Updates elements [begin, begin + count) of `parameter` with their gradient.
  void update(Parameter& parameter, std::size_t begin, std::size_t count, const float* gradient) const;

 private:
  friend class TorchOptimizer;  // the same step on LibTorch's tensors
  enum class Kind { kSgd, kRmsprop, kAdam, kAdamW, kAdagrad };

  Kind kind_;
  float momentum_;
  float weight_decay_;
  float lr_ = 0;
  float step_size_ = 0;     // Adam: lr / (1 - beta1^t)
  float inverse_root_ = 0;  // Adam: 1 / sqrt(1 - beta2^t)
};

}  // namespace calo
