#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "parallel/group.h"

namespace test {

/// A port of the loopback that is free now.
inline int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), length);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(fd);
  return ntohs(address.sin_port);
}

/// Calls body(group) in a thread for each rank, which have joined each other as processes do. Returns the
/// message of each rank's exception; empty = none.
inline std::vector<std::string> in_ranks(int size, const std::function<void(core::ProcessGroup&)>& body,
                                         const parallel::Limits& limits = {}) {
  const parallel::Meeting meeting{.address = "127.0.0.1", .port = free_port()};
  std::vector<std::string> messages(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        const auto group = parallel::join({.rank = rank, .size = size, .meeting = meeting}, limits);
        body(*group);
      } catch (const std::exception& error) {
        messages[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return messages;
}

}  // namespace test
