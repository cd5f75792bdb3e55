#include "kfp/client/detail/loopback.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <map>

#include "core/interrupt.h"

namespace kfp::client {
namespace {

// A browser sends less; it also keeps a connection open without sending anything.
constexpr std::size_t kLongestRequest = 64 << 10;
constexpr int kPatienceForARequest_ms = 2000;

int hex(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

std::string decoded(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(16 * hex(text[i + 1]) + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::map<std::string, std::string> parameters_of(const std::string& query) {
  std::map<std::string, std::string> parameters;
  for (std::size_t at = 0; at < query.size();) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string pair = query.substr(at, end - at);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    parameters[decoded(pair.substr(0, equals))] =
        equals < pair.size() ? decoded(pair.substr(equals + 1)) : std::string();
    at = end + 1;
  }
  return parameters;
}

void answer(int connection, int status, const char* words) {
  const std::string page = fmt::format(
      "<!doctype html><meta charset=utf-8><title>calopipe</title><p style=\"font: 1.2em sans-serif; margin: "
      "3em\">{}</p>",
      words);
  const std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: "
      "close\r\n\r\n{}",
      status, status == 200 ? "OK" : "Not Found", page.size(), page);
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t some = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (some <= 0) return;  // the browser has gone
    sent += static_cast<std::size_t>(some);
  }
}

// The first line of a request; empty if none comes.
std::string request_line(int connection) {
  std::string text;
  while (text.find("\r\n\r\n") == std::string::npos && text.size() < kLongestRequest) {
    pollfd waiting{.fd = connection, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kPatienceForARequest_ms) <= 0) break;
    char buffer[4096];
    const ssize_t some = ::recv(connection, buffer, sizeof buffer, 0);
    if (some <= 0) break;
    text.append(buffer, static_cast<std::size_t>(some));
  }
  return text.substr(0, text.find("\r\n"));
}

}  // namespace

Loopback::Loopback(const std::string& redirect_uri) {
  const auto refuse = [&] {
    throw core::InputError({.message = fmt::format("\"{}\" is no address on the loopback", redirect_uri),
                            .field = "redirect_uri",
                            .hint = "http://127.0.0.1:PORT/callback, or http://localhost:PORT/…"});
  };
  constexpr std::string_view kScheme = "http://";
  if (!redirect_uri.starts_with(kScheme)) refuse();
  const std::string rest = redirect_uri.substr(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size()), colon = std::min(rest.find(':'), slash);
  const std::string host = rest.substr(0, colon);
  path_ = slash < rest.size() ? rest.substr(slash) : "/";
  if ((host != "127.0.0.1" && host != "localhost") || path_.find_first_of("?# ") != std::string::npos)
    refuse();
  std::uint16_t port = 0;
  if (colon < slash) {
    const char *begin = rest.data() + colon + 1, *end = rest.data() + slash;
    if (const auto [at, error] = std::from_chars(begin, end, port); error != std::errc() || at != end)
      refuse();
  }
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int again = 1;
  ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
  socklen_t size = sizeof address;
  if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket_, 8) != 0 ||
      ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const std::string reason = std::strerror(errno);
    if (socket_ >= 0) ::close(socket_);
    throw core::UnavailableError(
        {.message = fmt::format("port {} of this machine: {}", port, reason),
         .field = "redirect_uri",
         .hint = "log in with --device, or choose another port that the provider knows"});
  }
  address_ = fmt::format("http://{}:{}{}", host, ntohs(address.sin_port), path_);
}

Loopback::~Loopback() {
  ::close(socket_);
}

Loopback::Answer Loopback::wait(const std::string& state, double patience_s, const HttpOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(patience_s));
  while (Clock::now() < end) {
    if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted"});
    pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 100) <= 0) continue;
    const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    struct Closer {
      int handle;
      ~Closer() { ::close(handle); }
    } const closer{connection};
    const std::string line = request_line(connection);
    const std::size_t begin = line.find(' ') + 1, stop = std::min(line.find(' ', begin), line.size());
    const std::string target = line.starts_with("GET ") ? line.substr(begin, stop - begin) : "";
    const std::size_t question = std::min(target.find('?'), target.size());
    const auto parameters =
        parameters_of(question < target.size() ? target.substr(question + 1) : std::string());
    const auto get = [&](const char* name) {
      const auto found = parameters.find(name);
      return found == parameters.end() ? std::string() : found->second;
    };
    // Any page on this machine could call; only the provider knows the state.
    if (target.substr(0, question) != path_ || get("state") != state) {
      answer(connection, 404, "This is not the login that calopipe waits for.");
      continue;
    }
    if (const std::string code = get("code"); !code.empty()) {
      answer(connection, 200, "You are logged in. You can close this page.");
      return {.code = code, .error = ""};
    }
    answer(connection, 200, "The login was refused. You can close this page.");
    const std::string words = get("error_description"), error = get("error");
    return {.code = "", .error = words.empty() ? (error.empty() ? "no reason was given" : error) : words};
  }
  throw core::UnavailableError({.message = fmt::format("nobody logged in within {:.0f} s", patience_s),
                                .file = options.server,
                                .hint = "on a machine without a browser, log in with --device"});
}

}  // namespace kfp::client
