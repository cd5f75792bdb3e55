#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "calo/io/shower_reader.h"
#include "calo/model/trainable_model.h"
#include "calo/shower/showers.h"

namespace calo {

/// Showers for training. They are all in memory if they fit into a limit. Otherwise each epoch reads them
/// from their file in groups: as many blocks of neighbouring showers, in random order, as fit into memory;
/// the showers of a group are shuffled. A shower is identified by its number in the file, so that its noise
/// in training does not depend on how it was read.
class TrainingData {
 public:
  using Numbers = std::vector<std::uint32_t>;

  /// Uses showers in memory; they must outlive this object.
  explicit TrainingData(const Showers& showers);
  /// Uses showers of a file.
  /// @param reader  must outlive this object
  /// @param max_bytes  memory for showers
  TrainingData(ShowerReader& reader, std::size_t max_bytes);
  TrainingData(const TrainingData&) = delete;
  TrainingData& operator=(const TrainingData&) = delete;

  std::size_t size() const { return size_; }
  /// True if all showers are in memory.
  bool is_in_memory() const { return showers_ != nullptr; }

  /// A part of the showers, in memory.
  class Part {
   public:
    /// @param indices  indices of this part's showers, in order
    Part(const Showers* showers, std::shared_ptr<const Showers> owned, Numbers indices, Numbers numbers);

    std::size_t size() const { return indices_.size(); }
    /// Showers [begin, begin + count) of this part.
    Batch batch(std::size_t begin, std::size_t count) const;
    const Showers& showers() const { return *showers_; }
    std::span<const std::uint32_t> indices() const { return indices_; }

   private:
    const Showers* showers_;
    std::shared_ptr<const Showers> owned_;
    Numbers indices_, numbers_;
  };

  /// The showers `wanted` in a random order that depends on (seed, epoch), part by part.
  class Epoch {
   public:
    std::size_t num_parts() const { return groups_.size(); }
    std::size_t part_size(std::size_t part) const { return groups_[part].size(); }
    /// Reads a part. @throws like ShowerReader::read()
    Part part(std::size_t part) const;

   private:
    friend class TrainingData;
    const TrainingData* data_ = nullptr;
    std::vector<Numbers> groups_;  // numbers, in the order of training
  };
  /// @param wanted  ascending if not everything is in memory
  Epoch epoch(const Numbers& wanted, std::uint64_t seed, std::uint64_t epoch) const;

  /// As many of the showers `wanted` (ascending if not everything is in memory) as fit into a quarter of the
  /// limit, chosen at random and read into memory in ascending order; all of them if everything is in memory.
  Part some(const Numbers& wanted, std::uint64_t seed) const;

  /// Number of showers in a block and in a group; 0 if everything is in memory. They must be the same to
  /// resume a training.
  std::size_t block_size() const { return block_; }
  std::size_t group_size() const { return block_ * blocks_in_group_; }

 private:
  std::shared_ptr<const Showers> read(const Numbers& ascending) const;

  const Showers* showers_ = nullptr;
  std::shared_ptr<const Showers> owned_;
  ShowerReader* reader_ = nullptr;
  std::size_t size_ = 0;
  std::size_t block_ = 0, blocks_in_group_ = 0;
  std::size_t sample_size_ = 0;  // maximum size of some()
  double hits_of_a_shower_ = 0;  // mean number
};

}  // namespace calo
