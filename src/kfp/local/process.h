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

/// Options for starting a program.
struct ProcessOptions {
  std::filesystem::path program;
  std::vector<std::string> arguments;              ///< arguments, beginning with the name of the program
  std::map<std::string, std::string> environment;  ///< variables added to this process's own
  std::filesystem::path working_folder;            ///< empty = the current folder
  /// File to which stdout and stderr are appended; empty = both go to this process's stderr.
  std::filesystem::path log;
  const Guard* guard = nullptr;  ///< kills its group if this process is killed
};

/// How a process ended.
struct ProcessEnd {
  int exit_code = 0;  ///< 128 + signal if a signal ended it
  int signal = 0;
  double cpu_s = 0;                    ///< user + system time, including children that it waited for
  std::int64_t peak_memory_bytes = 0;  ///< largest resident set
};

/// A running program, started without a shell, with stdin from /dev/null, in its own process group. The
/// kernel kills it when the thread that started it ends; so does the destructor.
class Process {
 public:
  /// @throws core::InputError (no such program, cannot be executed, arguments too long),
  /// core::UnavailableError (log, limits of the system)
  explicit Process(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  /// A descriptor that becomes readable when the program ends; -1 if the kernel does not support this.
  int descriptor() const { return pidfd_; }
  /// The result, if the program has ended.
  std::optional<ProcessEnd> poll();
  /// Sends a signal to all processes of its group.
  void signal(int number) const;

 private:
  void sample_memory();

  const Guard* guard_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::int64_t own_peak_bytes_ = 0;  // peak of this process at the start, where the child's counter begins
  std::int64_t sampled_peak_bytes_ = 0;
  std::optional<ProcessEnd> end_;
};

/// Path of the program of a command: from `programs`, else the name itself if it is a path, else from PATH.
/// @throws core::InputError if there is none, or it is not executable
std::filesystem::path find_program(const std::string& name,
                                   const std::map<std::string, std::filesystem::path>& programs,
                                   const std::filesystem::path& working_folder);

}  // namespace kfp::local
