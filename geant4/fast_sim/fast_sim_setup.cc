#include "geant4/fast_sim/fast_sim_setup.h"

namespace geant4 {

FastSimOptions FastSimSetup::options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

void FastSimSetup::change(const std::function<void(FastSimOptions&)>& change) {
  const std::lock_guard lock(mutex_);
  FastSimOptions changed = options_;
  change(changed);
  options_ = std::move(changed);
  state_ = nullptr;
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const FastSimSetup::State> FastSimSetup::state() {
  const std::lock_guard lock(mutex_);
  if (!state_)
    state_ = std::make_shared<State>(
        State{.options = options_, .generator = std::make_shared<FastGenerator>(options_)});
  return state_;
}

}  // namespace geant4
