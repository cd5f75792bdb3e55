#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/staged_output.h"
#include "kfp/client/http.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace test {

/// A server of the tests, on a port of its own on the loopback, until the object goes.
class LoopbackServer {
 public:
  /// @param script  in the folder of these tests
  LoopbackServer(const std::string& script, const std::vector<std::string>& arguments,
                 const std::string& scheme) {
    ::setenv("NO_PROXY", "127.0.0.1", 1);
    const std::string port_file = (folder_ / "port").string();
    std::vector<std::string> words = {python(), CALOPIPE_SOURCE_DIR "/test/kfp/client/" + script, port_file};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], STDIN_FILENO);
    const int failed = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe_ends[0]);
    stdin_ = pipe_ends[1];
    if (failed != 0) throw std::runtime_error("the test's server cannot be started");
    for (int i = 0; i < 3000 && !std::filesystem::exists(port_file); ++i) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) throw std::runtime_error("the test's server ended");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    address_ = scheme + "://127.0.0.1:" + core::read_file(port_file);
  }
  ~LoopbackServer() {
    ::close(stdin_);
    ::waitpid(pid_, nullptr, 0);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  const std::string& address() const { return address_; }

  /// Orders something ("/_faults", "/_script" …). @return what the server saw: violations, requests, runs
  nlohmann::json control(const std::string& path, const nlohmann::json& body = nlohmann::json::object(),
                         const std::filesystem::path& ca_file = {}) const {
    kfp::client::Http http({.server = address_, .ca_file = ca_file});
    return http.call({.method = "POST", .path = path, .body = body});
  }

 private:
  TempFolder folder_;
  pid_t pid_ = 0;
  int stdin_ = -1;
  std::string address_;
};

/// The server of server.py.
class KubeflowServer : public LoopbackServer {
 public:
  explicit KubeflowServer(const std::vector<std::string>& arguments = {}, const std::string& scheme = "http")
      : LoopbackServer("server.py", arguments, scheme) {}

  void faults(const nlohmann::json& list) const { control("/_faults", list); }
  /// What runs that are started from now on go through, a step for each time somebody asks: task (empty: the
  /// run) and state.
  void script(const std::vector<std::vector<std::string>>& steps) const { control("/_script", steps); }
  nlohmann::json seen() const { return control("/_seen"); }
};

/// The provider of logins of oidc_server.py.
class OidcServer : public LoopbackServer {
 public:
  OidcServer() : LoopbackServer("oidc_server.py", {}, "http") {}
  /// @return the requests until now, as "POST /token refresh_token"
  std::vector<std::string> order(const nlohmann::json& orders) const {
    return control("/_orders", orders).at("seen");
  }
};

}  // namespace test
