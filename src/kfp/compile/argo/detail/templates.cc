#include "kfp/compile/argo/detail/templates.h"

#include <fmt/format.h>

#include "core/error.h"
#include "kfp/ir/placeholder.h"

namespace kfp::argo {
namespace {

using nlohmann::json;

bool is_allowed(char c, Names::Kind kind) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         (c == '_' && kind == Names::Kind::kParameter);
}

}  // namespace

std::string Use::key() const {
  return json{absent_parameters, absent_artifacts, plain_artifacts, retry}.dump();
}

void Place::refuse(const std::string& feature, const std::string& hint) const {
  throw core::InputError({.message = fmt::format("plain Argo Workflows do not support this: {}", feature),
                          .field = task,
                          .hint = hint});
}

const std::string& Names::of(const std::string& key, const std::string& wanted) {
  if (const auto found = names_.find(key); found != names_.end()) return found->second;
  std::string name = wanted;
  for (char& c : name)
    if (!is_allowed(c, kind_)) c = '-';
  // A task's name must not begin with a digit, because `depends` names it.
  if (kind_ == Kind::kTask && (name.empty() || name[0] == '-' || (name[0] >= '0' && name[0] <= '9')))
    name = "t" + name;
  if (name.size() > 100) name.resize(100);
  std::string free = name;
  for (int i = 2; !taken_.insert(free).second; ++i) free = fmt::format("{}-{}", name, i);
  return names_[key] = free;
}

Interface::Interface(const ir::ComponentSpec& component) {
  // Parameters come first, so that they keep their names if an artifact has the same name.
  if (component.input_definitions) {
    for (const auto& [name, input] : component.input_definitions->parameters) input_parameter(name);
    for (const auto& [name, input] : component.input_definitions->artifacts) input_artifact(name);
  }
  if (component.output_definitions) {
    for (const auto& [name, output] : component.output_definitions->parameters) output_parameter(name);
    for (const auto& [name, output] : component.output_definitions->artifacts) output_artifact(name);
  }
}

const ir::Value* constant_of(const ir::TaskInputParameter& source) {
  return source.runtime_value && source.runtime_value->constant ? &*source.runtime_value->constant : nullptr;
}

std::string store_root(const ArgoOptions& options) {
  if (options.volume) return options.volume->mount_path + "/";
  return options.s3 ? options.s3->prefix : "";
}

void TextBuilder::flush(bool before_tag) {
  if (literal_.empty()) return;
  // Argo would read these braces as a tag, possibly together with a brace that follows.
  const bool braces = literal_.find("{{") != std::string::npos || (before_tag && literal_.ends_with('{'));
  result_.text += braces ? computed(quote(literal_)).text : literal_;
  result_.expression += (result_.expression.empty() ? "" : " + ") + quote(literal_);
  literal_.clear();
}

void TextBuilder::add(const Reference& value) {
  flush(true);
  result_.text += value.text;
  has_expression_ = has_expression_ && !value.expression.empty();
  result_.expression += (result_.expression.empty() ? "" : " + ") + value.expression;
}

Reference TextBuilder::take() {
  flush(false);
  if (!has_expression_) result_.expression.clear();
  return std::move(result_);
}

std::string RunPlace::value(const ir::Placeholder& placeholder) const {
  if (placeholder.kind == ir::Placeholder::Kind::kWorkspacePath) return kWorkspacePath;
  if (placeholder.kind != ir::Placeholder::Kind::kRun) return "";
  const std::string& name = placeholder.name;
  if (name == "pipeline_job_name" || name == "pipeline_job_resource_name") return "{{workflow.name}}";
  if (name == "pipeline_job_uuid") return "{{workflow.uid}}";
  if (name == "pipeline_task_name") return task;
  if (name == "pipeline_task_uuid") return "{{workflow.uid}}/" + path;
  if (name == "pipeline_root") return root;
  // A run without a schedule is scheduled at its creation.
  if (name == "pipeline_job_create_time_utc" || name == "pipeline_job_schedule_time_utc")
    return "{{workflow.creationTimestamp.RFC3339}}";
  return "";
}

std::string pipeline_root(const ArgoOptions& options) {
  if (options.s3)
    return fmt::format("s3://{}/{}{{{{workflow.name}}}}", options.s3->bucket, options.s3->prefix);
  return options.volume ? store_root(options) + "{{workflow.name}}" : "";
}

void add_volume(json& result, json volume, json mount) {
  if (!volume.is_null()) {
    bool there = false;
    for (const json& other : result["volumes"]) there = there || other["name"] == volume["name"];
    if (!there) result["volumes"].push_back(std::move(volume));
  }
  if (!mount.is_null()) result["container"]["volumeMounts"].push_back(std::move(mount));
}

std::string raw(const std::string& text) {
  return '\x01' + text;
}

std::string dump_raw(const json& value) {
  if (value.is_object() || value.is_array()) {
    const bool object = value.is_object();
    std::string text(1, object ? '{' : '[');
    for (const auto& [name, element] : value.items()) {
      if (text.size() > 1) text += ',';
      if (object) text += dump_raw(name) + ':';
      text += dump_raw(element);
    }
    return text + (object ? '}' : ']');
  }
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  if (text.starts_with('\x01')) return text.substr(1);
  return value.dump();
}

