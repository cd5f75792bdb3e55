#include "parallel/detail/control.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include "core/error.h"
#include "parallel/detail/system_error.h"

namespace parallel {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kLongestLine = 1 << 20;
// After the first process has waited in vain, the others have this time to say the same.
constexpr milliseconds kStuckTogether{3000};

std::string hex_of(const std::vector<char>& bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::vector<char> bytes_of(const std::string& hex) {
  std::vector<char> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

// The first word, which is removed from the line.
std::string word_of(std::string& line) {
  const std::size_t space = line.find(' ');
  std::string word = line.substr(0, space);
  line = space == std::string::npos ? "" : line.substr(space + 1);
  return word;
}

bool send_all(int fd, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

// Notices a machine that has lost its power or its network.
void keep_alive(int fd) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

// Signals belong to the main thread, whose waiting they end.
template <class Body>
std::thread without_signals(Body body) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(body);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

}  // namespace

ControlServer::ControlServer(int port, int size) : size_(size) {
  // Accepts connections by IPv4 as well.
  listener_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool has_six = listener_ >= 0;
  if (!has_six) listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1, off = 0;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (has_six) ::setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_in6 six{.sin6_family = AF_INET6, .sin6_port = htons(static_cast<std::uint16_t>(port))};
  sockaddr_in four{.sin_family = AF_INET, .sin_port = htons(static_cast<std::uint16_t>(port))};
  const auto* address =
      has_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  if (::bind(listener_, address, has_six ? sizeof six : sizeof four) != 0 || ::listen(listener_, size) != 0 ||
      ::pipe2(stop_, O_CLOEXEC) != 0) {
    const std::string text = error_text();
    ::close(listener_);
    throw core::UnavailableError(
        {.message = fmt::format("rank 0 cannot accept the other processes at port {}: {}", port, text),
         .field = "MASTER_PORT",
         .hint = "set MASTER_PORT to a free port, the same for all processes"});
  }
  thread_ = without_signals([this] { serve(); });
}

ControlServer::~ControlServer() {
  [[maybe_unused]] const auto written = ::write(stop_[1], "x", 1);
  thread_.join();
  for (const auto& [fd, client] : clients_) ::close(fd);
  for (const int fd : {listener_, stop_[0], stop_[1]}) ::close(fd);
}

void ControlServer::send(int fd, const std::string& line) {
  send_all(fd, line + "\n");  // a client that is gone is noticed when it is read from
}

void ControlServer::serve() {
  while (true) {
    std::vector<pollfd> watched = {{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& [fd, client] : clients_) watched.push_back({fd, POLLIN, 0});
    ::poll(watched.data(), watched.size(), 200);
    if (watched[0].revents != 0) return;
    // First those that are there: a process that is gone is noticed before those that complain about it.
    for (std::size_t i = 2; i < watched.size(); ++i) {
      if (watched[i].revents == 0 || read_from(watched[i].fd)) continue;
      const Client client = clients_[watched[i].fd];
      clients_.erase(watched[i].fd);
      std::erase_if(waiting_, [&](const auto& entry) { return entry.second == watched[i].fd; });
      ::close(watched[i].fd);
      if (client.rank >= 0 && !left_.contains(client.rank))
        lose(client.rank,
             fmt::format("rank {} on {} is gone: its connection was closed", client.rank, client.host));
    }
    if (watched[1].revents != 0) accept_one();
    judge_stuck();
  }
}

void ControlServer::accept_one() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  keep_alive(fd);
  clients_[fd] = {};
}

bool ControlServer::read_from(int fd) {
  char bytes[4096];
  const ssize_t count = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (count == 0) return false;
  std::string& received = clients_[fd].received;
  received.append(bytes, static_cast<std::size_t>(count));
  for (std::size_t end = received.find('\n'); end != std::string::npos; end = received.find('\n')) {
    const std::string line = received.substr(0, end);
    received.erase(0, end + 1);
    handle(fd, line);
  }
  return received.size() <= kLongestLine;
}

void ControlServer::hello(int fd, const std::string& rest) {
  std::istringstream words(rest);
  int rank = -1, size = -1;
  std::string host;
  words >> rank >> size >> host;
  if (!words || rank < 0 || rank >= size_ || size != size_) {
    send(fd, fmt::format("refused rank {} of {} on {} does not belong to the {} processes of rank 0", rank,
                         size, host, size_));
    return;
  }
  for (const auto& [other, client] : clients_)
    if (client.rank == rank) {
      send(fd, fmt::format("refused rank {} is there twice: on {} and on {}", rank, client.host, host));
      return;
    }
  clients_[fd].rank = rank;
  clients_[fd].host = host;
  if (lost_) send(fd, *lost_);
}

void ControlServer::handle(int fd, const std::string& text) {
  std::string line = text;
  const std::string what = word_of(line);
  if (what == "hello") {
    hello(fd, line);
  } else if (clients_[fd].rank < 0) {
    return;  // something else that connects to ports
  } else if (what == "set") {
    const std::string key = word_of(line);
    values_[key] = line;
    const auto [begin, end] = waiting_.equal_range(key);
    for (auto i = begin; i != end; ++i) send(i->second, "value " + key + " " + line);
    waiting_.erase(begin, end);
  } else if (what == "get") {
    if (const auto found = values_.find(line); found != values_.end())
      send(fd, "value " + line + " " + found->second);
    else
      waiting_.emplace(line, fd);
  } else if (what == "who") {
    std::set<int> ranks;
    for (const auto& [other, client] : clients_)
      if (client.rank >= 0) ranks.insert(client.rank);
    send(fd, fmt::format("present {}", fmt::join(ranks, ",")));
  } else if (what == "stuck") {
    clients_[fd].is_stuck = true;
    if (!first_stuck_) first_stuck_ = Clock::now();
  } else if (what == "bye") {
    left_.insert(clients_[fd].rank);
  }
}

void ControlServer::judge_stuck() {
  if (!first_stuck_ || lost_ || Clock::now() - *first_stuck_ < kStuckTogether) return;
  for (const auto& [fd, client] : clients_)
    if (client.rank >= 0 && !client.is_stuck && !left_.contains(client.rank)) {
      lose(client.rank, fmt::format("rank {} on {} does not answer", client.rank, client.host));
      return;
    }
}

void ControlServer::lose(int rank, const std::string& text) {
  if (lost_) return;
  lost_ = fmt::format("lost {} {}", rank, text);
  for (const auto& [fd, client] : clients_)
    if (client.rank >= 0) send(fd, *lost_);
}

Control::Control(const Place& place, Limit limit) : place_(place) {
  const std::string port = std::to_string(place.meeting.port);
  std::string problem;
  Clock::time_point next_word = Clock::now() + std::chrono::seconds(10);
  while (fd_ < 0) {
    addrinfo wanted{}, *found = nullptr;
    wanted.ai_socktype = SOCK_STREAM;
    const int status = ::getaddrinfo(place.meeting.address.c_str(), port.c_str(), &wanted, &found);
    if (status != 0) problem = ::gai_strerror(status);
    for (const addrinfo* one = found; one != nullptr && fd_ < 0; one = one->ai_next) {
      fd_ = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd_ >= 0 && ::connect(fd_, one->ai_addr, one->ai_addrlen) == 0) break;
      problem = error_text();
      if (fd_ >= 0) ::close(fd_);
      fd_ = -1;
    }
    if (found != nullptr) ::freeaddrinfo(found);
    if (fd_ >= 0) break;
    if (Clock::now() > limit)
      throw core::UnavailableError(
          {.message = fmt::format("rank {} of {} cannot reach rank 0 at {}:{}: {}", place.rank, place.size,
                                  place.meeting.address, place.meeting.port, problem),
           .hint = "does rank 0 run, and does the network let this port through?"});
    if (Clock::now() > next_word) {
      spdlog::warn("rank {} of {} waits for rank 0 at {}:{}: {}", place.rank, place.size,
                   place.meeting.address, place.meeting.port, problem);
      next_word = Clock::now() + std::chrono::minutes(1);
    }
    std::this_thread::sleep_for(milliseconds(100));
  }
  keep_alive(fd_);
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  char text[NI_MAXHOST] = {};
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &length);
  ::getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  own_address_ = text;
  send(fmt::format("hello {} {} {}", place.rank, place.size, host_name()));
  thread_ = without_signals([this] { read(); });
}

Control::~Control() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  ::shutdown(fd_, SHUT_RDWR);
  thread_.join();
  ::close(fd_);
}

