#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "support/temp_folder.h"

namespace test {

/// A real server of PostgreSQL in a temporary folder, one for each test program (test/support/postgres.sh).
class PostgresServer {
 public:
  static PostgresServer& get() {
    static PostgresServer server;
    return server;
  }
  ~PostgresServer() {
    // A forked child leaves by _exit().
    try {
      call("kill");
    } catch (const std::exception&) {
    }
  }

  /// For a study of this name. @param password  in the URL; "" for none
  std::string url(const std::string& study, const std::string& password = "s3cret%2Fword",
                  const std::string& user = "worker", const std::string& database = "studies") const {
    return fmt::format("postgresql://{}{}{}@127.0.0.1:{}/{}?study={}", user, password.empty() ? "" : ":",
                       password, port_, database, study);
  }
  void up() { call("up"); }
  void down() { call("down"); }
  /// Ends the server at once, as if its machine failed.
  void kill() { call("kill"); }
  void sql(const std::string& text) { call("sql", fmt::format("{} studies \"{}\"", port_, text)); }

 private:
  PostgresServer() : port_(free_port()) {
    // The server runs as another user, who must come to its folder.
    ::chmod(folder_.path().c_str(), 0755);
    call("start", std::to_string(port_));
  }

  void call(const std::string& verb, const std::string& rest = "") const {
    const std::string command = fmt::format("{}/test/support/postgres.sh {} {}/pg {}", CALOPIPE_SOURCE_DIR,
                                            verb, folder_.path().string(), rest);
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }

  static int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(socket);
    return ntohs(address.sin_port);
  }

  TempFolder folder_;
  int port_;
};

}  // namespace test
