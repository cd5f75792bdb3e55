#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kfp/local/guard.h"

namespace kfp::local {

/// A program to be started.
struct ProcessOptions {
  std::filesystem::path program;
  std::vector<std::string> arguments;              ///< with the name of the program first
  std::map<std::string, std::string> environment;  ///< added to this process's own
  std::filesystem::path working_folder;            ///< empty: the current one
  /// stdout and stderr are appended to it; empty: both go to this process's stderr.
  std::filesystem::path log;
  const Guard* guard = nullptr;  ///< ends its group where this process is killed
};

/// How a process ended.
struct ProcessEnd {
  int exit_code = 0;  ///< 128 + signal where one ended it
  int signal = 0;
  double cpu_s = 0;                    ///< user + system, children it waited for included
  std::int64_t peak_memory_bytes = 0;  ///< largest resident set
};

/// A running program, without a shell, with stdin from /dev/null, in a process group of its own. It is killed
/// by the kernel when the thread that started it ends, and by the destructor.
class Process {
 public:
  /// @throws core::InputError (no such program, cannot be executed, arguments too long),
  /// core::UnavailableError (log, limits of the system)
  explicit Process(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  /// Becomes readable when it ends; -1 where the kernel has no such thing.
  int descriptor() const { return pidfd_; }
  /// Its end, once it has ended.
  std::optional<ProcessEnd> poll();
  /// Sends a signal to all processes of its group.
  void signal(int number) const;

 private:
  void sample_memory();

  const Guard* guard_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::int64_t own_peak_bytes_ = 0;  // of this process at the start: the child's counter begins there
  std::int64_t sampled_peak_bytes_ = 0;
  std::optional<ProcessEnd> end_;
};

/// Where the program of a command lies: `programs` first, then a path as it is, then PATH.
/// @throws core::InputError if there is none, or it may not be executed
std::filesystem::path find_program(const std::string& name,
                                   const std::map<std::string, std::filesystem::path>& programs,
                                   const std::filesystem::path& working_folder);

}  // namespace kfp::local
