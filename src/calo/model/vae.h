#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/model/optimizer.h"
#include "calo/preprocess/transform.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

/// Parts of the loss, mean over showers: reconstruction = number of cells x mean over them of the binary
/// cross-entropy (sigmoid output) or squared error (other outputs), weighted by w_reco; kl = Kullback–Leibler
/// divergence summed over the latent (weighted by w_kl).
struct Loss {
  double reconstruction = 0;
  double kl = 0;
  double total() const { return reconstruction + kl; }
};

/// Where a model is trained.
enum class TrainingDevice {
  kCpu,         ///< our fused step
  kCuda,        ///< LibTorch on the first GPU
  kCpuByTorch,  ///< the step of kCuda on the CPU: to check it where there is no GPU
};

/// The device that a user asked for by "auto", "cpu" or "cuda"; auto takes a GPU that LibTorch can use.
/// @throws core::UnavailableError where cuda was asked for and LibTorch has none
TrainingDevice training_device(const std::string& name);

/// The Par04 variational autoencoder (MLFastSim, core/model.py) with its training step.
///
/// On the CPU the two layers that touch all cells are ours: the first works on hits only (showers are 97–99 %
/// zeros), the last runs in blocks of cells that stay in cache, with bias, sigmoid, cross-entropy, gradient
/// and optimiser in one go. The small layers between them are LibTorch's, gradients by its autograd.
/// Deterministic for a number of threads. On a GPU all layers are LibTorch's, over dense cells.
class Vae {
 public:
  /// Initialises weights from the seed. `cell_means`: mean of cell / incident energy over the training
  /// showers, used where description.output_bias is `data_mean`.
  Vae(const ModelDescription& description, const Transform& transform, std::uint64_t seed,
      std::span<const float> cell_means, core::ThreadPool& pool,
      TrainingDevice device = TrainingDevice::kCpu);
  ~Vae();

  /// One optimiser step on the showers `batch` (indices into `showers`), with the latent noise of `epoch`.
  Loss train_step(const Showers& showers, std::span<const std::uint32_t> batch, std::uint64_t epoch,
                  const Optimizer& optimizer);

  /// Loss without learning, in inference mode (running statistics).
  Loss evaluate(const Showers& showers, std::span<const std::uint32_t> batch);

  /// All tensors that training changes; running statistics of normalisation layers among them.
  const std::vector<Parameter>& parameters() const;
  /// Calls change(parameters) and goes on with what it made of them (a checkpoint's values).
  void set_parameters(const std::function<void(std::vector<Parameter>&)>& change);
  Weights weights() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace calo
