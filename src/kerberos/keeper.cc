#include "kerberos/keeper.h"

#include <algorithm>

#include "core/clock.h"
#include "core/error.h"

namespace kerberos {
namespace {

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

  // Copies the ticket of the source if it ends later.
  std::optional<KeepEvent> copy(const std::optional<Ticket>& present) const {
    if (options_.source.empty()) return std::nullopt;
    const std::optional<Ticket> other = ticket_in(options_.source);
    if (!other || other->end_s <= core::now_s() || (present && other->end_s <= present->end_s))
      return std::nullopt;
    return KeepEvent{.kind = KeepEvent::Kind::kCopied,
                     .ticket = copy_ticket(options_.source, options_.cache)};
  }

  // A new ticket by the keytab, or a renewed one.
  KeepEvent improve(const std::optional<Ticket>& present) const {
    KeepEvent event{.kind = KeepEvent::Kind::kFailed};
    if (present) event.ticket = *present;
    const auto attempt = [&](KeepEvent::Kind kind, const auto& work) {
      try {
        event.ticket = work();
        event.kind = kind;
      } catch (const core::UnavailableError& error) {
        event.reason += (event.reason.empty() ? "" : "; ") + std::string(error.what());
      }
    };
    if (!options_.keytab.empty())
      attempt(KeepEvent::Kind::kNew, [&] {
        return ticket_from_keytab(options_.keytab, options_.principal, options_.life, options_.cache);
      });
    const bool is_valid = present && present->end_s > core::now_s();
    if (event.kind == KeepEvent::Kind::kFailed && is_valid && present->renew_until_s > present->end_s)
      attempt(KeepEvent::Kind::kRenewed, [&] { return renew_ticket(cache_, options_.cache); });
    if (event.kind == KeepEvent::Kind::kFailed && event.reason.empty())
      event.reason = !present                      ? "has no ticket"
                     : !is_valid                   ? "the ticket has ended"
                     : present->renew_until_s == 0 ? "the ticket is not renewable"
                                                   : "the ticket has reached the end of its renewable life";
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
  const Keeper keeper(options);
  // Further attempts after a failure: more often towards the end of the ticket.
  const auto pause_after = [](const KeepEvent& event) {
    return event.kind == KeepEvent::Kind::kFailed ? std::max(1.0, (event.ticket.end_s - core::now_s()) / 8)
                                                  : until_renewal_s(event.ticket, core::now_s());
  };
  while (!stop()) {
    const std::optional<Ticket> present = keeper.current();
    std::optional<KeepEvent> event = keeper.copy(present);
    if (!event && (!present || options.once || until_renewal_s(*present, core::now_s()) <= 0))
      event = keeper.improve(present);
    double pause_s = event ? pause_after(*event) : until_renewal_s(*present, core::now_s());
    pause_s = std::clamp(pause_s, 0.2, options.longest_pause_s);
    if (event) {
      const bool has_ended = event->ticket.end_s <= core::now_s();
      if (event->kind == KeepEvent::Kind::kFailed && (has_ended || options.once))
        throw core::UnavailableError(
            {.message = has_ended ? "there is no valid ticket, and none can be had: " + event->reason
                                  : event->reason,
             .file = options.cache,
             .hint = "get a new ticket with kinit"});
      event->next_s = pause_s;
      report(*event);
    }
    if (options.once) return;
    wait(pause_s);
  }
}

}  // namespace kerberos
