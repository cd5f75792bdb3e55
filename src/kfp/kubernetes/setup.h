#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/kubernetes/api.h"

namespace kfp::kubernetes {

/// A difference in one field of an object.
struct FieldChange {
  std::string field;     ///< "spec.resources.requests.storage"
  std::string from, to;  ///< JSON; empty = absent. Values of secrets are "***".
};

/// What setup would do with one object.
struct SetupStep {
  enum class Action {
    kCreate,
    kChange,
    kKeep,     ///< it is already so
    kForeign,  ///< it exists, and setup did not make it: it is left alone
    kDelete
  };
  Action action;
  ObjectName name;
  nlohmann::json object;  ///< as it is to be applied; with kDelete as it is
  std::vector<FieldChange> changes;
};

/// Objects that belong together: those that one site file declares.
struct SetupRequest {
  std::string name = "calopipe";  ///< value of the label calopipe/setup, by which setup knows its own objects
  std::vector<nlohmann::json> objects;
  bool prune = false;  ///< delete objects of this setup that are no longer declared
  bool force = false;  ///< take fields that another manager owns
};

/// Compares the objects with the cluster, and lets the server check them (dry run), without changing
/// anything.
/// @throws the errors of Api
std::vector<SetupStep> plan_setup(Api& api, const SetupRequest& request);

/// The steps that delete all objects of a setup.
std::vector<SetupStep> plan_removal(Api& api, const std::string& setup_name);

/// Objects of this setup that are not declared any more.
std::vector<ObjectName> leftovers(Api& api, const SetupRequest& request);

/// Executes a plan. It may be repeated after an error: what is done is then kept.
void execute(Api& api, const std::vector<SetupStep>& steps, bool force = false);

/// The object with the labels of a setup.
nlohmann::json labelled(nlohmann::json object, const std::string& setup_name);
/// Whether an object of the cluster has these labels.
bool belongs_to(const nlohmann::json& object, const std::string& setup_name);

/// "create", "change", "unchanged", "not ours", "delete".
const char* to_string(SetupStep::Action action);

/// The differing fields of two objects, without those that the server sets by itself.
std::vector<FieldChange> differences(const nlohmann::json& from, const nlohmann::json& to);

}  // namespace kfp::kubernetes
