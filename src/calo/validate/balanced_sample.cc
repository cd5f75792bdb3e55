#include "calo/validate/balanced_sample.h"

#include <algorithm>
#include <numeric>

#include "core/philox.h"

namespace calo {
namespace {

constexpr std::uint32_t kHalvesStream = 0x48565300;

GroupCounts limited(GroupCounts counts, std::int64_t most) {
  std::size_t sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  const auto limit = static_cast<std::size_t>(most);
  if (sum > limit)
    for (auto& [name, count] : counts) count = count * limit / sum;
  return counts;
}

GroupCounts common(const ShowerSample& full, const ShowerSample& fast) {
  GroupCounts counts;
  for (const auto& [name, group] : full.groups)
    if (const auto partner = fast.groups.find(name); partner != fast.groups.end())
      counts[name] = std::min(group.showers, partner->second.showers);
  return counts;
}

FeatureTable first_rows(const ShowerSample& sample, const GroupCounts& counts,
                        FeatureTable GroupSample::*table) {
  FeatureTable result;
  for (const auto& [name, count] : counts) {
    const FeatureTable part = (sample.groups.at(name).*table).first(count);
    if (result.names.empty()) result.names = part.names;
    result.append(part);
  }
  return result;
}

Showers first_showers(ShowerReader& reader, const ShowerSample& sample, const GroupCounts& counts) {
  std::vector<std::int64_t> places;
  for (const auto& [name, count] : counts) {
    const auto& all = sample.groups.at(name).places;
    places.insert(places.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return read_places(reader, places);
}

struct Halves {
  std::vector<std::size_t> first, second;
};

Halves halves_of(const GroupCounts& counts, std::uint64_t seed) {
  Halves halves;
  std::size_t begin = 0;
  std::uint64_t group = 0;
  for (const auto& [name, count] : counts) {
    std::vector<std::size_t> rows(count);
    std::iota(rows.begin(), rows.end(), begin);
    core::Philox(seed, group++, kHalvesStream).shuffle(rows);
    const auto half = static_cast<std::ptrdiff_t>(count / 2);
    halves.first.insert(halves.first.end(), rows.begin(), rows.begin() + half);
    halves.second.insert(halves.second.end(), rows.begin() + half, rows.begin() + 2 * half);
    begin += count;
  }
  return halves;
}

FeatureTable rows_of(const FeatureTable& table, const std::vector<std::size_t>& rows) {
  FeatureTable result{.names = table.names};
  result.values.reserve(rows.size() * table.columns());
  for (const std::size_t row : rows)
    result.values.insert(result.values.end(), table.row(row), table.row(row) + table.columns());
  return result;
}

Showers rows_of(const Showers& showers, const std::vector<std::size_t>& rows) {
  Showers result(showers.num_cells(), showers.geometries);
  for (const std::size_t row : rows) result.append(showers, row, row + 1);
  return result;
}

}  // namespace

BalancedSample::BalancedSample(const ShowerSample& full, const ShowerSample& fast, std::int64_t most)
    : BalancedSample(full, fast, limited(common(full, fast), most)) {}

BalancedSample BalancedSample::at_most(std::int64_t most) const {
  return {*full_, *fast_, limited(counts_, most)};
}

std::size_t BalancedSample::size() const {
  std::size_t sum = 0;
  for (const auto& [name, count] : counts_) sum += count;
  return sum;
}

BalancedTables BalancedSample::tables(FeatureTable GroupSample::*table, std::uint64_t seed) const {
  BalancedTables result{.full = first_rows(*full_, counts_, table),
                        .fast = first_rows(*fast_, counts_, table)};
  const Halves halves = halves_of(counts_, seed);
  result.first_half = rows_of(result.full, halves.first);
  result.second_half = rows_of(result.full, halves.second);
  return result;
}

BalancedShowers BalancedSample::showers(ShowerReader& full, ShowerReader& fast, std::uint64_t seed) const {
  BalancedShowers result{.full = first_showers(full, *full_, counts_),
                         .fast = first_showers(fast, *fast_, counts_)};
  const Halves halves = halves_of(counts_, seed);
  result.first_half = rows_of(result.full, halves.first);
  result.second_half = rows_of(result.full, halves.second);
  return result;
}

FeatureTable thinned(const FeatureTable& table, std::int64_t most) {
  const std::size_t rows = table.rows(), kept = std::min(rows, static_cast<std::size_t>(most));
  if (kept == rows) return table;
  FeatureTable result{.names = table.names};
  for (std::size_t i = 0; i < kept; ++i) {
    const float* row = table.row(i * rows / kept);
    result.values.insert(result.values.end(), row, row + table.columns());
  }
  return result;
}

}  // namespace calo
