#include "kfp/kubernetes/setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.h"

namespace kfp::kubernetes {
namespace {

using nlohmann::json;

constexpr const char* kManager = "calopipe-setup";
constexpr const char* kSetupLabel = "calopipe/setup";

// Without what the server sets by itself.
json declared(json object) {
  object.erase("status");
  json& metadata = object["metadata"];
  for (const char* name : {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"})
    metadata.erase(name);
  return object;
}

std::string field_of(const std::string& pointer) {
  std::string field = pointer.substr(std::min<std::size_t>(1, pointer.size()));
  std::replace(field.begin(), field.end(), '/', '.');
  for (std::size_t at; (at = field.find("~1")) != std::string::npos;) field.replace(at, 2, "/");
  for (std::size_t at; (at = field.find("~0")) != std::string::npos;) field.replace(at, 2, "~");
  return field;
}

json flat(const json& object) {
  return object.empty() ? json::object() : object.flatten();
}

std::vector<json> objects_of(Api& api, const std::string& setup) {
  std::vector<json> all;
  for (const Kind& kind : kinds()) {
    if (!kind.of_setup) continue;
    const std::vector<json> found =
        api.list(kind.name, fmt::format("app.kubernetes.io/managed-by=calopipe,{}={}", kSetupLabel, setup));
    // The server selects by labels; what is deleted is checked once more.
    std::copy_if(found.begin(), found.end(), std::back_inserter(all),
                 [&](const json& object) { return belongs_to(object, setup); });
  }
  // What needs others is deleted first.
  std::reverse(all.begin(), all.end());
  return all;
}

SetupStep removal(const json& object) {
  return {.action = SetupStep::Action::kDelete, .name = name_of(object), .object = object};
}

// Whether a step before makes the role that a binding refers to.
bool role_is_new(const json& binding, const std::vector<SetupStep>& before) {
  const ObjectName role{text_at(binding, "/roleRef/kind"), text_at(binding, "/roleRef/name")};
  return std::any_of(before.begin(), before.end(), [&](const SetupStep& step) {
    return step.action == SetupStep::Action::kCreate && step.name == role;
  });
}

// The object as the server would make it.
json checked(Api& api, const SetupStep& step, const std::vector<SetupStep>& before, bool force) {
  try {
    return api.apply(step.object, {.manager = kManager, .dry_run = true, .force = force});
  } catch (const client::Refused& error) {
    // For users who are not administrators of the cluster, the server looks into the role.
    if (error.status() == 404 && role_is_new(step.object, before)) return step.object;
    throw;
  }
}

bool is_declared(const std::vector<json>& objects, const ObjectName& name) {
  return std::any_of(objects.begin(), objects.end(),
                     [&](const json& object) { return name_of(object) == name; });
}

}  // namespace

json labelled(json object, const std::string& setup) {
  object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "calopipe";
  object["metadata"]["labels"][kSetupLabel] = setup;
  return object;
}

bool belongs_to(const json& object, const std::string& setup) {
  const json labels = object.at("metadata").value("labels", json::object());
  return labels.value("app.kubernetes.io/managed-by", "") == "calopipe" &&
         labels.value(kSetupLabel, "") == setup;
}

const char* to_string(SetupStep::Action action) {
  switch (action) {
    case SetupStep::Action::kCreate:
      return "create";
    case SetupStep::Action::kChange:
      return "change";
    case SetupStep::Action::kKeep:
      return "unchanged";
    case SetupStep::Action::kForeign:
      return "not ours";
    case SetupStep::Action::kDelete:
      return "delete";
  }
  return "";
}

std::vector<FieldChange> differences(const json& from, const json& to) {
  const bool is_secret = (to.is_null() ? from : to).value("kind", "") == "Secret";
  const json old_fields = flat(from.is_null() ? json::object() : declared(from));
  const json new_fields = flat(to.is_null() ? json::object() : declared(to));
  std::set<std::string> names;
  for (const json* fields : {&old_fields, &new_fields})
    for (const auto& [name, value] : fields->items()) names.insert(name);
  std::vector<FieldChange> changes;
  for (const std::string& name : names) {
    const auto a = old_fields.find(name), b = new_fields.find(name);
    if (a != old_fields.end() && b != new_fields.end() && *a == *b) continue;
    const bool hide = is_secret && (name.starts_with("/data/") || name.starts_with("/stringData/"));
    const auto shown = [&](const json& fields, json::const_iterator at) -> std::string {
      if (at == fields.end()) return "";
      return hide ? "***" : at->dump(-1, ' ', false, json::error_handler_t::replace);
    };
    changes.push_back({field_of(name), shown(old_fields, a), shown(new_fields, b)});
  }
  return changes;
}

std::vector<ObjectName> leftovers(Api& api, const SetupRequest& request) {
  std::vector<ObjectName> names;
  for (const json& object : objects_of(api, request.name))
    if (const ObjectName name = name_of(object); !is_declared(request.objects, name)) names.push_back(name);
  return names;
}

std::vector<SetupStep> plan_setup(Api& api, const SetupRequest& request) {
  std::vector<SetupStep> steps;
  for (const json& wanted : request.objects) {
    SetupStep step{.action = SetupStep::Action::kCreate,
                   .name = name_of(wanted),
                   .object = labelled(wanted, request.name)};
    const std::optional<json> existing = api.get(step.name);
    if (existing && !belongs_to(*existing, request.name)) {
      step.action = SetupStep::Action::kForeign;
    } else {
      const json result = checked(api, step, steps, request.force);
      step.changes = differences(existing ? *existing : json(), result);
      if (existing)
        step.action = step.changes.empty() ? SetupStep::Action::kKeep : SetupStep::Action::kChange;
    }
    steps.push_back(std::move(step));
  }
  if (!request.prune) return steps;
  for (const json& object : objects_of(api, request.name))
    if (!is_declared(request.objects, name_of(object))) steps.push_back(removal(object));
  return steps;
}

std::vector<SetupStep> plan_removal(Api& api, const std::string& setup_name) {
  std::vector<SetupStep> steps;
  for (const json& object : objects_of(api, setup_name)) steps.push_back(removal(object));
  return steps;
}

void execute(Api& api, const std::vector<SetupStep>& steps, bool force) {
  for (const SetupStep& step : steps) {
    if (step.action == SetupStep::Action::kCreate || step.action == SetupStep::Action::kChange)
      api.apply(step.object, {.manager = kManager, .force = force});
    else if (step.action == SetupStep::Action::kDelete)
      api.remove(step.name, step.object.at("metadata").at("uid"));
  }
}

}  // namespace kfp::kubernetes
