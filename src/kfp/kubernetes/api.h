#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kfp/kubernetes/access.h"

namespace kfp::kubernetes {

/// A kind of object in namespaces that calopipe handles.
struct Kind {
  const char* name;         ///< "ConfigMap"
  const char* api_version;  ///< "v1", "batch/v1"
  const char* plural;       ///< "configmaps"
  bool of_setup = true;     ///< setup makes objects of this kind
};

/// All of them; those of setup in the order in which they are made.
const std::vector<Kind>& kinds();
/// @throws core::InputError if calopipe does not handle it
const Kind& kind_of(const std::string& name);

/// Kind and name of an object.
struct ObjectName {
  std::string kind, name;
  bool operator==(const ObjectName&) const = default;
};
/// @throws core::InputError if the object has no kind or name
ObjectName name_of(const nlohmann::json& object);
/// The text at a place like "/metadata/uid"; empty if there is none.
std::string text_at(const nlohmann::json& object, const char* place);
/// "ConfigMap settings".
std::string to_string(const ObjectName& name);

/// Options of a server-side apply.
struct ApplyOptions {
  std::string manager = "calopipe";  ///< owner of the fields
  bool dry_run = false;              ///< the server checks and answers, and changes nothing
  bool force = false;                ///< take fields that another manager owns
};

/// The calls of the Kubernetes API, in one namespace. Every call has a time limit. Calls that may be repeated
/// are repeated after temporary failures: all of them here may. Errors: client::Refused with the status,
/// client::Unreachable, core::UnavailableError, core::InputError.
class Api {
 public:
  explicit Api(const Access& access, client::Retries retries = {});

  const std::string& namespace_name() const { return access_.namespace_name; }
  const Access& access() const { return access_; }
  /// Version of the server: "v1.34.2".
  std::string version();

  /// Nothing if there is no such object. A missing namespace looks the same.
  std::optional<nlohmann::json> get(const ObjectName& name);
  /// All objects of a kind with these labels ("a=b,c=d"), from all pages.
  std::vector<nlohmann::json> list(const std::string& kind, const std::string& labels = {});
  /// Server-side apply: makes the object, or changes the given fields. @return the object as it is then
  nlohmann::json apply(const nlohmann::json& object, const ApplyOptions& options = {});
  /// Deletes an object, if it is still the one with this uid. @return false if it was gone
  bool remove(const ObjectName& name, const std::string& uid);

 private:
  std::string path_of(const std::string& kind, const std::string& name = {}) const;

  Access access_;
  client::Http http_;
};

}  // namespace kfp::kubernetes
