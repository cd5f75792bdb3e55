#include "kerberos/keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/error.h"

namespace kerberos {
namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::optional<Ticket> ticket_in(const std::string& cache) {
  try {
    return read_ticket(cache);
  } catch (const core::UnavailableError&) {
    return std::nullopt;
  }
}

// Tries the ways to a better ticket, one after another.
class Keeper {
 public:
  explicit Keeper(const KeepOptions& options) : options_(options), cache_("FILE:" + options.cache.string()) {}

  std::optional<Ticket> current() const { return ticket_in(cache_); }

  KeepEvent improve(const std::optional<Ticket>& present) {
    KeepEvent event{.kind = KeepEvent::Kind::kFailed};
    if (present) event.ticket = *present;
    if (!options_.source.empty()) {
      const std::optional<Ticket> other = ticket_in(options_.source);
      if (other && other->end_s > now_s() && (!present || other->end_s > present->end_s))
        return {.kind = KeepEvent::Kind::kCopied, .ticket = copy_ticket(options_.source, options_.cache)};
      if (!other) event.reason = options_.source + ": has no ticket";
    }
    const auto attempt = [&](KeepEvent::Kind kind, const auto& work) {
      try {
        event.ticket = work();
        event.kind = kind;
        event.reason.clear();
        return true;
      } catch (const core::UnavailableError& error) {
        event.reason += (event.reason.empty() ? "" : "; ") + std::string(error.what());
        return false;
      }
    };
    const double now = now_s();
    if (!options_.keytab.empty() && attempt(KeepEvent::Kind::kNew, [&] {
          return ticket_from_keytab(options_.keytab, options_.principal, options_.life, options_.cache);
        }))
      return event;
    // At its final end a renewal gives nothing more.
    if (present && present->end_s > now && present->renew_until_s > present->end_s)
      attempt(KeepEvent::Kind::kRenewed, [&] { return renew_ticket(cache_, options_.cache); });
    else if (present && present->end_s > now && event.reason.empty())
      event.reason = present->renew_until_s == 0 ? "the ticket is not renewable"
                                                 : "the ticket has reached the end of its renewable life";
    else if (!present && event.reason.empty())
      event.reason = options_.cache.string() + ": has no ticket";
    return event;
  }

 private:
  const KeepOptions& options_;
  std::string cache_;
};

}  // namespace

double until_renewal_s(const Ticket& ticket, double now) {
  return std::max(0.0, ticket.start_s + (ticket.end_s - ticket.start_s) / 2 - now);
}

void keep_ticket(const KeepOptions& options, const std::function<void(const KeepEvent&)>& report,
                 const std::function<bool()>& stop, const std::function<void(double seconds)>& wait) {
  Keeper keeper(options);
  bool first = true;
  while (!stop()) {
    const std::optional<Ticket> present = keeper.current();
    const double now = now_s();
    const bool is_due = !present || until_renewal_s(*present, now) <= 0;
    const bool may_look = !options.source.empty();
    double pause_s = options.longest_pause_s;
    if (is_due || (options.once && first) || (may_look && first)) {
      KeepEvent event = keeper.improve(present);
      const double left_s = event.ticket.end_s - now_s();
      if (event.kind == KeepEvent::Kind::kFailed) {
        if (left_s <= 0 || options.once)
          throw core::UnavailableError(
              {.message = left_s <= 0 ? "there is no valid ticket, and none can be had: " + event.reason
                                      : event.reason,
               .file = options.cache,
               .hint = "get a new ticket: kinit, then calopipe kubeflow kerberos push"});
        pause_s = std::clamp(left_s / 8, 1.0, 60.0);
      } else {
        pause_s = until_renewal_s(event.ticket, now_s());
      }
      event.next_s = std::min(pause_s, options.longest_pause_s);
      report(event);
      if (options.once) return;
    } else {
      pause_s = until_renewal_s(*present, now);
    }
    first = false;
    wait(std::clamp(pause_s, 0.2, options.longest_pause_s));
  }
}

}  // namespace kerberos
