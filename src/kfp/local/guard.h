#pragma once

#include <sys/types.h>

namespace kfp::local {

/// A process that lives as long as the runner, and then kills the process groups that it was told to watch.
/// If the runner is killed, its tasks must not continue writing, because that would disturb a resume. (The
/// kernel ends the programs themselves, but not their children.)
class Guard {
 public:
  /// If no process can be created, there is no guard: it is only a second line of defence.
  Guard();
  /// Ends the guard without killing anything.
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  void watch(pid_t group) const { tell(group); }
  /// Call this before waiting for the group's last process, because its number may be reused afterwards.
  void forget(pid_t group) const { tell(-group); }

 private:
  void tell(pid_t message) const;

  pid_t pid_ = -1;
  int pipe_ = -1;
};

}  // namespace kfp::local
