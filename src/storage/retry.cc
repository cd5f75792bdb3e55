#include "storage/retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "storage/storage.h"

namespace storage {

void Retry::wait_or_fail(const char* done, const Fault& fault, Attempts& attempts) const {
  constexpr double kFirstPause_s = 0.25, kLongestPause_s = 10;
  ++attempts.failed;
  const double elapsed_s = std::chrono::duration<double>(Clock::now() - attempts.begin).count();
  // At least once again: the first request may have found a connection that was lost long ago.
  const bool is_late = attempts.failed > 1 && elapsed_s > settings_.timeout_s;
  if (fault.kind() != Fault::Kind::kUnreachable || is_late) fail(done, fault, attempts);
  const double pause_s =
      std::min(kLongestPause_s, kFirstPause_s * std::exp2(std::min(attempts.failed - 1, 10)));
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                                      std::min(pause_s, settings_.timeout_s / 4)));
  while (Clock::now() < end) {
    if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted", .file = url_});
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void Retry::fail(const char* done, const Fault& fault, const Attempts& attempts) const {
  const std::string message = fmt::format("cannot be {}: {}", done, fault.what());
  switch (fault.kind()) {
    case Fault::Kind::kMissing:
      throw core::InputError({.message = "does not exist", .file = url_});
    case Fault::Kind::kWrongKind:
    case Fault::Kind::kDamaged:
      throw core::InputError({.message = message, .file = url_});
    case Fault::Kind::kLogin:
      throw core::UnavailableError({.message = message, .file = url_, .hint = backend_->login_hint()});
    case Fault::Kind::kFull:
      throw core::UnavailableError(
          {.message = message, .file = url_, .hint = "delete something there, or ask for more space"});
    case Fault::Kind::kUnreachable: {
      const double elapsed_s = std::chrono::duration<double>(Clock::now() - attempts.begin).count();
      throw core::UnavailableError(
          {.message = message,
           .file = url_,
           .hint =
               fmt::format("tried {} times in {}: check the address, and whether the server is up; {} sets "
                           "how long it is tried",
                           attempts.failed, core::human_duration(elapsed_s), kTimeoutVariable)});
    }
    case Fault::Kind::kRefused:
      break;
  }
  throw core::UnavailableError({.message = message, .file = url_});
}

}  // namespace storage
