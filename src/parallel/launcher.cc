#include "parallel/launcher.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>

#include "core/child_process.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/thread_pool.h"
#include "parallel/detail/system_error.h"

namespace parallel {
namespace {

using Clock = std::chrono::steady_clock;

// Time for the others to notice by themselves that a process has failed.
constexpr std::chrono::seconds kTimeToNotice{15};

// A port of the loopback that is free now.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  const bool found = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  const std::string text = error_text();
  if (fd >= 0) ::close(fd);
  if (!found) throw core::UnavailableError({.message = "no port of the loopback is free: " + text});
  return ntohs(address.sin_port);
}

// One started process.
struct Member {
  int rank = 0;
  pid_t pid = -1;
  int messages = -1;  // its stderr; -1 = ours
  std::string unfinished, last_line;
  std::optional<int> status;  // as of waitpid()
  bool killed_by_us = false;

  bool runs() const { return !status; }
  int signal() const { return status && WIFSIGNALED(*status) ? WTERMSIG(*status) : 0; }
  int exit_code() const { return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : 0; }
  bool failed() const { return !killed_by_us && (signal() != 0 || exit_code() != 0); }
};

class Attempt {
 public:
  Attempt(const Launch& launch, const std::vector<std::string>& arguments) : launch_(launch) {
    Meeting meeting = launch.machine.meeting;
    if (meeting.address.empty()) meeting = {.address = "127.0.0.1", .port = free_port()};
    for (int local = 0; local < launch.machine.processes; ++local) start(local, meeting, arguments);
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() {
    signal_all(SIGKILL);
    for (Member& member : members_) {
      while (member.runs()) wait_for(member, 0);
      if (member.messages >= 0) ::close(member.messages);
    }
  }

  // Waits for all processes.
  void finish() {
    std::optional<Clock::time_point> failed_at;
    bool told = false;
    while (std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.runs(); })) {
      pass_on_messages(50);
      for (Member& member : members_)
        if (member.runs()) wait_for(member, WNOHANG);
      if (core::interrupt_requested() && !told) {
        signal_all(SIGTERM);
        told = true;
      }
      const bool failed =
          std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.failed(); });
      if (failed && !failed_at) failed_at = Clock::now();
      if (failed_at && Clock::now() - *failed_at > kTimeToNotice) {
        for (Member& member : members_) member.killed_by_us = member.killed_by_us || member.runs();
        signal_all(SIGKILL);
      }
    }
    pass_on_messages(0);
  }

  // The process whose failure is the cause of the others': one that a signal ended, before one with an error
  // of its own, before those that only noticed.
  const Member* first_failed() const {
    const auto weight = [](const Member& member) {
      if (!member.failed()) return 0;
      if (member.signal() != 0) return 4;
      const auto code = static_cast<core::ExitCode>(member.exit_code());
      return code == core::ExitCode::kInterrupted ? 1 : code == core::ExitCode::kUnavailable ? 2 : 3;
    };
    const auto found =
        std::max_element(members_.begin(), members_.end(),
                         [&](const Member& a, const Member& b) { return weight(a) < weight(b); });
    return weight(*found) == 0 ? nullptr : &*found;
  }

 private:
  void start(int local, const Meeting& meeting, std::vector<std::string> arguments) {
    Member member{.rank = launch_.machine.rank * launch_.machine.processes + local};
    std::vector<std::string> environment = environment_of(member.rank, local, meeting);
    const std::vector<char*> argument_pointers = core::c_strings(arguments),
                             environment_pointers = core::c_strings(environment);
    int ends[2] = {-1, -1};
    if (member.rank > 0 && ::pipe2(ends, O_CLOEXEC) != 0)
      throw core::UnavailableError({.message = "no process can be started: " + error_text()});
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const pid_t parent = ::getpid();
    sigset_t all, before;  // our handlers must not run in the child
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    member.pid = ::fork();
    if (member.pid == 0) {
      prepare_child(parent, null, ends[1]);
      ::execve(launch_.program.c_str(), argument_pointers.data(), environment_pointers.data());
      ::_exit(127);
    }
    const std::string text = error_text();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::close(null);
    if (ends[1] >= 0) ::close(ends[1]);
    member.messages = ends[0];
    if (member.pid < 0) {
      if (ends[0] >= 0) ::close(ends[0]);
      throw core::UnavailableError({.message = "no process can be started: " + text});
    }
    members_.push_back(std::move(member));
  }

  std::vector<std::string> environment_of(int rank, int local, const Meeting& meeting) const {
    const Machine& machine = launch_.machine;
    const int threads =
        launch_.threads > 0 ? launch_.threads : std::max(1, core::available_threads() / machine.processes);
    const std::map<std::string, std::string> added = {
        {"RANK", std::to_string(rank)},
        {"LOCAL_RANK", std::to_string(local)},
        {"WORLD_SIZE", std::to_string(machine.count * machine.processes)},
        {"MASTER_ADDR", meeting.address},
        {"MASTER_PORT", std::to_string(meeting.port)},
        {"CALOPIPE_THREADS", std::to_string(threads)}};
    std::vector<std::string> environment = core::environment_with(added);
    std::erase_if(environment, [](const std::string& one) { return one.starts_with("CALOPIPE_PROCESSES="); });
    return environment;
  }

  // In the child, where only calls are allowed that are safe in signal handlers. Ctrl-C is for the launcher,
  // which passes it on once; the end of the launcher is the end of all. Only the first process prints
  // results.
  static void prepare_child(pid_t parent, int null, int messages) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (const int number : {SIGINT, SIGTERM, SIGPIPE}) ::sigaction(number, &standard, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(null, 0);
    if (messages < 0) return;
    ::dup2(null, 1);
    ::dup2(messages, 2);
  }

  static void wait_for(Member& member, int options) {
    int status = 0;
    if (::waitpid(member.pid, &status, options) == member.pid) member.status = status;
  }

  void signal_all(int number) {
    for (const Member& member : members_)
      if (member.runs()) ::kill(member.pid, number);
  }

  // Prints whole lines of the other processes' messages, after waiting for some.
  void pass_on_messages(int wait_ms) {
    std::vector<pollfd> watched;
    for (const Member& member : members_) watched.push_back({member.messages, POLLIN, 0});
    ::poll(watched.data(), watched.size(), wait_ms);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (watched[i].revents == 0) continue;
      Member& member = members_[i];
      char bytes[4096];
      ssize_t count = 0;
      while ((count = ::read(member.messages, bytes, sizeof bytes)) > 0) {
        member.unfinished.append(bytes, static_cast<std::size_t>(count));
        print_lines(member);
        pollfd more{member.messages, POLLIN, 0};
        if (::poll(&more, 1, 0) <= 0 || more.revents == 0) break;
      }
      if (count > 0 || (count < 0 && errno == EINTR)) continue;
      if (!member.unfinished.empty()) {
        member.unfinished += '\n';
        print_lines(member);
      }
      ::close(member.messages);
      member.messages = -1;
    }
  }

  static void print_lines(Member& member) {
    std::string& text = member.unfinished;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      member.last_line = text.substr(0, end);
      text.erase(0, end + 1);
      fmt::print(stderr, "[{}] {}\n", member.rank, member.last_line);
    }
  }

  const Launch& launch_;
  std::vector<Member> members_;
};

