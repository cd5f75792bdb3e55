#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calo/model/trainable_model.h"
#include "calo/preprocess/transform.h"
#include "calo/torch/module.h"
#include "core/thread_pool.h"

namespace calo {

/// What a new model starts from.
struct ModelStart {
  const ModelDescription& description;
  const Transform& transform;
  std::uint64_t seed = 42;  ///< of the initial weights and of the noise in training
  /// Mean of cell / incident energy over the training showers; empty if nobody knows it.
  std::span<const float> cell_means;
  TrainingDevice device = TrainingDevice::kCpu;
};

/// A new model of the architecture that the description asks for, ready for its first step.
/// @throws core::InputError if the architecture is not known, core::UnavailableError if it needs LibTorch,
/// which
///         is not there
std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool);

}  // namespace calo
