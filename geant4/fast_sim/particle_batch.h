#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "calo/infer/generator.h"

namespace geant4 {

/// Numbers the particles of each event, so that the noise of a shower belongs to its event and not to the
/// thread that made it. One object per thread; an event is never shared between threads.
class ParticleNumbers {
 public:
  struct Number {
    std::uint64_t event = 0;
    std::uint32_t particle = 0;
  };

  /// @param run    0 = the first; each run has its own noise, the first that of `calopipe generate`
  /// @param event  number of the event in its run
  Number next(std::uint64_t run, std::uint64_t event) {
    const std::uint64_t key = run << 40 ^ event;
    if (!any_ || key != key_) {
      any_ = true;
      key_ = key;
      particle_ = 0;
    }
    return {.event = key, .particle = particle_++};
  }

 private:
  bool any_ = false;
  std::uint64_t key_ = 0;
  std::uint32_t particle_ = 0;
};

/// Particles that wait for their showers, each with the data that its deposits need. Memory is reused.
template <class Carried>
class ParticleBatch {
 public:
  /// @param capacity  1 = no waiting
  explicit ParticleBatch(std::size_t capacity = 1) : capacity_(capacity) {}

  bool empty() const { return particles_.empty(); }
  std::size_t size() const { return particles_.size(); }

  /// @return true if the batch is full, and should be emptied
  bool add(const calo::infer::Particle& particle, Carried carried) {
    particles_.push_back(particle);
    carried_.push_back(std::move(carried));
    return particles_.size() >= capacity_;
  }

  std::span<const calo::infer::Particle> particles() const { return particles_; }
  Carried& carried(std::size_t i) { return carried_[i]; }

  void clear() {
    particles_.clear();
    carried_.clear();
  }
  void set_capacity(std::size_t capacity) { capacity_ = capacity; }

 private:
  std::size_t capacity_;
  std::vector<calo::infer::Particle> particles_;
  std::vector<Carried> carried_;
};

}  // namespace geant4
