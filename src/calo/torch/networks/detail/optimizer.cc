#include "calo/torch/networks/detail/optimizer.h"

namespace calo {

void TorchOptimizer::update(torch::Tensor values, Moments& moments, torch::Tensor gradient) const {
  using Kind = Optimizer::Kind;
  using Constants = OptimizerConstants;
  const torch::NoGradGuard no_gradients;
  const Optimizer& o = optimizer_;
  if (o.weight_decay_ != 0) {
    if (o.kind_ == Kind::kAdamW)
      values.mul_(1 - o.lr_ * o.weight_decay_);
    else
      gradient = gradient.add(values, o.weight_decay_);
  }
  switch (o.kind_) {
    case Kind::kSgd:
      moments.first.mul_(o.momentum_).add_(gradient);
      values.sub_(moments.first, o.lr_);
      break;
    case Kind::kRmsprop:
      moments.second.mul_(Constants::kRmsDecay).addcmul_(gradient, gradient, 1 - Constants::kRmsDecay);
      moments.first.mul_(o.momentum_).add_(gradient / (moments.second.sqrt() + Constants::kAdamEpsilon));
      values.sub_(moments.first, o.lr_);
      break;
    case Kind::kAdam:
    case Kind::kAdamW:
      moments.first.mul_(Constants::kBeta1).add_(gradient, 1 - Constants::kBeta1);
      moments.second.mul_(Constants::kBeta2).addcmul_(gradient, gradient, 1 - Constants::kBeta2);
      values.addcdiv_(moments.first,
                      moments.second.sqrt().mul_(o.inverse_root_).add_(Constants::kAdamEpsilon),
                      -o.step_size_);
      break;
    case Kind::kAdagrad:
      moments.second.addcmul_(gradient, gradient);
      values.addcdiv_(gradient, moments.second.sqrt().add_(Constants::kAdagradEpsilon), -o.lr_);
      break;
  }
}

}  // namespace calo
