#pragma once

#include <sys/types.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace calo {

/// A Python process that answers each line of JSON with a line of JSON. The destructor ends the process.
class PeerProcess {
 public:
  /// @param python  program, searched for in PATH if it has no slash
  /// @param script  source of the program to run
  /// @throws core::UnavailableError if it cannot be started
  PeerProcess(const std::string& python, const std::string& script);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  /// @throws core::UnavailableError if the process has exited, or answers {"error": …}
  nlohmann::json ask(const nlohmann::json& request);

 private:
  nlohmann::json answer();

  std::string python_;
  pid_t pid_ = -1;
  std::FILE* out_ = nullptr;
  std::FILE* in_ = nullptr;
};

}  // namespace calo
