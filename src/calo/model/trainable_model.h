#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/model/optimizer.h"
#include "calo/shower/showers.h"

namespace calo {

/// Loss of a batch, the mean over its showers, as a sum of parts.
struct Loss {
  std::vector<double> parts;  ///< weighted, in the order of TrainableModel::loss_parts()

  double total() const { return std::accumulate(parts.begin(), parts.end(), 0.0); }
};

/// Showers to learn from in one step.
struct Batch {
  const Showers& showers;
  std::span<const std::uint32_t> indices;  ///< into `showers`
  /// Number of each of `showers` in the whole data set, to which its noise belongs; empty = its index.
  std::span<const std::uint32_t> numbers = {};

  std::size_t size() const { return indices.size(); }
  std::uint32_t number(std::uint32_t index) const { return numbers.empty() ? index : numbers[index]; }
};

/// A generative model of showers while it is trained: the seam between the training loop, which knows nothing
/// of architectures, and the models. Deterministic for a number of threads.
class TrainableModel {
 public:
  TrainableModel() = default;
  TrainableModel(const TrainableModel&) = delete;
  TrainableModel& operator=(const TrainableModel&) = delete;
  virtual ~TrainableModel() = default;

  /// Names of the parts of the loss, as they stand in logs and records: `reconstruction`, `kl`.
  virtual std::vector<std::string> loss_parts() const = 0;

  /// One optimiser step on a batch, with the noise of `epoch`.
  virtual Loss train_step(const Batch& batch, std::uint64_t epoch, const Optimizer& optimizer) = 0;

  /// Loss without learning, in inference mode (running statistics).
  virtual Loss evaluate(const Batch& batch) = 0;

  /// All tensors that training changes; running statistics of normalisation layers among them.
  virtual const std::vector<Parameter>& parameters() = 0;
  /// Calls change(parameters) and goes on with what it made of them (a checkpoint's values).
  virtual void set_parameters(const std::function<void(std::vector<Parameter>&)>& change) = 0;
  /// The weights as a model folder stores them.
  virtual Weights weights() = 0;
};

}  // namespace calo
