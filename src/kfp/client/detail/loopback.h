#pragma once

#include <string>

#include "kfp/client/http.h"

namespace kfp::client {

/// Receives the browser's way back from a login: one request at a port of this machine (RFC 8252, 7.3).
class Loopback {
 public:
  /// @param redirect_uri  `http://127.0.0.1:PORT/path`, or with `localhost`; a port of 0 or none is a free
  /// one
  /// @throws core::InputError if it is no such address, core::UnavailableError if the port is taken
  explicit Loopback(const std::string& redirect_uri);
  ~Loopback();
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  /// The address with its port.
  const std::string& address() const { return address_; }

  struct Answer {
    std::string code;
    std::string error;  ///< the provider's reason, if it refused
  };
  /// Waits for the request that has this state; others get an error page.
  /// @throws core::UnavailableError after `patience_s`, core::Interrupted
  Answer wait(const std::string& state, double patience_s, const HttpOptions& options);

 private:
  int socket_ = -1;
  std::string address_, path_;
};

}  // namespace kfp::client
