#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <limits>
#include <map>

#include "core/child_process.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "kfp/client/time_text.h"
#include "kfp/kubernetes/access.h"

namespace kfp::kubernetes {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostBytes = 1U << 20;

// A process whose output is read; it is killed if it still runs at the end.
class Process {
 public:
  Process(const ExecPlugin& plugin, const std::string& information) : plugin_(plugin) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("no pipe can be made");
    output_ = ends[0];
    std::vector<std::string> words = {plugin.command};
    words.insert(words.end(), plugin.arguments.begin(), plugin.arguments.end());
    std::map<std::string, std::string> added(plugin.environment.begin(), plugin.environment.end());
    added.emplace("KUBERNETES_EXEC_INFO", information);
    std::vector<std::string> variables = core::environment_with(added);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const int status = ::posix_spawnp(&pid_, plugin.command.c_str(), &actions, nullptr,
                                      core::c_strings(words).data(), core::c_strings(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (status == 0) return;
    ::close(output_);
    pid_ = -1;
    fail(fmt::format("cannot be run: {}", std::strerror(status)));
  }
  ~Process() {
    if (pid_ < 0) return;
    ::close(output_);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  std::string output() {
    std::string text;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(plugin_.time_limit_s));
    while (true) {
      if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted"});
      if (Clock::now() > end) fail(fmt::format("takes longer than {} s", plugin_.time_limit_s));
      pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t count = ::read(output_, buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      text.append(buffer, static_cast<std::size_t>(count));
      if (text.size() > kMostBytes) fail("prints more than credentials");
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ::close(output_);
    pid_ = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      fail(WIFEXITED(status) ? fmt::format("ends with exit code {}", WEXITSTATUS(status))
                             : "was ended by a signal");
    return text;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw core::UnavailableError({.message = "the program that gives the credentials " + message,
                                  .file = plugin_.command,
                                  .hint = plugin_.install_hint});
  }

  const ExecPlugin& plugin_;
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace

client::Credentials run_exec_plugin(const ExecPlugin& plugin, double& expires_s) {
  const bool terminal = ::isatty(STDIN_FILENO) != 0;
  if (plugin.needs_terminal && !terminal)
    throw core::UnavailableError({.message = "the program that gives the credentials needs a terminal",
                                  .file = plugin.command,
                                  .hint = plugin.install_hint});
  json information = {
      {"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", {{"interactive", terminal}}}};
  if (!plugin.cluster_info.is_null()) information["spec"]["cluster"] = plugin.cluster_info;
  // The output is never shown, because it has the token.
  const json output = json::parse(Process(plugin, information.dump()).output(), nullptr, false);
  const auto wrong = [&](const std::string& message) {
    throw core::InputError(
        {.message = "the program that gives the credentials " + message, .file = plugin.command});
  };
  if (!output.is_object() || output.value("kind", json()) != "ExecCredential")
    wrong("does not print an ExecCredential");
  if (output.value("apiVersion", json()) != plugin.api_version)
    wrong(fmt::format("does not print the version {}", plugin.api_version));
  const json status = output.value("status", json::object());
  const auto text = [&](const char* name) -> std::string {
    if (!status.is_object() || !status.contains(name)) return "";
    if (!status[name].is_string()) wrong(fmt::format("prints a status.{} that is no string", name));
    return status[name];
  };
  client::Credentials given{.token = text("token"),
                            .certificate_pem = text("clientCertificateData"),
                            .key_pem = text("clientKeyData")};
  if (given.token.empty() && (given.certificate_pem.empty() || given.key_pem.empty()))
    wrong("prints neither a token nor a certificate with its key");
  expires_s = std::numeric_limits<double>::infinity();
  if (const std::string end = text("expirationTimestamp"); !end.empty()) {
    const std::optional<double> time = client::parse_time(end);
    if (!time) wrong("prints an expirationTimestamp that is no time");
    expires_s = *time;
  }
  return given;
}

}  // namespace kfp::kubernetes
