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
  std::uint64_t seed = 42;                       ///< of the initial weights and of the noise in training
  TrainingDevice device = TrainingDevice::kCpu;  ///< of device_of()
  /// The showers that it will learn from, for models that take something from them beforehand; null if there
  /// are none.
  const Showers* showers = nullptr;
  std::span<const std::uint32_t> training = {};  ///< indices into `showers`
};

/// Where an architecture is trained if the user asks for `device` (auto, cpu, cuda).
/// @throws core::InputError if it is not known, core::UnavailableError if it cannot be trained there
TrainingDevice device_of(const std::string& name, const std::string& device);

/// A new model of the architecture that the description asks for, ready for its first step.
/// @throws core::InputError if the architecture is not known, does not fit the mesh or needs showers
/// @throws core::UnavailableError if it needs LibTorch, which is not there
std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool);

}  // namespace calo
