#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace core {

/// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC11). They are keyed by seed and index, so that the numbers of one shower do not depend on the batch
/// size, the order or the number of threads.
class Philox {
 public:
  /// @param seed   seed of the run
  /// @param index  index of the shower (epoch, batch …) that the numbers belong to
  /// @param stream separates uses of the same seed and index (see the callers' constants)
  Philox(std::uint64_t seed, std::uint64_t index, std::uint32_t stream = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        counter_{0, stream, static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32)} {}

  /// Uniform over all 32-bit integers.
  std::uint32_t next_u32() {
    if (used_ == 4) {
      block_ = round10(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Uniform in [0, 1), 24 bits.
  float uniform() { return static_cast<float>(next_u32() >> 8) * 0x1p-24f; }

  /// Standard normal (Box–Muller).
  float normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double u = (static_cast<double>(next_u32()) + 0.5) * 0x1p-32;
    const double v = (static_cast<double>(next_u32()) + 0.5) * 0x1p-32;
    const double radius = std::sqrt(-2.0 * std::log(u));
    const double angle = 2.0 * std::numbers::pi * v;
    spare_ = static_cast<float>(radius * std::sin(angle));
    has_spare_ = true;
    return static_cast<float>(radius * std::cos(angle));
  }

  /// Uniform integer in [0, bound), bound > 0, without modulo bias (Lemire's multiplication).
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = static_cast<std::uint64_t>(next_u32()) * bound;
    auto low = static_cast<std::uint32_t>(product);
    if (low < bound) {
      const std::uint32_t threshold = (0u - bound) % bound;
      while (low < threshold) {
        product = static_cast<std::uint64_t>(next_u32()) * bound;
        low = static_cast<std::uint32_t>(product);
      }
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Puts `items` into random order (Fisher-Yates).
  template <class Items>
  void shuffle(Items& items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[below(static_cast<std::uint32_t>(i))]);
  }

  using Block = std::array<std::uint32_t, 4>;
  using Key = std::array<std::uint32_t, 2>;

  /// The bijection itself, for tests against the published vectors.
  static Block round10(Block counter, Key key) {
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t p0 = 0xD2511F53ull * counter[0];
      const std::uint64_t p1 = 0xCD9E8D57ull * counter[2];
      counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
                 static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
      key[0] += 0x9E3779B9u;
      key[1] += 0xBB67AE85u;
    }
    return counter;
  }

 private:
  Key key_;
  Block counter_;
  Block block_{};
  int used_ = 4;
  float spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace core
