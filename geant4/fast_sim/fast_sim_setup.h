#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "geant4/fast_sim/fast_generator.h"
#include "geant4/fast_sim/fast_sim_options.h"

namespace geant4 {

/// The options of a program's fast simulation and the generator that they ask for, shared by its threads.
/// Options are set by the master thread between runs; workers see them at their next particle.
class FastSimSetup {
 public:
  struct State {
    FastSimOptions options;
    std::shared_ptr<const FastGenerator> generator;
  };

  explicit FastSimSetup(FastSimOptions options = {}) : options_(std::move(options)) {}

  FastSimOptions options() const;
  /// Changes options, in place. What `change` throws leaves them as they were.
  void change(const std::function<void(FastSimOptions&)>& change);

  /// Grows with each change.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  /// Options and generator; the model's file is read by the first who asks. @throws what FastGenerator does
  std::shared_ptr<const State> state();

 private:
  mutable std::mutex mutex_;
  FastSimOptions options_;
  std::shared_ptr<const State> state_;
  std::atomic<std::uint64_t> version_ = 1;
};

}  // namespace geant4