void add_pod_patch(json& result, const json& patch) {
  json& all = result["podSpecPatch"];
  for (const auto& [name, value] : patch.items()) {
    if (value.is_array() && all.contains(name)) {
      for (const json& element : value) all[name].push_back(element);
    } else if (name == "containers" || !value.is_object() || !all.contains(name)) {
      all[name] = value;
    } else {
      all[name].merge_patch(value);
    }
  }
}

namespace {

// Where the ticket is in the pod, and how it is mounted there.
struct TicketPlace {
  std::string path;
  json mount;
};

TicketPlace ticket_place(const KerberosTicket& ticket) {
  if (ticket.renew_image.empty()) {
    const std::string path =
        ticket.ticket_path.empty() ? fmt::format("/tmp/krb5cc_{}", ticket.uid) : ticket.ticket_path;
    // Only one file of the volume is mounted, so that its folder remains that of the image.
    return {path, {{"name", "krb-ticket"}, {"mountPath", path}, {"subPath", "krb5cc"}}};
  }
  const std::string path = ticket.ticket_path.empty() ? "/kfp/ticket/krb5cc" : ticket.ticket_path;
  return {path, {{"name", "krb-ticket"}, {"mountPath", path.substr(0, path.rfind('/'))}}};
}

void add_ticket(json& result, const KerberosTicket& ticket) {
  const TicketPlace place = ticket_place(ticket);
  const std::string in_secret = ticket.secret_path + "/" + ticket.key;
  // The name in the volume is the last part of the path where the volume is mounted as a folder.
  const std::string in_volume =
      ticket.renew_image.empty() ? "/krb5cc" : place.path.substr(place.path.rfind('/'));
  const json secret_mount = {{"name", "krb-secret"}, {"mountPath", ticket.secret_path}, {"readOnly", true}};
  const json user = {{"runAsUser", ticket.uid}};
  add_volume(result, {{"name", "krb-secret"}, {"secret", {{"secretName", ticket.secret}}}}, secret_mount);
  add_volume(result, {{"name", "krb-ticket"}, {"emptyDir", {{"medium", "Memory"}}}}, place.mount);
  result["container"]["env"].push_back({{"name", "KRB5CCNAME"}, {"value", "FILE:" + place.path}});
  const json config_mount = {{"name", "krb5"}, {"mountPath", "/kfp/krb5"}, {"readOnly", true}};
  const json config_variable = {{"name", "KRB5_CONFIG"}, {"value", "/kfp/krb5/krb5.conf"}};
  if (!ticket.krb5_config_map.empty()) {
    add_volume(result, {{"name", "krb5"}, {"configMap", {{"name", ticket.krb5_config_map}}}}, config_mount);
    result["container"]["env"].push_back(config_variable);
  }
  result["initContainers"].push_back(
      {{"name", "kerberos-ticket"},
       {"image", ticket.image},
       {"command", {"install", "-m", "600", in_secret, "/kfp/ticket" + in_volume}},
       {"securityContext", user},
       {"volumeMounts", {secret_mount, {{"name", "krb-ticket"}, {"mountPath", "/kfp/ticket"}}}}});
  if (ticket.renew_image.empty()) return;
  // A secret that is renewed elsewhere appears in its volume within a minute or two.
  result["sidecars"].push_back(
      {{"name", "kerberos-keep"},
       {"image", ticket.renew_image},
       {"command", {"calopipe", "kerberos", "keep", "--from", in_secret, "--cache", place.path}},
       {"securityContext", user},
       {"volumeMounts", {secret_mount, place.mount}}});
  if (ticket.krb5_config_map.empty()) return;
  json& sidecar = result["sidecars"].back();
  sidecar["volumeMounts"].push_back(config_mount);
  sidecar["env"].push_back(config_variable);
}

}  // namespace

void add_site_volumes(json& result, const ArgoOptions& options) {
  for (std::size_t i = 0; i < options.host_volumes.size(); ++i) {
    const HostVolume& volume = options.host_volumes[i];
    const std::string name = fmt::format("site-host-{}", i);
    json mount = {{"name", name}, {"mountPath", volume.mount_path}};
    if (volume.read_only) mount["readOnly"] = true;
    if (!volume.mount_propagation.empty()) mount["mountPropagation"] = volume.mount_propagation;
    add_volume(result, {{"name", name}, {"hostPath", {{"path", volume.host_path}}}}, mount);
  }
  for (std::size_t i = 0; i < options.secret_volumes.size(); ++i) {
    const SecretVolume& volume = options.secret_volumes[i];
    const std::string name = fmt::format("site-secret-{}", i);
    json secret = {{"secretName", volume.secret}};
    if (volume.optional) secret["optional"] = true;
    add_volume(result, {{"name", name}, {"secret", secret}},
               {{"name", name}, {"mountPath", volume.mount_path}, {"readOnly", true}});
  }
  if (!options.kerberos) return;
  add_ticket(result, *options.kerberos);
}

}  // namespace kfp::argo
