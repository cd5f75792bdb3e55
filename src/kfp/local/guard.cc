#include "kfp/local/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace kfp::local {
namespace {

constexpr pid_t kLeave = 0;

// Uses only calls that are safe in signal handlers: other threads may hold locks in the copy of the process.
[[noreturn]] void guard(int pipe) {
  ::setsid();
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::sigaction(number, &ignore, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(pipe, 0);
#if defined(SYS_close_range)
  ::syscall(SYS_close_range, 1U, ~0U, 0U);  // an open pipe would make its reader wait for our end
#endif
  static std::array<pid_t, 4096> groups{};  // many more than simultaneous tasks
  std::size_t count = 0;
  while (true) {
    pid_t message = kLeave;
    const ssize_t got = ::read(0, &message, sizeof message);
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof message) break;  // the runner has ended
    if (message == kLeave) ::_exit(0);
    if (message > 0 && count < groups.size()) groups[count++] = message;
    for (std::size_t i = 0; message < 0 && i < count; ++i)
      if (groups[i] == -message) groups[i--] = groups[--count];
  }
  for (std::size_t i = 0; i < count; ++i) ::kill(-groups[i], SIGKILL);
  ::_exit(0);
}

}  // namespace

Guard::Guard() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[1]);
    guard(ends[0]);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(ends[0]);
  if (pid_ > 0)
    pipe_ = ends[1];
  else
    ::close(ends[1]);
}

Guard::~Guard() {
  if (pid_ <= 0) return;
  tell(kLeave);
  ::close(pipe_);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

void Guard::tell(pid_t message) const {
  if (pipe_ < 0) return;
  // If the guard was killed, writing to its pipe must not end this process.
  sigset_t pipe_signal;
  sigset_t before;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t written = ::write(pipe_, &message, sizeof message);
  if (written < 0 && errno == EPIPE) {
    const timespec now{};
    ::sigtimedwait(&pipe_signal, nullptr, &now);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace kfp::local
