#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "kerberos/ticket.h"

namespace kerberos {

/// Where tickets come from and go to.
struct KeepOptions {
  std::filesystem::path cache;  ///< the file that programs use
  /// Another cache, such as a file of a secret that is renewed elsewhere: it is copied if its ticket ends
  /// later.
  std::string source;
  std::filesystem::path keytab;  ///< gives new tickets, if there is one
  std::string principal;         ///< of the keytab; empty = its first
  TicketLife life;               ///< of tickets by the keytab
  bool once = false;             ///< copy or renew now, and return
  double longest_pause_s = 600;  ///< between two looks at the source
};

/// What happened, for a log.
struct KeepEvent {
  enum class Kind { kRenewed, kCopied, kNew, kFailed };
  Kind kind;
  Ticket ticket;       ///< the one in the cache afterwards
  std::string reason;  ///< of kFailed
  double next_s = 0;   ///< seconds until the next look
};

/// Keeps a valid ticket in a cache until `stop` says true: renews it at half of its life, copies a newer one
/// from the source, or gets a new one with the keytab. After a failure it tries again, more often towards the
/// end of the ticket. The cache appears by rename with mode 600, so that programs never read half of one.
/// @param wait  sleeps, and may return early
/// @throws core::UnavailableError if the ticket has ended, and nothing gives another one
void keep_ticket(const KeepOptions& options, const std::function<void(const KeepEvent&)>& report,
                 const std::function<bool()>& stop, const std::function<void(double seconds)>& wait);

/// Seconds until a ticket should be renewed: half of its life after its start; 0 if that is past.
double until_renewal_s(const Ticket& ticket, double now_s);

}  // namespace kerberos
