#include "kfp/local/terminal_status.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/progress.h"
#include "kfp/local/detail/scheduler.h"

namespace kfp::local {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLogLines = 10;
constexpr std::size_t kTableRows = 20;

// The last lines of a log; for a progress bar, the part after its last carriage return.
std::vector<std::string> last_lines(const fs::path& log, std::size_t count) {
  std::ifstream stream(log, std::ios::binary);
  if (!stream) return {};
  constexpr std::int64_t kTail = 8192;
  stream.seekg(0, std::ios::end);
  const std::int64_t size = stream.tellg();
  stream.seekg(std::max<std::int64_t>(0, size - kTail));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    line = line.substr(line.rfind('\r') + 1);
    if (!line.empty()) lines.push_back(std::move(line));
  }
  if (size > kTail && lines.size() > 1) lines.erase(lines.begin());  // its beginning may be missing
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

// Fits a string to a number of columns: control characters and terminal escapes are removed, and UTF-8
// characters are not cut.
std::string fitted(const std::string& text, std::size_t columns) {
  std::string result;
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == 0x1b) {  // an escape sequence ends with a letter
      while (i < text.size() && !std::isalpha(static_cast<unsigned char>(text[i]))) ++i;
      ++i;
      continue;
    }
    std::size_t length = 1;
    while (i + length < text.size() && (static_cast<unsigned char>(text[i + length]) & 0xC0) == 0x80)
      ++length;
    if (c >= 0x20 && c != 0x7f) {
      if (used++ == columns) return result;
      result += text.substr(i, length);
    }
    i += length;
  }
  return result;
}

std::string took(const TaskRecord& task) {
  return core::human_duration(std::max(0.0, task.finished_s - task.started_s));
}

class TerminalStatus final : public Observer {
 public:
  explicit TerminalStatus(const StatusOptions& options) : options_(options) {
    if (options_.style == StatusOptions::Style::kAuto)
      options_.style =
          ::isatty(STDERR_FILENO) == 1 ? StatusOptions::Style::kTable : StatusOptions::Style::kLines;
  }
  ~TerminalStatus() override { clear_table(); }

  void on_run(const RunRecord& run) override {
    if (run.state == State::kRunning) {
      started_s_ = core::now_s();
      say(fmt::format("run {} of {}", run.id, run.name));
      return;
    }
    clear_table();
    table_done_ = true;
    if (options_.style == StatusOptions::Style::kTable && order_.size() <= 2 * kTableRows)
      for (const std::string& path : order_)
        if (const TaskRecord& task = tasks_.at(path); task.state != State::kSkipped) print(row(task));
    const std::string time = core::human_duration(std::max(0.0, run.finished_s - started_s_));
    switch (run.state) {
      case State::kSucceeded:
        say(fmt::format("run {} done in {}", run.id, time));
        break;
      case State::kCanceled:
        say(fmt::format("run {} interrupted after {}", run.id, time));
        break;
      default:
        complain(fmt::format("run {} failed: {}", run.id, run.error));
    }
  }

  void on_task(const TaskRecord& task) override {
    const auto before = tasks_.find(task.path);
    const bool changed = before == tasks_.end() || before->second.state != task.state ||
                         before->second.attempt != task.attempt;
    if (before == tasks_.end() && !task.is_dag) order_.push_back(task.path);
    tasks_[task.path] = task;
    if (!changed || task.is_dag) return;
    switch (task.state) {
      case State::kPending:
        if (task.attempt > 0 && !task.error.empty())
          say(fmt::format("[{}] {}; will be retried", task.path, task.error));
        break;
      case State::kRunning:
        line(fmt::format("[{}] running{}", task.path,
                         task.attempt > 1 ? fmt::format(" (attempt {})", task.attempt) : ""));
        break;
      case State::kSucceeded:
        line(task.finished_s < started_s_ ? fmt::format("[{}] was done before", task.path)
                                          : fmt::format("[{}] done in {}", task.path, took(task)));
        break;
      case State::kCached:
        line(fmt::format("[{}] unchanged since run {}", task.path, task.cached_from));
        break;
      case State::kSkipped:
        line(fmt::format("[{}] skipped{}", task.path, task.error.empty() ? "" : ": " + task.error));
        break;
      case State::kCanceled:
        line(fmt::format("[{}] interrupted", task.path));
        break;
      case State::kFailed:
        show_failure(task);
        break;
    }
  }

