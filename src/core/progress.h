#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace core {

/// Progress of long work on stderr: on a terminal, one line that is redrawn; elsewhere, a new line every ten
/// seconds in the first minute, then every minute; nothing after `set_progress_enabled(false)`.
class Progress {
 public:
  /// @param label name of the work ("reading", "epoch 3/100")
  /// @param total units of work; 0 = unknown
  /// @param unit  name of the units, in the plural ("showers")
  Progress(std::string label, std::int64_t total, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// @param done units done so far, in total
  /// @param note text at the end of the line (losses, rates)
  void update(std::int64_t done, const std::string& note = {});
  void add(std::int64_t units) { update(done_ + units); }
  /// Says that so much was done before, by another process: it does not count for the rate.
  void resume_at(std::int64_t done) { begin_ = done_ = done; }

 private:
  void draw(bool last);

  std::string label_;
  std::string unit_;
  std::string note_;
  std::int64_t total_;
  std::int64_t done_ = 0, begin_ = 0;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_draw_;
};

/// Switches all Progress output on or off (on by default).
void set_progress_enabled(bool enabled);

/// "41 s", "3 min 20 s", "2 h 05 min".
std::string human_duration(double seconds);

}  // namespace core
