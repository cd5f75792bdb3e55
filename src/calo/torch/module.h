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

/// Everything that calopipe does with LibTorch. LibTorch loads some 290 shared libraries, which takes most of
/// a second. Therefore it is behind this interface in a separate library (libcalopipe-torch.so), which is
/// loaded on first use.
class TorchModule {
 public:
  TorchModule() = default;
  TorchModule(const TorchModule&) = delete;
  TorchModule& operator=(const TorchModule&) = delete;
  virtual ~TorchModule() = default;

  /// Version of calopipe that the library was built from: other versions have other types.
  virtual std::string calopipe_version() const = 0;
  virtual std::string torch_version() const = 0;
  virtual bool has_cuda() const = 0;

  /// The Par04 variational autoencoder (MLFastSim, core/model.py) with its training step.
  ///
  /// On the CPU, the two layers with all cells are calopipe's own: the first processes only hits (showers are
  /// 97–99 % zeros), and the last runs in blocks of cells that fit into the cache, with bias, sigmoid,
  /// cross-entropy, gradient and optimiser in one pass. The small layers between them are LibTorch's, with
  /// its autograd. On a GPU all layers are LibTorch's, over dense cells.
  ///
  /// Parts of its loss: `reconstruction` = number of cells x mean over them of the binary cross-entropy
  /// (sigmoid output) or squared error (other outputs), weighted by w_reco; `kl` = Kullback–Leibler
  /// divergence summed over the latent, weighted by w_kl.
  ///
  /// @param seed for the initial weights
  /// @param cell_means mean of cell energy over incident energy in the training showers, used if
  ///        description.output_bias is `data_mean`
  /// @param group  processes that divide the cells of the two large layers among themselves; on the CPU only
  virtual std::unique_ptr<TrainableModel> vae(const ModelDescription& description, const Transform& transform,
                                              std::uint64_t seed, std::span<const float> cell_means,
                                              core::ThreadPool& pool, TrainingDevice device,
                                              core::ProcessGroup& group) const = 0;

  /// See make_mlp() and make_cnn() of calo/classify/network.h.
  virtual std::unique_ptr<ClassifierNetwork> mlp(const std::vector<bool>& used, const NetworkOptions& options,
                                                 core::ThreadPool& pool) const = 0;
  virtual std::unique_ptr<ClassifierNetwork> cnn(const VoxelMesh::Cylinder& cylinder,
                                                 const NetworkOptions& options,
                                                 core::ThreadPool& pool) const = 0;

  /// The decoder of a stored model, layer by layer as in training (normalisation with its running
  /// statistics), in double precision: the reference for a converted model.
  /// @param latents     `[N, latent_dim]`
  /// @param conditions  `[N, condition_dim]`, from Transform::encode
  /// @returns cell energies over the incident energy, `[N, cells]`; values that are not above zero are zero
  virtual std::vector<double> decode(const ModelFolder& model, std::span<const float> latents,
                                     std::span<const float> conditions) const = 0;

  /// @param threads number of threads for an operator of LibTorch, from now on in the whole process
  virtual std::unique_ptr<TorchDecoder> decoder(const ModelFolder& model, int threads) const = 0;
};

/// Loads the library on the first call: the file in the environment variable CALOPIPE_TORCH_MODULE, or
/// `../lib/calopipe/libcalopipe-torch.so` relative to the folder of the program.
/// @throws core::UnavailableError if it is missing, does not load, or belongs to another version of calopipe
const TorchModule& torch_module();

/// Device for the user's choice "auto", "cpu" or "cuda"; auto uses a GPU if LibTorch can.
/// @throws core::UnavailableError for cuda if LibTorch has no GPU
TrainingDevice training_device(const std::string& name);

}  // namespace calo
