#include "calo/train/training_data.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>

#include "core/philox.h"

namespace calo {
namespace {

constexpr std::uint32_t kShuffleStream = 0x73687566;
constexpr std::uint32_t kBlockStream = 0x626c6f63;
constexpr std::uint32_t kSampleStream = 0x73616d70;
constexpr std::size_t kLargestBlock = 4096;
constexpr std::size_t kFewestBlocks = 16;  // in a group, so that each epoch mixes other showers

// Mean number of cells with energy, from a sample of showers across the file.
double mean_hits(ShowerReader& reader) {
  constexpr std::int64_t kPlaces = 8, kShowers = 32;
  const std::int64_t count = reader.info().num_showers;
  double hits = 0, showers = 0;
  for (std::int64_t place = 0; place < kPlaces; ++place) {
    const Showers some = reader.read(count * place / kPlaces, kShowers);
    hits += static_cast<double>(some.num_hits());
    showers += static_cast<double>(some.size());
  }
  return hits / std::max(showers, 1.0);
}

TrainingData::Numbers all_of(std::size_t size) {
  TrainingData::Numbers numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

}  // namespace

TrainingData::TrainingData(const Showers& showers) : showers_(&showers), size_(showers.size()) {}

TrainingData::TrainingData(ShowerReader& reader, std::size_t max_bytes)
    : reader_(&reader), size_(static_cast<std::size_t>(reader.info().num_showers)) {
  hits_of_a_shower_ = mean_hits(reader);
  const double bytes = hits_of_a_shower_ * (sizeof(float) + sizeof(std::uint32_t)) + sizeof(Conditions) +
                       sizeof(std::uint64_t);
  const auto limit = static_cast<double>(max_bytes);
  if (bytes * static_cast<double>(size_) <= limit) {
    block_ = kLargestBlock;
    owned_ = read(all_of(size_));
    showers_ = owned_.get();
    block_ = 0;
    return;
  }
  // Half of the memory is for a group, a quarter each for the validation and for the initial showers of a
  // model.
  const auto group = static_cast<std::size_t>(std::max(limit / 2 / bytes, 1.0));
  block_ = std::clamp<std::size_t>(group / kFewestBlocks, 1, kLargestBlock);
  blocks_in_group_ = std::max<std::size_t>(1, group / block_);
  sample_size_ = std::max<std::size_t>(1, group / 2);
  spdlog::info("{} showers need about {:.1f} GB: each epoch reads them from the file, {} at a time", size_,
               bytes * static_cast<double>(size_) / 1e9, group_size());
}

TrainingData::Part::Part(const Showers* showers, std::shared_ptr<const Showers> owned, Numbers indices,
                         Numbers numbers)
    : showers_(showers),
      owned_(std::move(owned)),
      indices_(std::move(indices)),
      numbers_(std::move(numbers)) {}

Batch TrainingData::Part::batch(std::size_t begin, std::size_t count) const {
  return {.showers = *showers_, .indices = {indices_.data() + begin, count}, .numbers = numbers_};
}

TrainingData::Part TrainingData::Epoch::part(std::size_t part) const {
  const Numbers& wanted = groups_[part];
  if (data_->is_in_memory()) return {data_->showers_, nullptr, wanted, {}};
  Numbers ascending = wanted;
  std::sort(ascending.begin(), ascending.end());
  std::shared_ptr<const Showers> read = data_->read(ascending);
  const Showers* showers = read.get();
  Numbers indices;
  indices.reserve(wanted.size());
  for (const std::uint32_t number : wanted)
    indices.push_back(static_cast<std::uint32_t>(
        std::lower_bound(ascending.begin(), ascending.end(), number) - ascending.begin()));
  return {showers, std::move(read), std::move(indices), std::move(ascending)};
}

TrainingData::Epoch TrainingData::epoch(const Numbers& wanted, std::uint64_t seed,
                                        std::uint64_t epoch) const {
  Epoch result;
  result.data_ = this;
  if (is_in_memory()) {
    result.groups_.push_back(wanted);
    core::Philox(seed, epoch, kShuffleStream).shuffle(result.groups_.back());
    return result;
  }
  Numbers blocks = all_of((size_ + block_ - 1) / block_);
  core::Philox(seed, epoch, kBlockStream).shuffle(blocks);
  for (std::size_t begin = 0; begin < blocks.size(); begin += blocks_in_group_) {
    Numbers numbers;
    const std::size_t end = std::min(blocks.size(), begin + blocks_in_group_);
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t first = blocks[i] * block_;
      const auto from = std::lower_bound(wanted.begin(), wanted.end(), first);
      numbers.insert(numbers.end(), from, std::lower_bound(from, wanted.end(), first + block_));
    }
    if (numbers.empty()) continue;
    core::Philox(seed, epoch << 24 | result.groups_.size(), kShuffleStream).shuffle(numbers);
    result.groups_.push_back(std::move(numbers));
  }
  return result;
}

TrainingData::Part TrainingData::some(const Numbers& wanted, std::uint64_t seed) const {
  if (is_in_memory()) return {showers_, nullptr, wanted, {}};
  Numbers chosen = wanted;
  if (chosen.size() > sample_size_) {
    core::Philox(seed, 0, kSampleStream).shuffle(chosen);
    chosen.resize(sample_size_);
    std::sort(chosen.begin(), chosen.end());
  }
  std::shared_ptr<const Showers> read = this->read(chosen);
  const Showers* showers = read.get();
  Numbers indices = all_of(chosen.size());
  return {showers, std::move(read), std::move(indices), std::move(chosen)};
}

// Reads the file in ranges of consecutive showers, and skips ranges without a wanted shower.
std::shared_ptr<const Showers> TrainingData::read(const Numbers& ascending) const {
  auto kept = std::make_shared<Showers>(reader_->info().mesh.num_cells(), reader_->info().geometries);
  // Growth by doubling would need up to twice the memory.
  const auto hits = static_cast<std::size_t>(1.1 * hits_of_a_shower_ * static_cast<double>(ascending.size()));
  kept->cells.reserve(hits);
  kept->energies_mev.reserve(hits);
  for (std::size_t i = 0; i < ascending.size();) {
    const std::size_t first = ascending[i];
    std::size_t end = i;
    while (end < ascending.size() && ascending[end] < first + block_) ++end;
    const Showers stretch = reader_->read(static_cast<std::int64_t>(first),
                                          static_cast<std::int64_t>(ascending[end - 1] - first + 1));
    for (; i < end; ++i) kept->append(stretch, ascending[i] - first, ascending[i] - first + 1);
  }
  return kept;
}

}  // namespace calo
