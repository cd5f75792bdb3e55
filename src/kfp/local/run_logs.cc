#include "kfp/local/run_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/interrupt.h"
#include "kfp/local/text_table.h"

namespace kfp::local {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kBlock = 1 << 16;

// The log of one task, read as it grows.
class LogReader {
 public:
  LogReader(const TaskRecord& task, const LogOptions& options)
      : tail_(options.tail), prefix_(options.task.empty() ? printable_line(task.path) + " | " : "") {}

  // Passes on new content since the last call. With a prefix, only whole lines until the `last` call.
  void read(const fs::path& file, bool last, const std::function<void(std::string_view)>& write) {
    if (file != file_) {  // first call, or another attempt of the task
      end_line(write);
      file_ = file;
      std::error_code missing;
      if (!fs::is_regular_file(file, missing)) {
        file_.clear();
        return;
      }
      offset_ = tail_ >= 0 ? tail_offset(file, tail_) : 0;
    }
    std::error_code error;
    if (fs::file_size(file_, error) < offset_) offset_ = 0;  // rewritten by another attempt
    std::ifstream stream(file_, std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset_));
    std::string block(kBlock, '\0');
    while (stream.read(block.data(), static_cast<std::streamsize>(block.size())) || stream.gcount() > 0) {
      const auto size = static_cast<std::size_t>(stream.gcount());
      offset_ += size;
      add(std::string_view(block).substr(0, size), write);
    }
    if (last) end_line(write);
  }

 private:
  void add(std::string_view bytes, const std::function<void(std::string_view)>& write) {
    if (prefix_.empty()) {
      write(bytes);
      return;
    }
    std::string text;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t end = bytes.find('\n', at);
      line_ += bytes.substr(at, end == std::string_view::npos ? end : end + 1 - at);
      if (end == std::string_view::npos) break;
      text += prefix_ + line_;
      line_.clear();
      at = end + 1;
    }
    if (!text.empty()) write(text);
  }

  void end_line(const std::function<void(std::string_view)>& write) {
    if (line_.empty()) return;
    write(prefix_ + line_ + "\n");
    line_.clear();
  }

  int tail_;
  std::string prefix_, line_;
  fs::path file_;
  std::uintmax_t offset_ = 0;
};

[[noreturn]] void no_log(const TaskRecord& task) {
  throw core::InputError(
      {.message = fmt::format("task {} has no log: it is {}", task.path, to_string(task.state)),
       .hint = task.cached_from.empty() ? std::string()
                                        : fmt::format("its outputs come from run {}", task.cached_from)});
}

}  // namespace

std::uintmax_t tail_offset(const fs::path& file, int lines) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::uintmax_t>(std::max<std::streamoff>(stream.tellg(), 0));
  if (lines <= 0) return size;
  std::string block;
  for (std::uintmax_t end = size; end > 0;) {
    const std::uintmax_t begin = end > kBlock ? end - kBlock : 0;
    block.resize(end - begin);
    stream.seekg(static_cast<std::streamoff>(begin));
    if (!stream.read(block.data(), static_cast<std::streamsize>(block.size()))) return 0;
    for (std::size_t i = block.size(); i-- > 0;)
      // The newline at the very end ends the last line and does not begin another.
      if (block[i] == '\n' && begin + i + 1 < size && --lines == 0) return begin + i + 1;
    end = begin;
  }
  return 0;
}

void write_logs(const Store& store, const LogOptions& options,
                const std::function<void(std::string_view)>& write) {
  const std::string run = store.run(options.run).id;
  std::map<std::string, LogReader> readers;  // by path of the task
  const std::string only = options.task.empty() ? std::string() : store.task(run, options.task).path;
  for (;;) {
    // Read the states first, so that everything written before them is read below.
    const bool run_over = is_final(store.run(run).state);
    bool over = run_over || !options.follow;
    for (const TaskRecord& task : store.tasks(run)) {
      if (!only.empty() && task.path != only) continue;
      const bool task_over = over || is_final(task.state);
      if (!only.empty()) over = task_over;
      std::error_code missing;
      if (!only.empty() && over && !fs::is_regular_file(task.log, missing)) no_log(task);
      readers.try_emplace(task.path, task, options).first->second.read(task.log, task_over, write);
    }
    if (over) return;
    for (int i = 0; i < 4; ++i) {
      if (core::interrupt_requested()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

}  // namespace kfp::local
