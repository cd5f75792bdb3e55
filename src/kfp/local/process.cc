#include "kfp/local/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/child_process.h"
#include "core/error.h"
#include "core/process_memory.h"

namespace kfp::local {
namespace fs = std::filesystem;
namespace {

// Data for the child, prepared before the fork: after it, only calls that are safe in signal handlers are
// allowed.
struct Prepared {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* working_folder;  // null = do not change
  int log;
  int null;
  int report;  // receives the failed step and errno
  pid_t parent;
};

enum class Step : int { kFolder, kExecute, kOther };

[[noreturn]] void fail(const Prepared& prepared, Step step) {
  const int message[2] = {static_cast<int>(step), errno};
  [[maybe_unused]] const auto written = ::write(prepared.report, message, sizeof message);
  ::_exit(127);
}

[[noreturn]] void become(const Prepared& prepared) {
  ::setpgid(0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(prepared, Step::kOther);
  if (::getppid() != prepared.parent) ::_exit(127);  // the parent died before the line above
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(prepared.null, 0) < 0 || ::dup2(prepared.log, 1) < 0 || ::dup2(prepared.log, 2) < 0)
    fail(prepared, Step::kOther);
#if defined(SYS_close_range)
  ::syscall(SYS_close_range, 3U, ~0U, 4U);  // CLOSE_RANGE_CLOEXEC: files that libraries left open are closed
#endif
  if (prepared.working_folder != nullptr && ::chdir(prepared.working_folder) != 0)
    fail(prepared, Step::kFolder);
  ::execve(prepared.program, prepared.arguments, prepared.environment);
  fail(prepared, Step::kExecute);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

std::string error_text() {
  return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace

Process::Process(const ProcessOptions& options) : guard_(options.guard) {
  std::vector<std::string> arguments = options.arguments;
  std::vector<std::string> environment = core::environment_with(options.environment);
  // The parent process may have ignored the signal, which makes the kernel forget the results of children.
  struct sigaction children {};
  if (::sigaction(SIGCHLD, nullptr, &children) == 0 && children.sa_handler == SIG_IGN)
    ::signal(SIGCHLD, SIG_DFL);
  const std::vector<char*> argument_pointers = core::c_strings(arguments);
  const std::vector<char*> environment_pointers = core::c_strings(environment);

  const Descriptor log(options.log.empty()
                           ? ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
                           : ::open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (log.get() < 0)
    throw core::UnavailableError(
        {.message = "the log cannot be opened: " + error_text(), .file = options.log});
  const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int ends[2];
  if (null.get() < 0 || ::pipe2(ends, O_CLOEXEC) != 0)
    throw core::UnavailableError({.message = "no process can be started: " + error_text()});
  const Descriptor reports(ends[0]);
  Descriptor report(ends[1]);

  const Prepared prepared{
      .program = options.program.c_str(),
      .arguments = argument_pointers.data(),
      .environment = environment_pointers.data(),
      .working_folder = options.working_folder.empty() ? nullptr : options.working_folder.c_str(),
      .log = log.get(),
      .null = null.get(),
      .report = report.get(),
      .parent = ::getpid()};
  own_peak_bytes_ = core::peak_memory_bytes(prepared.parent);

  // Our handlers must not run in the child.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_ = ::fork();
  if (pid_ == 0) become(prepared);
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid_ < 0) {
    errno = fork_error;
    throw core::UnavailableError({.message = "no process can be started: " + error_text()});
  }
  ::setpgid(pid_, pid_);  // both processes do this; the first call counts
  if (guard_ != nullptr) guard_->watch(pid_);

  report.close();
  int message[2] = {0, 0};
  ssize_t got = 0;
  do got = ::read(reports.get(), message, sizeof message);
  while (got < 0 && errno == EINTR);
  if (got == sizeof message) {
    if (guard_ != nullptr) guard_->forget(pid_);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
    errno = message[1];
    if (static_cast<Step>(message[0]) == Step::kFolder)
      throw core::InputError(
          {.message = "cannot be entered: " + error_text(), .file = options.working_folder});
    const std::string hint = message[1] == E2BIG ? "pass large data by artifact" : "";
    throw core::InputError(
        {.message = "cannot be executed: " + error_text(), .file = options.program, .hint = hint});
  }
#if defined(SYS_pidfd_open)
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
#endif
}

Process::~Process() {
  if (pid_ > 0 && !end_) {
    signal(SIGKILL);
    if (guard_ != nullptr) guard_->forget(pid_);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  if (pidfd_ >= 0) ::close(pidfd_);
}

void Process::sample_memory() {
  sampled_peak_bytes_ = std::max(sampled_peak_bytes_, core::peak_memory_bytes(pid_));
}

std::optional<ProcessEnd> Process::poll() {
  if (end_) return end_;
  sample_memory();
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid != pid_)
    return std::nullopt;
  // Processes that it left running in its group end with it, as in a container. This precedes the wait,
  // because until then the number of the group is not reused.
  ::kill(-pid_, SIGKILL);
  if (guard_ != nullptr) guard_->forget(pid_);
  int status = 0;
  struct rusage usage {};
  while (::wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) continue;
  ProcessEnd end;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end.exit_code = end.signal != 0 ? 128 + end.signal : WEXITSTATUS(status);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  end.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  // Between fork and exec the child had our memory, which the kernel counts, too.
  const std::int64_t counted = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  end.peak_memory_bytes = counted > own_peak_bytes_ + own_peak_bytes_ / 20 || sampled_peak_bytes_ == 0
                              ? counted
                              : sampled_peak_bytes_;
  end_ = end;
  return end_;
}

void Process::signal(int number) const {
  if (pid_ > 0 && !end_) ::kill(-pid_, number);
}

fs::path find_program(const std::string& name, const std::map<std::string, fs::path>& programs,
                      const fs::path& working_folder) {
  if (const auto found = programs.find(name); found != programs.end()) return found->second;
  const auto executable = [](const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    fs::path path = fs::absolute(working_folder / name);
    if (executable(path)) return path;
    std::error_code error;
    throw core::InputError(
        {.message = fs::exists(path, error) ? "cannot be executed" : "does not exist",
         .file = path,
         .hint = "the pipeline's image has it; give the path of a program on this machine"});
  }
  const char* variable = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  std::istringstream folders(variable != nullptr ? variable : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path path = fs::path(folder.empty() ? "." : folder) / name;
    if (executable(path)) return fs::absolute(path);
  }
  throw core::InputError({.message = "there is no program " + name + " on this machine",
                          .hint = "the pipeline's image has it; install it, or add its folder to PATH"});
}

}  // namespace kfp::local
