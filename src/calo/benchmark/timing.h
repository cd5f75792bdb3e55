#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace calo {

/// Wall time of one call, from many calls.
struct Timing {
  double least_s = 0, median_s = 0, p99_s = 0;
  std::int64_t calls = 0;
};

/// Calls body once to warm up, then repeatedly for `seconds`, and at least three times.
template <class Body>
Timing time_calls(double seconds, const Body& body) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kFewest = 3;
  body();
  std::vector<double> times;
  const auto begin = Clock::now();
  for (auto now = begin;
       times.size() < kFewest || std::chrono::duration<double>(now - begin).count() < seconds;) {
    body();
    const auto end = Clock::now();
    times.push_back(std::chrono::duration<double>(end - now).count());
    now = end;
  }
  std::sort(times.begin(), times.end());
  const std::size_t n = times.size();
  return {.least_s = times.front(),
          .median_s = times[n / 2],
          .p99_s = times[std::min(n - 1, n * 99 / 100)],
          .calls = static_cast<std::int64_t>(n)};
}

}  // namespace calo
