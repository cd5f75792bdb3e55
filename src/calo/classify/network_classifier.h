#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "calo/validate/classifier.h"

namespace calo {

/// What a network sees of a shower. The first three are the CaloChallenge's fully connected networks
/// (arXiv:2410.21611, code/evaluate.py: cls-high, cls-low, cls-low-normed), the last is in the place of its
/// ResNet.
enum class NetworkKind {
  kHighLevel,         ///< a row of the feature table
  kVoxels,            ///< log10 of the incident energy, each cell's share of it
  kNormalisedVoxels,  ///< log10 of the incident energy, each cell's share of its layer, log10 of layer
                      ///< energies
  kCnn,               ///< the cells as an image [r, phi, z], by three-dimensional convolutions
};

struct NetworkOptions {
  std::uint64_t seed = 42;  ///< of splits, initial weights and order of the showers
  /// Of the fully connected networks: layers of hidden_width x hidden_width behind the first (the
  /// CaloChallenge: 2 of 2048 for cls-low, of 512 for cls-high).
  int hidden_layers = 2;
  int hidden_width = 512;
  /// Of Adam. Unset: 2e-4 as the CaloChallenge's; 1e-3 for kCnn, which learns too little at 2e-4.
  std::optional<double> learning_rate;
  int max_epochs = 50;
  /// Showers in a step, both sides together, at most: small samples are cut into kFewestSteps steps an epoch.
  int batch = 1000;
  int trainings = 3;         ///< at most; each with its own split and initial weights
  int patience = 10;         ///< epochs without a lower loss of the selection part that end a training
  double threshold_mev = 0;  ///< cells below count as 0, as do those that are not above 0 or not finite
};

/// Steps in an epoch, at least, unless they would have fewer than kSmallestBatch showers.
constexpr int kFewestSteps = 20, kSmallestBatch = 32;

/// A network that tells fast from full showers; trained several times, with split_rows() of seed, seed + 1,
/// …. A training keeps the epoch with the best accuracy on the selection part (of equal ones the one with the
/// lower loss), ends where that is 1 or by patience, and is judged on the test part; isotonic regression on
/// the selection part calibrates it. Trainings end early where the answer is clear (TrainingsEnd).
///
/// Memory: showers stay sparse. A fully connected network keeps three float32 [cells that training showers
/// hit, hidden_width], at most 3 x 40 500 x 512 x 4 B = 250 MB on the Par04 mesh. The same input and options
/// give the same result, bit for bit, with a pool of any size.
///
class NetworkClassifier : public Classifier {
 public:
  NetworkClassifier(NetworkKind kind, NetworkOptions options) : kind_(kind), options_(options) {}

  std::string name() const override;
  std::string title() const override;
  bool needs_cells() const override { return kind_ != NetworkKind::kHighLevel; }
  /// @param showers of a regular mesh for kCnn
  /// @throws core::InputError for too few showers, unequal numbers, a layered mesh with kCnn, or a loss that
  ///         is not finite any more
  /// @throws core::UsageError naming an option out of range
  /// @throws core::Interrupted between steps
  Classification classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const override;

 private:
  NetworkKind kind_;
  NetworkOptions options_;
};

}  // namespace calo
