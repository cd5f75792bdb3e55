#include "calo/benchmark/detail/peer_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "core/error.h"

namespace calo {

PeerProcess::PeerProcess(const std::string& python, const std::string& script) : python_(python) {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0) throw core::UnavailableError({.message = "cannot create a pipe to a peer"});
  if (pipe2(from, O_CLOEXEC) != 0) {
    close(to[0]);
    close(to[1]);
    throw core::UnavailableError({.message = "cannot create a pipe from a peer"});
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], 0);
  posix_spawn_file_actions_adddup2(&actions, from[1], 1);
  std::string program = python, flag = "-c", text = script;
  char* const arguments[] = {program.data(), flag.data(), text.data(), nullptr};
  const int status = posix_spawnp(&pid_, python.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  if (status != 0) {
    close(to[1]);
    close(from[0]);
    throw core::UnavailableError({.message = fmt::format("cannot be started: {}", std::strerror(status)),
                                  .file = python,
                                  .field = "python",
                                  .hint = "give a Python with onnxruntime, or omit --against"});
  }
  out_ = fdopen(to[1], "w");
  in_ = fdopen(from[0], "r");
}

PeerProcess::~PeerProcess() {
  std::fclose(out_);  // the process exits at the end of its input
  std::fclose(in_);
  waitpid(pid_, nullptr, 0);
}

nlohmann::json PeerProcess::answer() {
  std::string line;
  for (int c = std::fgetc(in_); c != EOF && c != '\n'; c = std::fgetc(in_)) line += static_cast<char>(c);
  nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
  if (!parsed.is_object() || parsed.contains("error"))
    throw core::UnavailableError({.message = parsed.is_object()
                                                 ? parsed.at("error").dump()
                                                 : std::string("the peer exited without an answer"),
                                  .file = python_,
                                  .field = "against",
                                  .hint = "give a Python with onnxruntime as --python, or omit --against"});
  return parsed;
}

nlohmann::json PeerProcess::ask(const nlohmann::json& request) {
  const std::string line = request.dump() + "\n";
  // If the peer has exited, the missing answer below reports it.
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  std::fwrite(line.data(), 1, line.size(), out_);
  std::fflush(out_);
  sigaction(SIGPIPE, &before, nullptr);
  return answer();
}

}  // namespace calo
