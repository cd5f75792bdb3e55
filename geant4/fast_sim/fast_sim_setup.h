#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "geant4/fast_sim/fast_generator.h"
#include "geant4/fast_sim/fast_sim_options.h"

namespace geant4 {

/// The options of a program's fast simulation and the generator made from them, shared by its threads. The
/// master thread sets options between runs; workers see them at their next particle.
class FastSimSetup {
 public:
  struct State {
    FastSimOptions options;
    std::shared_ptr<const FastGenerator> generator;
  };

  explicit FastSimSetup(FastSimOptions options = {}) : options_(std::move(options)) {}

  FastSimOptions options() const;
  /// Changes options in place. If `change` throws, they keep their values.
  void change(const std::function<void(FastSimOptions&)>& change);

  /// Increases with each change.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  /// Options and generator; the first caller reads the model's file. @throws as FastGenerator
  std::shared_ptr<const State> state();

 private:
  mutable std::mutex mutex_;
  FastSimOptions options_;
  std::shared_ptr<const State> state_;
  std::atomic<std::uint64_t> version_ = 1;
};

}  // namespace geant4
