#pragma once

#include <algorithm>
#include <chrono>

namespace bench {

/// Seconds of one call, the best of several rounds: the speed of the machine without disturbance. Calls body
/// once to warm up, then in rounds of at least `round_seconds`.
template <class Body>
double best_seconds(const Body& body, double round_seconds = 0.5, int rounds = 5) {
  using Clock = std::chrono::steady_clock;
  body();
  double best = 1e300;
  for (int round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    int calls = 0;
    double elapsed = 0;
    do {
      body();
      ++calls;
      elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    } while (elapsed < round_seconds);
    best = std::min(best, elapsed / calls);
  }
  return best;
}

}  // namespace bench
