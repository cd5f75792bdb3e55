#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "calo/io/shower_reader.h"
#include "calo/validate/sample.h"

namespace calo {

/// Number of showers of each group, by the name of the group.
using GroupCounts = std::map<std::string, std::size_t>;

/// Numbers of showers: as many rows of both sides, where row i of both has the same condition, and the rows
/// of the full simulation once more, in two random halves of each condition.
struct BalancedTables {
  FeatureTable full, fast;
  FeatureTable first_half, second_half;
};

/// The cells of the showers of BalancedTables, row for row.
struct BalancedShowers {
  Showers full, fast;
  Showers first_half, second_half;
};

/// As many fast as full showers of each condition, so that what compares them cannot go by the conditions:
/// the first ones of each group.
class BalancedSample {
 public:
  /// @param full,fast are kept by reference
  /// @param most showers of each side; fewer of each group are taken if there are more
  BalancedSample(const ShowerSample& full, const ShowerSample& fast, std::int64_t most);

  /// Fewer showers of each group, so that there are `most` of each side at most.
  BalancedSample at_most(std::int64_t most) const;

  /// Number of showers of each side.
  std::size_t size() const;
  const ShowerSample& full() const { return *full_; }
  const ShowerSample& fast() const { return *fast_; }

  /// Values of all showers of one side.
  /// @param value is given the group and the index of the shower in it
  template <typename Value>
  std::vector<double> values(const ShowerSample& side, const Value& value) const {
    std::vector<double> result;
    for (const auto& [name, count] : counts_)
      for (std::size_t i = 0; i < count; ++i) result.push_back(value(side.groups.at(name), i));
    return result;
  }

  /// @param seed of the halves
  BalancedTables tables(FeatureTable GroupSample::*table, std::uint64_t seed) const;
  /// Reads the cells once more, from the readers that the samples were read with.
  BalancedShowers showers(ShowerReader& full, ShowerReader& fast, std::uint64_t seed) const;

 private:
  BalancedSample(const ShowerSample& full, const ShowerSample& fast, GroupCounts counts)
      : full_(&full), fast_(&fast), counts_(std::move(counts)) {}

  const ShowerSample* full_;
  const ShowerSample* fast_;
  GroupCounts counts_;  // of each side
};

/// At most `most` rows of a table, evenly spaced.
FeatureTable thinned(const FeatureTable& table, std::int64_t most);

}  // namespace calo
