#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calo/model/architecture.h"
#include "calo/model/trainable_model.h"
#include "calo/preprocess/transform.h"
#include "calo/torch/decoder.h"
#include "core/thread_pool.h"

namespace calo {

class ClassifierNetwork;
struct NetworkOptions;

/// All that LibTorch does for calopipe. LibTorch drags in some 290 shared libraries and takes most of a
/// second to load, so that it lies behind this interface in a library of its own (libcalopipe-torch.so),
/// which is loaded when it is first asked for.
class TorchModule {
 public:
  TorchModule() = default;
  TorchModule(const TorchModule&) = delete;
  TorchModule& operator=(const TorchModule&) = delete;
  virtual ~TorchModule() = default;

  /// Version of calopipe that the library was built from: another one has other types.
  virtual std::string calopipe_version() const = 0;
  virtual std::string torch_version() const = 0;
  virtual bool has_cuda() const = 0;

  /// The Par04 variational autoencoder (MLFastSim, core/model.py) with its training step.
  ///
  /// On the CPU the two layers that touch all cells are ours: the first works on hits only (showers are 97–99
  /// % zeros), the last runs in blocks of cells that stay in cache, with bias, sigmoid, cross-entropy,
  /// gradient and optimiser in one go. The small layers between them are LibTorch's, gradients by its
  /// autograd. On a GPU all layers are LibTorch's, over dense cells.
  ///
  /// Parts of its loss: `reconstruction` = number of cells x mean over them of the binary cross-entropy
  /// (sigmoid output) or squared error (other outputs), weighted by w_reco; `kl` = Kullback–Leibler
  /// divergence summed over the latent, weighted by w_kl.
  ///
  /// @param seed of the initial weights
  /// @param cell_means mean of cell / incident energy over the training showers, used if
  ///        description.output_bias is `data_mean`
  virtual std::unique_ptr<TrainableModel> vae(const ModelDescription& description, const Transform& transform,
                                              std::uint64_t seed, std::span<const float> cell_means,
                                              core::ThreadPool& pool, TrainingDevice device) const = 0;

  /// See make_mlp() and make_cnn() of calo/classify/network.h.
  virtual std::unique_ptr<ClassifierNetwork> mlp(const std::vector<bool>& used, const NetworkOptions& options,
                                                 core::ThreadPool& pool) const = 0;
  virtual std::unique_ptr<ClassifierNetwork> cnn(const VoxelMesh::Cylinder& cylinder,
                                                 const NetworkOptions& options,
                                                 core::ThreadPool& pool) const = 0;

  /// The decoder of a stored model layer by layer as in training (normalisation with its running statistics),
  /// in double precision: what a converted model is compared with.
  /// @param latents     `[N, latent_dim]`
  /// @param conditions  `[N, condition_dim]`, of Transform::encode
  /// @returns cell energies over the incident energy, `[N, cells]`; what is not above zero is zero
  virtual std::vector<double> decode(const ModelFolder& model, std::span<const float> latents,
                                     std::span<const float> conditions) const = 0;

  /// @param threads that LibTorch uses for an operator, of this process from now on
  virtual std::unique_ptr<TorchDecoder> decoder(const ModelFolder& model, int threads) const = 0;
};

/// Loads the library on the first call: the file named by the environment variable CALOPIPE_TORCH_MODULE,
/// else
/// `../lib/calopipe/libcalopipe-torch.so` from the folder of the program.
/// @throws core::UnavailableError if it is not there, does not load, or belongs to another calopipe
const TorchModule& torch_module();

/// The device that a user asked for by "auto", "cpu" or "cuda"; auto takes a GPU that LibTorch can use.
/// @throws core::UnavailableError if cuda was asked for and LibTorch has none
TrainingDevice training_device(const std::string& name);

}  // namespace calo
