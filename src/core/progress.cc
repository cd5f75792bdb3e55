#include "core/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>

namespace core {
namespace {

std::atomic<bool> progress_enabled{true};
using Clock = std::chrono::steady_clock;

bool on_terminal() {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal;
}

}  // namespace

void set_progress_enabled(bool enabled) {
  progress_enabled = enabled;
}

std::string human_duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02d} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02d} min", whole / 3600, whole % 3600 / 60);
}

Progress::Progress(std::string label, std::int64_t total, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      start_(Clock::now()),
      last_draw_(start_) {}

Progress::~Progress() {
  if (drawn_) draw(true);
}

void Progress::update(std::int64_t done, const std::string& note) {
  done_ = done;
  if (!note.empty()) note_ = note;
  if (!progress_enabled) return;
  using std::chrono::seconds;
  const auto interval = on_terminal()                         ? std::chrono::milliseconds(100)
                        : Clock::now() - start_ < seconds(60) ? seconds(10)
                                                              : seconds(60);
  if (Clock::now() - last_draw_ < interval) return;
  draw(false);
}

void Progress::draw(bool last) {
  last_draw_ = Clock::now();
  drawn_ = true;
  const double elapsed = std::chrono::duration<double>(last_draw_ - start_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done_ - begin_) / elapsed : 0;
  std::string line = label_;
  if (total_ > 0)
    line += fmt::format(": {} of {} {} ({:.0f} %)", done_, total_, unit_,
                        100.0 * static_cast<double>(done_) / static_cast<double>(total_));
  else
    line += fmt::format(": {} {}", done_, unit_);
  if (rate > 0) line += fmt::format(", {:.3g} {}/s", rate, unit_);
  if (last)
    line += ", took " + human_duration(elapsed);
  else if (total_ > 0 && rate > 0)
    line += ", " + human_duration(static_cast<double>(total_ - done_) / rate) + " left";
  if (!note_.empty()) line += ", " + note_;
  if (on_terminal())
    fmt::print(stderr, "\r\033[K{}{}", line, last ? "\n" : "");
  else
    fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

}  // namespace core
