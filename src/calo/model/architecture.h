#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/model/trainable_model.h"
#include "calo/onnx/contract.h"
#include "calo/onnx/graph_builder.h"
#include "core/process_group.h"
#include "core/thread_pool.h"

namespace calo {

/// Device and implementation of a training.
enum class TrainingDevice {
  kCpu,         ///< calopipe's own training step
  kCuda,        ///< LibTorch on the first GPU
  kCpuByTorch,  ///< the step of kCuda on the CPU, to check it on a machine without a GPU
};

/// Inputs of a new model.
struct ModelStart {
  const ModelDescription& description;
  const Transform& transform;
  std::uint64_t seed = 42;                       ///< seed of the initial weights and of the noise in training
  TrainingDevice device = TrainingDevice::kCpu;  ///< a device of Architecture::device()
  /// Showers that the model will learn from, for architectures that derive something from them beforehand;
  /// null if there are none.
  const Showers* showers = nullptr;
  std::span<const std::uint32_t> training = {};  ///< indices into `showers`
  /// Processes that train the model together; all start it with the same values.
  core::ProcessGroup& group = core::one_process();
};

/// Showers to generate, with their noise.
struct GivenNoise {
  std::span<const float> latents;  ///< normal numbers, `[N, latent_dim]`
  std::span<const Conditions> conditions;
  std::span<const std::string> geometries;  ///< one for each shower
};

/// Required agreement of a converted generator with its model.
struct Agreement {
  std::string with;      ///< name of the reference, for messages: "LibTorch"
  double tolerance = 0;  ///< largest difference of a cell, relative to the largest cell of the shower
  /// Share of the showers that must be within the tolerance: below 1 if rounding can decide between two
  /// discrete outcomes.
  double same_share = 1;
};

/// A kind of generative model, and the only interface to it. A new kind is a folder of calo/models/ with an
/// implementation of this class, and a line in architectures.cc (doc/add-a-model.md).
class Architecture {
 public:
  Architecture() = default;
  Architecture(const Architecture&) = delete;
  Architecture& operator=(const Architecture&) = delete;
  virtual ~Architecture() = default;

  /// Name in a model description: `vae`, `cascade`.
  virtual std::string name() const = 0;

  /// Device of a training for the user's choice `device` (auto, cpu, cuda).
  /// @throws core::UnavailableError if the model cannot be trained there
  virtual TrainingDevice device(const std::string& device) const = 0;

  /// Creates a model, ready for its first step.
  /// @throws core::InputError if it does not fit the mesh or needs showers
  /// @throws core::UnavailableError if it needs LibTorch and this is missing
  virtual std::unique_ptr<TrainableModel> start(const ModelStart& start, core::ThreadPool& pool) const = 0;

  /// Weights for a new model of this description and transform that continues from a stored model of the same
  /// architecture (TrainableModel::set_weights()): without those that start() fits to the new showers. Unless
  /// an architecture says more, both must have the same mesh, geometries and tensors.
  /// @throws core::InputError with the field of `from` that does not fit
  virtual Weights starting_weights(const ModelFolder& from, const ModelDescription& description,
                                   const Transform& transform) const;

  /// Names and shapes of the tensors that a stored model must have.
  /// @throws core::InputError if it does not fit the mesh
  virtual TensorShapes tensor_shapes(const ModelDescription& description,
                                     const Transform& transform) const = 0;

  /// Number of normal numbers that the generator needs for one shower.
  virtual std::int64_t latent_dim(const ModelFolder& model) const = 0;

  /// Adds the generator to an ONNX graph, with inputs and outputs as in the contract (doc/onnx.md;
  /// calo/onnx/contract_graph.h). The noise has the name kLatentName.
  /// @throws core::InputError if a tensor is missing, or the converter does not support an option
  virtual void add_generator(GraphBuilder& graph, const ModelFolder& model,
                             const ContractMapping& mapping) const = 0;

  /// Cells in MeV, `[N, cells]`, from given noise and without the graph: the reference for a converted model.
  /// @throws core::UnavailableError if it needs LibTorch and this is missing
  virtual std::vector<double> reference_mev(const ModelFolder& model, const GivenNoise& wanted) const = 0;
  virtual Agreement agreement() const = 0;

  /// True if LibTorch can run the generator (TorchModule::decoder), as a peer in benchmarks.
  virtual bool runs_in_libtorch() const = 0;
};

}  // namespace calo
