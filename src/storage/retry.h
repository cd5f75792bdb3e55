#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "storage/backend.h"
#include "storage/fault.h"

namespace storage {

/// Operations on one URL: repeats them while the server is unreachable, and gives errors their form.
class Retry {
 public:
  Retry(std::filesystem::path url, Backend& backend, const Settings& settings)
      : url_(std::move(url)), backend_(&backend), settings_(settings) {}

  const std::filesystem::path& url() const { return url_; }
  Backend& backend() const { return *backend_; }

  /// Calls operation(), and again after Fault::kUnreachable, with growing pauses, until it succeeds or the
  /// server has been silent for too long.
  /// @param done  participle for the message: "cannot be read"
  /// @throws core::InputError (missing, damaged), core::UnavailableError (everything else),
  ///         core::Interrupted, and what else operation() throws
  template <class Operation>
  auto operator()(const char* done, const Operation& operation) const {
    Attempts attempts;
    for (;;) {
      try {
        return operation();
      } catch (const Fault& fault) {
        wait_or_fail(done, fault, attempts);
      }
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Attempts {
    Clock::time_point begin = Clock::now();
    int failed = 0;
  };

  void wait_or_fail(const char* done, const Fault& fault, Attempts& attempts) const;
  [[noreturn]] void fail(const char* done, const Fault& fault, const Attempts& attempts) const;

  std::filesystem::path url_;
  Backend* backend_;
  Settings settings_;
};

}  // namespace storage
