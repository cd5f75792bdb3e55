#include "calo/io/repeated_showers.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace calo {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 32;
}

}  // namespace

void RepeatedShowers::add(const Conditions& condition, std::span<const std::uint32_t> cells,
                          std::span<const float> energies_mev) {
  const std::int64_t place = next_++;
  std::uint64_t hash = mix(std::bit_cast<std::uint32_t>(condition.incident_energy_mev), condition.geometry);
  hash = mix(hash, std::bit_cast<std::uint32_t>(condition.theta_rad));
  hash = mix(hash, std::bit_cast<std::uint32_t>(condition.phi_rad));
  int hits = 0;
  for (std::size_t hit = 0; hit < cells.size(); ++hit) {
    if (energies_mev[hit] == 0) continue;
    ++hits;
    hash = mix(hash, std::uint64_t{cells[hit]} << 32 | std::bit_cast<std::uint32_t>(energies_mev[hit]));
  }
  if (hits < 2) return;
  keys_.emplace_back(hash, place);
  sorted_ = false;
}

void RepeatedShowers::sort() {
  if (!sorted_) std::sort(keys_.begin(), keys_.end());
  sorted_ = true;
}

std::int64_t RepeatedShowers::count() {
  sort();
  std::int64_t count = 0;
  for (std::size_t i = 1; i < keys_.size(); ++i) count += keys_[i].first == keys_[i - 1].first;
  return count;
}

std::optional<Remark> RepeatedShowers::remark(const DatasetInfo& info) {
  const std::int64_t repeated = count();
  if (repeated == 0) return std::nullopt;
  std::int64_t again = next_, first = 0;
  for (std::size_t i = 1; i < keys_.size(); ++i)
    if (keys_[i].first == keys_[i - 1].first && keys_[i].second < again) {
      again = keys_[i].second;
      first = keys_[i - 1].second;
    }
  const auto name = [&](std::int64_t shower) {
    const auto& starts = info.first_shower;
    const auto after = std::upper_bound(starts.begin(), starts.end(), shower);
    const auto file = static_cast<std::size_t>(after - starts.begin() - 1);
    return fmt::format("shower {} of {}", shower - starts[file], info.files[file].filename().string());
  };
  return Remark{
      .text = fmt::format("{} showers are repeated ({} equals {})", repeated, name(again), name(first))};
}

}  // namespace calo
