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
#include "core/thread_pool.h"

namespace calo {

/// Where a model is trained.
enum class TrainingDevice {
  kCpu,         ///< our own training step
  kCuda,        ///< LibTorch on the first GPU
  kCpuByTorch,  ///< the step of kCuda on the CPU: to check it on a machine without a GPU
};

/// What a new model starts from.
struct ModelStart {
  const ModelDescription& description;
  const Transform& transform;
  std::uint64_t seed = 42;                       ///< of the initial weights and of the noise in training
  TrainingDevice device = TrainingDevice::kCpu;  ///< a device of Architecture::device()
  /// Showers that the model will learn from, for architectures that take something from them beforehand; null
  /// if there are none.
  const Showers* showers = nullptr;
  std::span<const std::uint32_t> training = {};  ///< indices into `showers`
};

/// Showers that are wanted of a model, with the noise that they are made of.
struct GivenNoise {
  std::span<const float> latents;  ///< normal numbers, `[N, latent_dim]`
  std::span<const Conditions> conditions;
  std::span<const std::string> geometries;  ///< one for each shower
};

/// How well a converted generator has to agree with the model that it was made of.
struct Agreement {
  std::string with;      ///< what it is compared with, for messages: "LibTorch"
  double tolerance = 0;  ///< largest difference of a cell, relative to the largest cell of the shower
  /// Share of the showers that must be within the tolerance: below 1 if rounding may decide between two
  /// discrete outcomes.
  double same_share = 1;
};

/// One kind of generative model: all that the rest of calopipe knows of it. A new kind is a folder of
/// calo/models/ with an implementation of this class, and a line in architectures.cc (doc/add-a-model.md).
class Architecture {
 public:
  Architecture() = default;
  Architecture(const Architecture&) = delete;
  Architecture& operator=(const Architecture&) = delete;
  virtual ~Architecture() = default;

  /// Name in a model description: `vae`, `cascade`.
  virtual std::string name() const = 0;

  /// Device of a training if the user asks for `device` (auto, cpu, cuda).
  /// @throws core::UnavailableError if it cannot be trained there
  virtual TrainingDevice device(const std::string& device) const = 0;

  /// A new model, ready for its first step.
  /// @throws core::InputError if it does not fit the mesh or needs showers
  /// @throws core::UnavailableError if it needs LibTorch, which is not there
  virtual std::unique_ptr<TrainableModel> start(const ModelStart& start, core::ThreadPool& pool) const = 0;

  /// Names and shapes of the tensors that a stored model must have.
  /// @throws core::InputError if it does not fit the mesh
  virtual TensorShapes tensor_shapes(const ModelDescription& description,
                                     const Transform& transform) const = 0;

  /// Normal numbers that the generator makes one shower of.
  virtual std::int64_t latent_dim(const ModelFolder& model) const = 0;

  /// Adds the generator to an ONNX graph, with its inputs and outputs as the contract has them
  /// (doc/onnx.md; calo/onnx/contract_graph.h). The noise has the name kLatentName.
  /// @throws core::InputError if a tensor is missing, or an option is not known to the converter
  virtual void add_generator(GraphBuilder& graph, const ModelFolder& model,
                             const ContractMapping& mapping) const = 0;

  /// Cells in MeV, `[N, cells]`, from given noise and without the graph: what a converted model is compared
  /// with.
  /// @throws core::UnavailableError if it needs LibTorch, which is not there
  virtual std::vector<double> reference_mev(const ModelFolder& model, const GivenNoise& wanted) const = 0;
  virtual Agreement agreement() const = 0;

  /// Whether LibTorch can run the generator (TorchModule::decoder), as a peer in benchmarks.
  virtual bool runs_in_libtorch() const = 0;
};

}  // namespace calo
