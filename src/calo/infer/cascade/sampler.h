#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/cascade/draw.h"
#include "calo/infer/cascade/mesh_walk.h"
#include "calo/infer/cascade/packed_network.h"
#include "calo/infer/cascade/trained.h"
#include "calo/infer/sparse_showers.h"
#include "core/thread_pool.h"

namespace calo::cascade {

/// A shower to make.
struct WantedShower {
  float energy_mev = 0;
  float theta_rad = 0;
  std::uint32_t geometry = 0;  ///< place of the one-hot
  ShowerKey key;
  /// Normal numbers to make it of instead, two for each split (num_splits()); null = random ones of the key.
  const float* latents = nullptr;
};

/// Makes showers from a trained cascade, on the CPU. The splits of one phase (a ring, or a level and a colour
/// of one layer) are worked through together over the showers of a group; regions without energy cost
/// nothing. The random numbers of a split are those of (seed, event, particle, split): a shower does not
/// depend on the others, nor on the threads; at fp32 to the bit.
class Sampler {
 public:
  /// @param options  of the networks' layers
  /// @throws core::InputError if a tensor is missing, or cannot be
  explicit Sampler(const Trained& model, const infer::PackedLayer::Options& options = {});
  ~Sampler();

  /// What a batch is made in; grows to what the largest needs. Not to be used by two batches at once.
  class Work {
   public:
    Work();
    ~Work();
    /// A batch of showers, for whoever makes one.
    std::vector<WantedShower> wanted;
    /// Splits that were drawn in this, and the multiplications of their networks (apart from those of
    /// two_products()).
    struct Effort {
      std::uint64_t splits = 0, products = 0;
    };
    Effort effort() const;

   private:
    friend class Sampler;
    struct Shower;
    struct Row {
      std::size_t shower;
      PatternNode at;
    };
    // What one thread works in, for a group of showers.
    struct Lane {
      std::vector<std::unique_ptr<Shower>> showers;
      PackedNetwork::Rows rows;
      std::vector<Row> of_row;
      std::vector<PatternNode> nodes;
    };
    struct Hits {
      std::vector<std::uint32_t> cells;
      std::vector<float> energies_mev;
      std::vector<std::size_t> ends;  // by shower
    };
    std::uint64_t sampler = 0;  // that the lanes are for
    std::mutex mutex;           // of the free lanes
    std::vector<std::unique_ptr<Lane>> free;
    std::vector<Hits> hits;  // by group
  };

  const std::vector<std::string>& geometries() const { return geometries_; }
  std::int64_t num_cells() const;
  /// Splits that a shower may have.
  std::size_t num_splits() const;
  /// Memory of the weights.
  std::size_t weight_bytes() const;

  /// @param threshold_mev  cells below are left out
  /// @param pool  null = the caller's thread alone
  /// @param out  replaced; its memory is used again
  /// @throws core::InputError if a network's outputs are not finite
  void sample(std::span<const WantedShower> wanted, float threshold_mev, core::ThreadPool* pool, Work& work,
              infer::SparseShowers& out) const;

 private:
  Parts draw(const Work::Lane& lane, std::size_t net, std::size_t row, float energy_mev, int ring,
             SplitNoise noise) const;
  void run(Work::Lane& lane, std::span<const WantedShower> wanted) const;
  void split_layers(Work::Lane& lane, std::size_t count) const;
  void split_rings(Work::Lane& lane, std::size_t count, int layer) const;
  void split_level(Work::Lane& lane, std::size_t count, int layer, int level) const;

  std::uint64_t id_;  // no other sampler has it
  CascadeShape shape_;
  std::vector<std::string> geometries_;
  Frame frame_;
  MeshFrame mesh_;
  std::vector<std::vector<std::uint32_t>> cells_;  // of each layer, [r, phi]
  std::vector<PackedNetwork> networks_;
  SplitDrawer drawer_;
  std::vector<Spectra> spectra_;
};

}  // namespace calo::cascade
