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

/// Mean loss over the showers of a batch, as a sum of parts.
struct Loss {
  std::vector<double> parts;  ///< weighted, in the order of TrainableModel::loss_parts()

  double total() const { return std::accumulate(parts.begin(), parts.end(), 0.0); }
};

/// Showers for one training step.
struct Batch {
  const Showers& showers;
  std::span<const std::uint32_t> indices;  ///< into `showers`
  /// Number of each of `showers` in the whole data set, which determines its noise; empty = its index.
  std::span<const std::uint32_t> numbers = {};

  std::size_t size() const { return indices.size(); }
  std::uint32_t number(std::uint32_t index) const { return numbers.empty() ? index : numbers[index]; }
};

/// A generative model of showers in training: the interface between the training loop, which is independent
/// of architectures, and the models. Deterministic for a given number of threads and processes.
///
/// Several processes may train a model together (ModelStart::group): each of them calls the same functions
/// with the same batches. A model divides the work of a batch among them, and returns the same loss in all.
/// One that does not know about the group does all of the work in each process, which is right, but no
/// faster.
class TrainableModel {
 public:
  TrainableModel() = default;
  TrainableModel(const TrainableModel&) = delete;
  TrainableModel& operator=(const TrainableModel&) = delete;
  virtual ~TrainableModel() = default;

  /// Names of the parts of the loss in logs and records: `reconstruction`, `kl`. If every trained parameter
  /// has a `part`, the parts are independent, and the training loop judges each by itself.
  virtual std::vector<std::string> loss_parts() const = 0;

  /// One optimiser step on a batch, with the noise of `epoch`. The loss of a part whose parameters are all
  /// frozen may be left at 0.
  virtual Loss train_step(const Batch& batch, std::uint64_t epoch, const Optimizer& optimizer) = 0;

  /// Loss in inference mode (running statistics), without training.
  virtual Loss evaluate(const Batch& batch) = 0;

  /// All tensors that training changes, including running statistics of normalisation layers. Those with
  /// Parameter::shares are complete only after the training loop has gathered them.
  virtual const std::vector<Parameter>& parameters() = 0;
  /// Calls change(parameters) and continues with the changed values (those of a checkpoint).
  virtual void set_parameters(const std::function<void(std::vector<Parameter>&)>& change) = 0;
  /// The weights as a model folder stores them.
  virtual Weights weights() = 0;
  /// Continues with weights of the form of weights(); parameters that are not among them keep their values.
  /// @throws core::InputError if a tensor is unknown or has another size
  virtual void set_weights(const Weights& weights);
};

}  // namespace calo
