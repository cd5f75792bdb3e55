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

/// Showers to train on. They are all in memory if they fit into a limit; else each epoch reads them from their
/// file in groups: blocks of neighbouring showers in random order, as many as fit, whose showers are shuffled.
/// A shower is known by its number in the file, so that its noise in training does not depend on how it was
/// read.
class TrainingData {
 public:
  using Numbers = std::vector<std::uint32_t>;

  /// Showers that are in memory; they must live as long as this.
  explicit TrainingData(const Showers& showers);
  /// Showers of a file. @param reader  must live as long as this  @param max_bytes  memory for showers
  TrainingData(ShowerReader& reader, std::size_t max_bytes);
  TrainingData(const TrainingData&) = delete;
  TrainingData& operator=(const TrainingData&) = delete;

  std::size_t size() const { return size_; }
  /// Whether all showers are in memory.
  bool is_in_memory() const { return showers_ != nullptr; }

  /// Some showers in memory.
  class Part {
   public:
    /// @param indices  into the showers: those that are meant, in order
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

  /// The showers `wanted` in a random order of (seed, epoch), part by part.
  class Epoch {
   public:
    std::size_t num_parts() const { return groups_.size(); }
    std::size_t part_size(std::size_t part) const { return groups_[part].size(); }
    /// Reads a part. @throws as ShowerReader::read()
    Part part(std::size_t part) const;

   private:
    friend class TrainingData;
    const TrainingData* data_ = nullptr;
    std::vector<Numbers> groups_;  // numbers, in the order in which they are trained on
  };
  /// @param wanted  ascending if not everything is in memory
  Epoch epoch(const Numbers& wanted, std::uint64_t seed, std::uint64_t epoch) const;

  /// As many of the showers `wanted` (ascending if not everything is in memory) as fit into a quarter of the limit, chosen at random
  /// and read into memory in ascending order; all of them if everything is in memory.
  Part some(const Numbers& wanted, std::uint64_t seed) const;

  /// Showers in one block, and in one group; 0 if everything is in memory. A training can only be resumed with
  /// the same.
  std::size_t block_size() const { return block_; }
  std::size_t group_size() const { return block_ * blocks_in_group_; }

 private:
  std::shared_ptr<const Showers> read(const Numbers& ascending) const;

  const Showers* showers_ = nullptr;
  std::shared_ptr<const Showers> owned_;
  ShowerReader* reader_ = nullptr;
  std::size_t size_ = 0;
  std::size_t block_ = 0, blocks_in_group_ = 0;
  std::size_t sample_size_ = 0;  // of some()
  double hits_of_a_shower_ = 0;  // mean
};

}  // namespace calo
