#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/models/cascade/packed_network.h"
#include "calo/models/cascade/pattern_walk.h"
#include "calo/models/cascade/split_density.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo::cascade {

/// Makes showers from a stored cascade, on the CPU. The splits of one phase (a ring, or a level and a colour
/// of one layer) are worked through together over the showers of a group; regions without energy cost
/// nothing. The random numbers of a split are those of (seed, event, split): a shower does not depend on the
/// others, nor on the threads, to the bit.
class Sampler {
 public:
  /// @throws core::InputError where the model is no cascade, or its tensors cannot be
  explicit Sampler(const ModelFolder& model);
  ~Sampler();

  /// Makes shower `first` + i under conditions[i].
  /// @param conditions  geometry indexes `geometries`
  /// @param threshold_mev cells below are left out
  /// @param out  replaced; its memory is used again
  /// @throws core::InputError where a network's outputs are not finite
  void sample(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
              std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
              Showers& out);

 private:
  struct Workspace;

  void run(Workspace& work, std::span<const Conditions> conditions,
           const std::vector<std::string>& geometries, std::uint64_t first, std::uint64_t seed) const;
  void split_layers(Workspace& work, std::size_t count, std::uint64_t seed) const;
  void split_rings(Workspace& work, std::size_t count, std::uint64_t seed, int layer) const;
  void split_level(Workspace& work, std::size_t count, std::uint64_t seed, int layer, int level) const;
  std::unique_ptr<Workspace> take();

  Transform transform_;
  std::vector<CascadeNet> nets_;
  Frame frame_;
  std::unique_ptr<PatternFrame> pattern_;
  std::vector<PackedNetwork> networks_;
  std::vector<Spectra> spectra_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace calo::cascade