  void on_warning(const std::string& message) override { complain("warning: " + message); }

  void on_tick() override {
    if (options_.style != StatusOptions::Style::kTable || table_done_) return;
    const auto now = Clock::now();
    if (now - last_draw_ < std::chrono::milliseconds(200)) return;
    last_draw_ = now;
    draw();
  }

 private:
  void show_failure(const TaskRecord& task) {
    std::string text = fmt::format("[{}] failed after {}: {}", task.path, took(task), task.error);
    for (const std::string& log_line : last_lines(task.log, kLogLines))
      text += "\n    | " + fitted(log_line, 400);
    if (!task.log.empty()) text += "\n    log: " + task.log.string();
    complain(text);
  }

  // Three kinds of lines: only for a log of lines; always important; shown even with --quiet.
  void line(const std::string& text) {
    if (options_.style == StatusOptions::Style::kLines) print(text);
  }
  void say(const std::string& text) {
    if (options_.style != StatusOptions::Style::kQuiet) print(text);
  }
  void complain(const std::string& text) { print(text); }
  void print(const std::string& text) {
    clear_table();
    fmt::print(stderr, "{}\n", text);
    std::fflush(stderr);
  }

  int columns() const {
    if (options_.width > 0) return options_.width;
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
  }

  static std::string row(const TaskRecord& task) {
    const auto time = [&]() -> std::string {
      if (task.state == State::kRunning)
        return core::human_duration(std::max(0.0, core::now_s() - task.started_s));
      return task.state == State::kSucceeded || task.state == State::kFailed ? took(task) : "";
    };
    static const std::map<State, const char*> kWords = {
        {State::kPending, "waits"},       {State::kRunning, "runs"},    {State::kSucceeded, "done"},
        {State::kCached, "unchanged"},    {State::kSkipped, "skipped"}, {State::kFailed, "failed"},
        {State::kCanceled, "interrupted"}};
    return fmt::format("  {:<32} {:<11} {:>12}", fitted(task.path, 32), kWords.at(task.state), time());
  }

  void draw() {
    std::vector<const TaskRecord*> shown;
    std::map<State, int> counts;
    for (const std::string& path : order_) {
      const TaskRecord& task = tasks_.at(path);
      ++counts[task.state];
      shown.push_back(&task);
    }
    // If there is not enough room, running tasks come first.
    if (shown.size() > kTableRows) {
      std::stable_sort(shown.begin(), shown.end(), [](const TaskRecord* a, const TaskRecord* b) {
        return (a->state == State::kRunning) > (b->state == State::kRunning);
      });
      shown.resize(kTableRows);
    }
    const auto width = static_cast<std::size_t>(columns() - 1);
    std::vector<std::string> lines;
    for (const TaskRecord* task : shown) {
      std::string text = row(*task);
      if (task->state == State::kRunning)
        if (const auto last = last_lines(task->log, 1); !last.empty()) text += "  " + last.front();
      lines.push_back(fitted(text, width));
    }
    if (order_.size() > shown.size()) lines.push_back(fmt::format("  … {} tasks in all", order_.size()));
    clear_table();
    for (const std::string& text : lines) fmt::print(stderr, "{}\n", text);
    std::fflush(stderr);
    drawn_lines_ = lines.size();
  }

  void clear_table() {
    if (drawn_lines_ > 0) fmt::print(stderr, "\033[{}A\033[J", drawn_lines_);
    drawn_lines_ = 0;
  }

  StatusOptions options_;
  std::map<std::string, TaskRecord> tasks_;  // by path of the task
  std::vector<std::string> order_;           // tasks that are not DAGs, in the order of their appearance
  std::size_t drawn_lines_ = 0;
  bool table_done_ = false;
  double started_s_ = 0;
  Clock::time_point last_draw_{};
};

}  // namespace

std::unique_ptr<Observer> terminal_status(const StatusOptions& options) {
  return std::make_unique<TerminalStatus>(options);
}

}  // namespace kfp::local
