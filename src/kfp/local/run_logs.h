#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "kfp/local/store.h"

namespace kfp::local {

/// Which logs to print.
struct LogOptions {
  std::string run;      ///< id, beginning of one, or "latest"
  std::string task;     ///< empty = all, each line behind the path of its task
  int tail = -1;        ///< only the last lines of each task; negative = all
  bool follow = false;  ///< goes on until the task or the run is over, or core::interrupt_requested()
};

/// Gives the logs' bytes to `write`, as they are in the files; with several tasks whole lines of one task at
/// a time.
/// @throws core::UsageError (no such run or task), core::InputError (the named task has no log)
void write_logs(const Store& store, const LogOptions& options,
                const std::function<void(std::string_view)>& write);

/// Where the last `lines` lines of a file begin, in bytes; 0 if it has no more than those.
std::uintmax_t tail_offset(const std::filesystem::path& file, int lines);

}  // namespace kfp::local