void Control::send(const std::string& line) {
  const std::lock_guard lock(send_mutex_);
  send_all(fd_, line + "\n");  // the reading thread notices a closed connection
}

void Control::read() {
  std::string received;
  char bytes[4096];
  while (true) {
    const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    received.append(bytes, static_cast<std::size_t>(count));
    for (std::size_t end = received.find('\n'); end != std::string::npos; end = received.find('\n')) {
      handle(received.substr(0, end));
      received.erase(0, end + 1);
    }
  }
  const std::lock_guard lock(mutex_);
  if (!leaving_ && !lost_)
    lost_ =
        Lost{.rank = 0,
             .text = fmt::format("rank 0 at {} is gone: its connection was closed", place_.meeting.address)};
  news_.notify_all();
}

void Control::handle(const std::string& text) {
  std::string line = text;
  const std::string what = word_of(line);
  const std::lock_guard lock(mutex_);
  if (what == "value") {
    const std::string key = word_of(line);
    values_[key] = bytes_of(line);
  } else if (what == "present") {
    present_ = line;
  } else if (what == "refused") {
    refused_ = line;
  } else if (what == "lost" && !lost_) {
    const int rank = std::stoi(word_of(line));
    lost_ = Lost{.rank = rank, .text = line};
  }
  news_.notify_all();
}

