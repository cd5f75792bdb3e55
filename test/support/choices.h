#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "core/philox.h"

namespace test {

/// Choices that define an input: random numbers from a seed, or a fuzzer's bytes (0 after their end).
class Choices {
 public:
  explicit Choices(std::uint64_t seed) : random_(core::Philox(seed, 0)) {}
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  /// A number in [0, bound).
  std::uint32_t below(std::uint32_t bound) {
    if (random_) return random_->below(bound);
    std::uint32_t value = 0;
    for (int i = 0; i < 2 && at_ < bytes_.size(); ++i) value = value << 8 | bytes_[at_++];
    return value % bound;
  }
  bool one_in(std::uint32_t bound) { return below(bound) == 1 % bound; }
  template <class T>
  T of(const std::vector<T>& list) {
    return list[below(static_cast<std::uint32_t>(list.size()))];
  }

 private:
  std::optional<core::Philox> random_;
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

}  // namespace test