core::ErrorDetails details_of(const Member& member, int size) {
  core::ErrorDetails details;
  const int signal = member.signal();
  details.message =
      signal != 0
          ? fmt::format("rank {} of {} was ended by signal {} ({})", member.rank, size, signal,
                        ::strsignal(signal))  // NOLINT(concurrency-mt-unsafe)
          : fmt::format("rank {} of {} ended with exit code {}", member.rank, size, member.exit_code());
  if (!member.last_line.empty()) details.message += fmt::format("; its last line: {}", member.last_line);
  return details;
}

[[noreturn]] void fail(const Member& member, int size) {
  core::ErrorDetails details = details_of(member, size);
  if (member.signal() == SIGKILL) details.hint = "the kernel kills processes if the memory is too small";
  const auto code =
      member.signal() != 0 ? core::ExitCode::kUnavailable : static_cast<core::ExitCode>(member.exit_code());
  throw core::Error(code, std::move(details));
}

bool can_help(const Member& member) {
  return member.signal() != 0 || member.exit_code() == static_cast<int>(core::ExitCode::kUnavailable);
}

}  // namespace

int launch(const Launch& launch) {
  const int size = launch.machine.count * launch.machine.processes;
  std::vector<std::string> arguments = launch.arguments;
  for (int restart = 0;; ++restart) {
    Attempt attempt(launch, arguments);
    attempt.finish();
    const Member* failed = attempt.first_failed();
    if (failed == nullptr) return 0;
    if (failed->exit_code() == static_cast<int>(core::ExitCode::kInterrupted)) return failed->exit_code();
    if (restart == launch.machine.restarts || !can_help(*failed) || core::interrupt_requested())
      fail(*failed, size);
    spdlog::warn("{}: all processes start again (restart {} of {})", details_of(*failed, size).message,
                 restart + 1, launch.machine.restarts);
    if (restart == 0)
      arguments.insert(arguments.end(), launch.restart_arguments.begin(), launch.restart_arguments.end());
  }
}

}  // namespace parallel
