#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "calo/classify/classifier_inputs.h"
#include "core/thread_pool.h"

namespace calo {

/// A network with one output, the logit of being fast, trained by Adam on the cross-entropy.
class ClassifierNetwork {
 public:
  ClassifierNetwork() = default;
  ClassifierNetwork(const ClassifierNetwork&) = delete;
  ClassifierNetwork& operator=(const ClassifierNetwork&) = delete;
  virtual ~ClassifierNetwork() = default;

  /// One step on the mean over the batch, which is returned.
  /// @param labels one for each shower: 0 full, 1 fast
  virtual double train(const SparseBatch& batch, std::span<const float> labels) = 0;
  virtual std::vector<double> logits(const SparseBatch& batch) = 0;
};

/// Fully connected: an input layer to hidden_width, hidden_layers of hidden_width x hidden_width, each with
/// LeakyReLU (slope 0.01), and one output; initial weights as PyTorch's. Columns of the input that are not
/// used have no weights: no training shower would ever change them from their random start.
/// @param used one for each column of the batches
std::unique_ptr<ClassifierNetwork> make_mlp(const std::vector<bool>& used, const NetworkOptions& options,
                                            core::ThreadPool& pool);

/// Convolutions in [r, phi, z], circular in phi, on three channels: 100 E / E_incident of a cell, its root
/// (so that small energies count too), and whether the cell has any.
///
/// A stem cuts the mesh into about 6 x 10 x 9 patches (3 x 5 x 5 cells on the Par04 mesh) with 16 channels.
/// Two residual blocks of two 3 x 3 x 3 convolutions follow, the second with 32 channels and stride 2, in the
/// order of arXiv:1603.05027: normalisation and ReLU come before each convolution, so that what passes by a
/// block keeps the size of the energies. Normalisation is by groups of channels (arXiv:1803.08494): batch
/// normalisation would tie showers of a batch together. The mean over phi, with the last columns of the input
/// (incident energy, response) beside it, goes through a layer of 64 to the output.
///
/// Batches are worked on in pieces of 16 showers, which the threads of the pool share.
std::unique_ptr<ClassifierNetwork> make_cnn(const VoxelMesh::Cylinder& cylinder,
                                            const NetworkOptions& options, core::ThreadPool& pool);

}  // namespace calo
