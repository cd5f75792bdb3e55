#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "kfp/local/store.h"

namespace kfp::local {

/// Which logs to print.
struct LogOptions {
  std::string run;      ///< id, beginning of an id, or "latest"
  std::string task;     ///< empty = all, with the path of its task before each line
  int tail = -1;        ///< number of last lines of each task; negative = all
  bool follow = false;  ///< continue until the task or run ends, or core::interrupt_requested()
};

/// Passes the logs' bytes to `write`, unchanged; for several tasks, in whole lines of one task at a time.
/// @throws core::UsageError (no such run or task), core::InputError (the named task has no log)
void write_logs(const Store& store, const LogOptions& options,
                const std::function<void(std::string_view)>& write);

/// Offset in bytes of the last `lines` lines of a file; 0 if it has no more lines.
std::uintmax_t tail_offset(const std::filesystem::path& file, int lines);

}  // namespace kfp::local
