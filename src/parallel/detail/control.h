#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "parallel/place.h"

namespace parallel {

/// The server of rank 0, in a thread of its own: it keeps the values by name that processes share while they
/// connect, and tells all when a process is gone.
///
/// Messages are lines; client to server: `hello RANK SIZE HOST`, `set KEY HEX`, `get KEY`, `who`, `stuck`,
/// `bye`; server to client: `value KEY HEX`, `present RANK,RANK`, `lost RANK TEXT`, `refused TEXT`. A
/// connection that ends without `bye` is that of a lost process.
class ControlServer {
 public:
  /// Listens at this port of all addresses. @throws core::UnavailableError if it is in use
  ControlServer(int port, int size);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  struct Client {
    std::string received;
    int rank = -1;
    std::string host;
    bool is_stuck = false;
  };

  void serve();
  void accept_one();
  bool read_from(int fd);  // false = it has ended
  void handle(int fd, const std::string& line);
  void hello(int fd, const std::string& rest);
  void lose(int rank, const std::string& text);
  void judge_stuck();
  static void send(int fd, const std::string& line);

  int size_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  std::map<int, Client> clients_;  // by descriptor
  std::map<std::string, std::string> values_;
  std::multimap<std::string, int> waiting_;  // descriptors by the key that they wait for
  std::set<int> left_;                       // ranks that said bye
  std::optional<std::string> lost_;          // the first message about a lost process
  std::optional<std::chrono::steady_clock::time_point> first_stuck_;
  std::thread thread_;
};

/// The connection of a process to the server of rank 0.
class Control {
 public:
  using Limit = std::chrono::steady_clock::time_point;
  struct Lost {
    int rank = 0;
    std::string text;  ///< "rank 1 on node02 is gone: its connection was closed"
  };

  /// Connects, and repeats this until `limit` if nobody answers.
  /// @throws core::UnavailableError
  Control(const Place& place, Limit limit);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Address of this machine in the connection.
  const std::string& own_address() const { return own_address_; }

  void set(const std::string& key, const std::vector<char>& value);
  /// Waits for a value. @throws core::UnavailableError if a process is lost, or `limit` is over: the message
  /// names the processes that have not come
  std::vector<char> get(const std::string& key, Limit limit);

  /// The first lost process, if there is one within this time.
  std::optional<Lost> lost_within(std::chrono::milliseconds time);
  /// Tells the server that this process has waited in vain: it looks for processes that do not say so.
  void say_stuck();
  /// The process leaves as planned.
  void say_bye();

 private:
  void read();
  void handle(const std::string& line);
  void send(const std::string& line);
  [[noreturn]] void fail_joining();

  Place place_;
  int fd_ = -1;
  std::string own_address_;
  std::mutex mutex_, send_mutex_;
  std::condition_variable news_;
  std::map<std::string, std::vector<char>> values_;
  std::optional<std::string> present_, refused_;
  std::optional<Lost> lost_;
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace parallel
