#pragma once

#include <filesystem>
#include <string>

/// Kerberos tickets: reading, renewing and storing them, with MIT's libkrb5.
namespace kerberos {

/// A ticket-granting ticket: who has it, and how long it lasts. Times are seconds since 1970.
struct Ticket {
  std::string principal;  ///< "alice@CERN.CH"
  double start_s = 0;
  double end_s = 0;          ///< it cannot be used after that
  double renew_until_s = 0;  ///< it can be renewed up to this time; 0 = it is not renewable

  /// The time at which it is finally useless, if somebody renews it in time.
  double last_s() const { return renew_until_s > end_s ? renew_until_s : end_s; }
};

/// A renewed or new ticket, for a time that the KDC may shorten.
struct TicketLife {
  double life_s = 0;  ///< 0 = what the KDC gives
  double renewable_s = 7 * 86400;
};

/// Name of the default cache: $KRB5CCNAME, else that of the configuration ("FILE:/tmp/krb5cc_1000").
std::string default_cache();

/// The file of a cache: of "FILE:/tmp/krb5cc_1000", or of "/tmp/krb5cc_1000".
/// @throws core::UsageError if it is not a file (KCM:, KEYRING:, DIR:)
std::filesystem::path cache_file(const std::string& cache);

/// The ticket in a cache of any kind.
/// @throws core::UnavailableError (no cache, or no ticket in it; no libkrb5)
Ticket read_ticket(const std::string& cache);

/// Has the KDC renew the ticket in `cache`, and writes it to the file `to` (mode 600, by rename).
/// @throws core::UnavailableError if the KDC refuses or cannot be reached; `to` is then as before
Ticket renew_ticket(const std::string& cache, const std::filesystem::path& to);

/// Gets a ticket with a keytab, and writes it to the file `to` (mode 600, by rename).
/// @param principal  empty = the first one in the keytab
/// @throws core::UnavailableError as renew_ticket(); core::InputError (no such keytab, an empty one)
Ticket ticket_from_keytab(const std::filesystem::path& keytab, const std::string& principal, TicketLife life,
                          const std::filesystem::path& to);

/// Writes a file that only the user can read, by rename. @throws core::UnavailableError
void write_private_file(const std::filesystem::path& to, const std::string& content);

/// Copies a cache of any kind to the file `to` (mode 600, by rename).
Ticket copy_ticket(const std::string& cache, const std::filesystem::path& to);

}  // namespace kerberos