void Control::set(const std::string& key, const std::vector<char>& value) {
  send("set " + key + " " + hex_of(value));
}

std::vector<char> Control::get(const std::string& key, Limit limit) {
  send("get " + key);
  std::unique_lock lock(mutex_);
  news_.wait_until(lock, limit, [&] { return values_.contains(key) || lost_ || refused_; });
  if (const auto found = values_.find(key); found != values_.end()) return found->second;
  if (refused_)
    throw core::UsageError(
        {.message = *refused_,
         .field = place_.said_by,
         .hint = "do two trainings meet at the same MASTER_ADDR and MASTER_PORT? give one another port"});
  if (lost_) throw core::UnavailableError({.message = lost_->text});
  lock.unlock();
  fail_joining();
}

void Control::fail_joining() {
  send("who");
  std::unique_lock lock(mutex_);
  news_.wait_for(lock, milliseconds(3000), [&] { return present_ || lost_; });
  std::set<int> missing;
  for (int rank = 0; rank < place_.size; ++rank) missing.insert(rank);
  std::istringstream ranks(present_.value_or(""));
  for (std::string rank; std::getline(ranks, rank, ',');) missing.erase(std::stoi(rank));
  throw core::UnavailableError(
      {.message =
           fmt::format("of {} processes, {} {} not come to rank 0 at {}:{}", place_.size,
                       fmt::format("{} {}", missing.size() == 1 ? "rank" : "ranks", fmt::join(missing, ", ")),
                       missing.size() == 1 ? "has" : "have", place_.meeting.address, place_.meeting.port),
       .hint = "have all been started?"});
}

std::optional<Control::Lost> Control::lost_within(milliseconds time) {
  std::unique_lock lock(mutex_);
  news_.wait_for(lock, time, [&] { return lost_.has_value(); });
  return lost_;
}

void Control::say_stuck() {
  send("stuck");
}

void Control::say_bye() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  send("bye");
}

}  // namespace parallel
