#include "kfp/kubernetes/ticket_secret.h"

#include <fmt/format.h>

#include "core/base64.h"
#include "core/error.h"
#include "kfp/kubernetes/setup.h"

namespace kfp::kubernetes {

using nlohmann::json;

void store_ticket(Api& api, const TicketSecret& secret, const std::string& content) {
  json object = {{"apiVersion", "v1"},
                 {"kind", "Secret"},
                 {"metadata", {{"name", secret.name}}},
                 {"type", "Opaque"},
                 {"data", {{secret.key, core::to_base64(content)}}}};
  // A secret that somebody made by kubectl does not become one that setup deletes.
  const std::optional<json> existing = api.get({"Secret", secret.name});
  if (!existing || belongs_to(*existing, secret.setup)) object = labelled(object, secret.setup);
  api.apply(object, {.manager = "calopipe-kerberos", .force = true});
}

std::string read_ticket_content(Api& api, const TicketSecret& secret) {
  const auto fail = [&](const char* message) {
    throw core::UnavailableError({.message = message,
                                  .file = secret.name,
                                  .field = secret.key,
                                  .hint = "calopipe kubeflow kerberos push makes the secret"});
  };
  const std::optional<json> object = api.get({"Secret", secret.name});
  if (!object) fail("there is no such secret");
  const json data = object->value("data", json::object());
  if (!data.is_object() || !data.contains(secret.key) || !data[secret.key].is_string())
    fail("the secret has no such key");
  const std::optional<std::string> content = core::from_base64(data[secret.key]);
  if (!content || content->empty()) fail("the secret has no ticket");
  return *content;
}

}  // namespace kfp::kubernetes
