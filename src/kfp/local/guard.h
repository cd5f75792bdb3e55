#pragma once

#include <sys/types.h>

namespace kfp::local {

/// A process beside the runner that lives as long as it does, and then kills the process groups that it was
/// told of: where the runner is killed, nothing of its tasks may go on writing, or it would disturb a resume.
/// (The kernel ends the programs themselves, but not what those have started.)
class Guard {
 public:
  /// If the system gives no process there is no guard: it is only a second line of defence.
  Guard();
  /// Ends the guard without harm to anybody.
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  void watch(pid_t group) const { tell(group); }
  /// Before the group's last process is waited for: its number may go to others afterwards.
  void forget(pid_t group) const { tell(-group); }

 private:
  void tell(pid_t message) const;

  pid_t pid_ = -1;
  int pipe_ = -1;
};

}  // namespace kfp::local
