#pragma once

#include <string>

#include "kfp/kubernetes/api.h"

namespace kfp::kubernetes {

/// Where a Kerberos ticket is in the cluster.
struct TicketSecret {
  std::string name = "krb-secret";
  std::string key = "krb5cc_1000";
  std::string setup = "calopipe";  ///< setup that a new secret belongs to
};

/// Makes or changes the secret. Its other keys stay as they are. Nothing of the content is in an error.
/// @throws the errors of Api
void store_ticket(Api& api, const TicketSecret& secret, const std::string& content);

/// The ticket in the secret. @throws core::UnavailableError if there is none
std::string read_ticket_content(Api& api, const TicketSecret& secret);

}  // namespace kfp::kubernetes
