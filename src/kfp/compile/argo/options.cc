#include "kfp/compile/argo/options.h"

#include <fmt/format.h>

#include <set>

#include "core/error.h"
#include "core/json_reader.h"

namespace kfp::argo {
namespace {

using nlohmann::json;

void need(bool given, const std::string& field, const std::string& message) {
  if (!given) throw core::InputError({.message = message, .field = field});
}

// Texts of options end up in the workflow's text, where Argo would take "{{" for its own.
void refuse_tags(const json& value, const std::string& field) {
  if (value.is_string())
    need(value.get_ref<const std::string&>().find("{{") == std::string::npos, field, "holds \"{{\"");
  if (value.is_structured())
    for (const auto& [name, element] : value.items()) refuse_tags(element, field + "." + name);
}

}  // namespace

void check_options(const ArgoOptions& options) {
  const auto absolute = [](const std::string& path, const std::string& field) {
    need(path.starts_with('/') && path.find("..") == std::string::npos, field, "is no absolute path");
    refuse_tags(path, field);
  };
  need(!options.volume || !options.s3, "volume", "stands beside s3, and artifacts pass one way only");
  need(options.name.empty() || options.generate_name.empty(), "name", "stands beside generate_name");
  if (options.volume) {
    const VolumeStore& volume = *options.volume;
    need(volume.claim.empty() != volume.host_path.empty(), "volume", "needs claim or host_path, one of them");
    if (!volume.host_path.empty()) absolute(volume.host_path, "volume.host_path");
    absolute(volume.mount_path, "volume.mount_path");
    refuse_tags(volume.claim, "volume.claim");
  }
  if (options.s3) {
    const S3Store& s3 = *options.s3;
    need(!s3.bucket.empty(), "s3.bucket", "is missing");
    need(!s3.endpoint.empty(), "s3.endpoint", "is missing");
    need(s3.endpoint.find("://") == std::string::npos, "s3.endpoint", "is host and port, without a scheme");
    need(s3.access_key.name.empty() == s3.access_key.key.empty(), "s3.access_key", "needs name and key");
    need(s3.secret_key.name.empty() == s3.secret_key.key.empty(), "s3.secret_key", "needs name and key");
    need(s3.access_key.name.empty() == s3.secret_key.name.empty(), "s3", "needs access_key and secret_key");
    refuse_tags(json{s3.bucket, s3.endpoint, s3.region, s3.prefix}, "s3");
  }
  std::set<std::string> mounts;
  const auto mount = [&](const std::string& path, const std::string& field) {
    absolute(path, field);
    need(mounts.insert(path).second, field, fmt::format("{} has two volumes", path));
  };
  if (options.volume) mount(options.volume->mount_path, "volume.mount_path");
  for (const HostVolume& volume : options.host_volumes) {
    absolute(volume.host_path, "host_volumes.host_path");
    mount(volume.mount_path, "host_volumes.mount_path");
    need(volume.mount_propagation.empty() || volume.mount_propagation == "None" ||
             volume.mount_propagation == "HostToContainer" || volume.mount_propagation == "Bidirectional",
         "host_volumes.mount_propagation", "is none of None, HostToContainer, Bidirectional");
  }
  for (const SecretVolume& volume : options.secret_volumes) {
    need(!volume.secret.empty(), "secret_volumes.secret", "is missing");
    mount(volume.mount_path, "secret_volumes.mount_path");
  }
  if (options.kerberos) {
    const KerberosTicket& ticket = *options.kerberos;
    need(!ticket.secret.empty(), "kerberos.secret", "is missing");
    need(!ticket.key.empty() && ticket.key.find('/') == std::string::npos, "kerberos.key",
         "is no key of a secret");
    need(!ticket.image.empty(), "kerberos.image", "is missing");
    mount(ticket.secret_path, "kerberos.secret_path");
    if (!ticket.ticket_path.empty()) mount(ticket.ticket_path, "kerberos.ticket_path");
    if (!ticket.renew_image.empty() && !ticket.ticket_path.empty()) {
      const std::string folder = ticket.ticket_path.substr(0, ticket.ticket_path.rfind('/'));
      need(!folder.empty() && folder != "/tmp", "kerberos.ticket_path",
           "must be in a folder of its own, which becomes a volume with renew_image");
    }
  }
}

ArgoOptions options_from_json(const json& value, const std::filesystem::path& source,
                              const std::string& place) {
  ArgoOptions options;
  core::JsonPlace at(source, place);
  core::read_json(options, value, at);
  try {
    check_options(options);
  } catch (const core::InputError& error) {
    core::ErrorDetails details = error.details();
    details.file = source;
    if (!place.empty()) details.field = place + "." + details.field;
    throw core::InputError(std::move(details));
  }
  return options;
}

}  // namespace kfp::argo
