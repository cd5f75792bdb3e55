#include <fmt/format.h>

#include <algorithm>

#include "kfp/compile/argo/detail/templates.h"
#include "kfp/ir/placeholder.h"

// The template of a container. It runs without KFP's launcher, so Argo's variables replace the placeholders
// that the launcher would replace.
namespace kfp::argo {
namespace {

using ir::ParameterType;
using ir::Placeholder;
using nlohmann::json;

constexpr const char* kBrace = "$(KFP_BRACE)";  // the kubelet replaces it by "{", unseen by Argo
constexpr const char* kNoFile = "kfp: the task wrote no such file";

class ContainerCompiler {
 public:
  ContainerCompiler(const ir::Pipeline& pipeline, const ir::ComponentSpec& component,
                    const ArgoOptions& options, const Use& use, const Place& place)
      : pipeline_(pipeline),
        component_(component),
        inputs_(component.input_definitions.value_or(ir::ComponentInputs{})),
        outputs_(component.output_definitions.value_or(ir::ComponentOutputs{})),
        options_(options),
        use_(use),
        place_(place),
        names_(component) {}

  ContainerTemplate compile() {
    const ir::Container& container =
        *pipeline_.spec.deployment_spec->executors.at(*component_.executor_label).container;
    json& result = result_.json;
    if (container.image == "argostub/createpvc" || container.image == "argostub/deletepvc") {
      claim_template(*container.image == "argostub/createpvc");
    } else {
      if (container.lifecycle) place_.refuse("lifecycle hooks");
      json& main = result["container"];
      main["image"] = substitute(container.image.value_or(""));
      for (const std::string& word : container.command) add_words(main["command"], word);
      for (const std::string& word : container.args) add_words(main["args"], word);
      for (const ir::EnvVar& variable : container.env)
        main["env"].push_back(
            {{"name", variable.name.value_or("")}, {"value", escape(variable.value.value_or(""))}});
      if (container.resources) add_resources(*container.resources);
      add_outputs();
      add_site_volumes(result, options_);
      add_settings();
      if (has_workspace())
        add_volume(result, nullptr, {{"name", "kfp-workspace"}, {"mountPath", kWorkspacePath}});
      if (!use_.retry.is_null())
        main["env"].push_back({{"name", "KFP_RETRY_INDEX"}, {"value", "{{retries}}"}});
      // Must precede the variables whose values use it.
      if (uses_brace_) {
        const json brace = {{"name", "KFP_BRACE"}, {"value", "{"}};
        main["env"].insert(main["env"].begin(), brace);
      }
      if (result.contains("podSpecPatch")) result["podSpecPatch"] = dump_raw(result["podSpecPatch"]);
    }
    add_inputs();
    if (!use_.retry.is_null()) result["retryStrategy"] = use_.retry;
    return std::move(result_);
  }

 private:
  static bool is_list(const std::optional<bool>& flag) { return flag.value_or(false); }

  bool has_workspace() const {
    return pipeline_.platform && pipeline_.platform->platforms && pipeline_.platform->platforms->kubernetes &&
           pipeline_.platform->platforms->kubernetes->pipeline_config &&
           pipeline_.platform->platforms->kubernetes->pipeline_config->workspace;
  }

  // ---- strings

  // Escapes braces of the user that Argo would read as a tag; `before_tag` is true if one of our tags
  // follows.
  std::string escape(std::string_view text, bool before_tag = false) {
    std::string escaped;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool last = i + 1 == text.size();
      if (text[i] == '{' && (last ? before_tag : text[i + 1] == '{')) {
        escaped += kBrace;
        uses_brace_ = true;
      } else {
        escaped += text[i];
      }
    }
    return escaped;
  }

  std::string substitute(std::string_view text) {
    std::string result;
    for (const Placeholder& placeholder : ir::placeholders_in(text)) {
      const std::size_t at = text.find(placeholder.text);
      result += escape(text.substr(0, at), true) + value_of(placeholder);
      text.remove_prefix(at + placeholder.text.size());
    }
    return result + escape(text);
  }

  void add_words(json& list, const std::string& text) {
    const json value = structured(text);
    if (list.is_null()) list = json::array();
    if (value.is_null())
      list.push_back(substitute(text));
    else
      for (const std::string& word : expand(value)) list.push_back(word);
  }

  // The object if the whole string is {"IfPresent": …} or {"Concat": …}.
  static json structured(const std::string& text) {
    if (!text.starts_with("{\"")) return nullptr;
    json value = json::parse(text, nullptr, false);
    const bool known =
        value.is_object() && value.size() == 1 && (value.contains("IfPresent") || value.contains("Concat"));
    return known ? value : json();
  }

  std::vector<std::string> expand(const json& value) {
    if (value.is_string()) return {substitute(value.get<std::string>())};
    std::vector<std::string> words;
    if (value.is_array()) {
      for (const json& element : value)
        for (std::string& word : expand(element)) words.push_back(std::move(word));
    } else if (value.is_object() && value.contains("Concat")) {
      std::string joined;
      for (const std::string& word : expand(value["Concat"])) joined += word;
      words.push_back(std::move(joined));
    } else if (value.is_object() && value.contains("IfPresent")) {
      const json& choice = value["IfPresent"];
      const std::string name = choice.value("InputName", "");
      const bool present = (inputs_.parameters.contains(name) && !use_.absent_parameters.contains(name)) ||
                           (inputs_.artifacts.contains(name) && !use_.absent_artifacts.contains(name));
      const char* branch = present ? "Then" : "Else";
      if (choice.contains(branch)) return expand(choice[branch]);
    } else {
      place_.refuse(fmt::format("the argument {}", value.dump()));
    }
    return words;
  }

  std::string value_of(const Placeholder& placeholder) {
    using Kind = Placeholder::Kind;
    const std::string& name = placeholder.name;
    switch (placeholder.kind) {
      case Kind::kExecutorInput:
        return executor_input();
      case Kind::kInputParameter:
        if (use_.absent_parameters.contains(name))
          place_.refuse(fmt::format("{} of an optional input that is not passed", placeholder.text),
                        "pass a value, or give the input a default");
        if (!inputs_.parameters.contains(name)) return undeclared_input(name);
        return input(names_.input_parameter(name)).text;
      case Kind::kInputArtifact:
        return input_location(placeholder);
      case Kind::kOutputParameter:
        if (!placeholder.text.ends_with("].output_file}}")) break;
        return parameter_file(name);
      case Kind::kOutputArtifact:
        if (!placeholder.text.ends_with("].path}}") && !placeholder.text.ends_with("].uri}}")) break;
        return output_location(name);
      case Kind::kOutputFile:
        result_.reads_executor_output = true;
        return executor_output_file();
      case Kind::kRun:
      case Kind::kWorkspacePath: {
        if (placeholder.kind == Kind::kWorkspacePath && !has_workspace()) break;
        const RunPlace run{.task = computed("last(split(inputs.parameters['kfp-path'], \"/\"))").text,
                           .path = input(kPathInput).text,
                           .root = pipeline_root(options_)};
        std::string value = run.value(placeholder);
        if (value.empty()) break;
        result_.needs_path = result_.needs_path || name.starts_with("pipeline_task");
        return value;
      }
      case Kind::kUnknown:
        break;
    }
    place_.refuse(fmt::format("the placeholder {}", placeholder.text));
  }

  // Settings may use values that the task passes in addition to the inputs of its component.
  std::string undeclared_input(const std::string& name) {
    auto& settings = result_.settings;
    const auto known = std::find_if(settings.begin(), settings.end(),
                                    [&](const Setting& setting) { return setting.task_input == name; });
    const auto index = known - settings.begin();
    if (known == settings.end()) settings.push_back({.task_input = name});
    return input(fmt::format("kfp-setting-{}", index)).text;
  }

  // ---- inputs and outputs

  bool is_plain(const std::string& artifact) const {
    return !options_.s3 || use_.plain_artifacts.contains(artifact);
  }

  std::string input_file(const std::string& artifact) {
    return fmt::format("{}/{}", kInputsPath, names_.input_artifact(artifact));
  }

  std::string input_location(const Placeholder& placeholder) {
    const std::string& name = placeholder.name;
    if (!placeholder.text.ends_with("].path}}") && !placeholder.text.ends_with("].uri}}"))
      place_.refuse(fmt::format("{}: artifacts have no metadata", placeholder.text));
    if (use_.absent_artifacts.contains(name))
      place_.refuse(fmt::format("{} of an optional input that is not passed", placeholder.text));
    if (const auto found = inputs_.artifacts.find(name);
        found != inputs_.artifacts.end() && is_list(found->second.is_artifact_list))
      place_.refuse(fmt::format("{} of a list of artifacts", placeholder.text), "read the list from {{$}}");
    return is_plain(name) ? input(names_.input_artifact(name)).text : input_file(name);
  }

  std::string parameter_file(const std::string& name) {
    return fmt::format("{}/parameter-{}", kOutputsPath, names_.output_parameter(name));
  }

  std::string output_location(const std::string& name) {
    const std::string& artifact = names_.output_artifact(name);
    if (options_.s3) return fmt::format("{}/artifact-{}", kOutputsPath, artifact);
    if (!options_.volume)
      place_.refuse(fmt::format("output artifact \"{}\" without a store", name),
                    "set the option volume or s3");
    result_.needs_path = true;
    return fmt::format("{}{}/{}", store_root(options_), input(kPathInput).text, artifact);
  }

  static std::string executor_output_file() { return fmt::format("{}/executor_output.json", kOutputsPath); }

  static json type_json(const std::optional<ir::ArtifactTypeSchema>& type) {
    json result = json::object();
    if (!type) return result;
    if (type->schema_title) result["schemaTitle"] = *type->schema_title;
    if (type->instance_schema) result["instanceSchema"] = *type->instance_schema;
    if (type->schema_version) result["schemaVersion"] = *type->schema_version;
    return result;
  }

  // The JSON that replaces {{$}}.
  std::string executor_input() {
    result_.reads_executor_output = true;
    json inputs = {{"parameterValues", json::object()}, {"artifacts", json::object()}};
    for (const auto& [name, definition] : inputs_.parameters) {
      if (use_.absent_parameters.contains(name)) continue;
      const Reference value = input(names_.input_parameter(name));
      const bool text = definition.parameter_type == ParameterType::kString;
      inputs["parameterValues"][name] = raw(text ? json_text(value) : value.text);
    }
    for (const auto& [name, definition] : inputs_.artifacts) {
      if (use_.absent_artifacts.contains(name)) continue;
      const Reference value = input(names_.input_artifact(name));
      const json type = type_json(definition.artifact_type);
      json& artifacts = inputs["artifacts"][name]["artifacts"];
      if (is_list(definition.is_artifact_list)) {
        if (options_.s3)
          place_.refuse(fmt::format("the list of artifacts \"{}\" from a bucket", name), "use a volume");
        // Each path of the list becomes one artifact; spaces keep "}}" from ending the tag.
        std::string expression = fmt::format(
            "toJson(map(fromJSON({}), ({{\"name\": {}, \"uri\": #, \"type\": fromJSON({}), \"metadata\": "
            "fromJSON({})"
            " }} ) ))",
            value.expression, quote(name), quote(type.dump()), quote("{}"));
        artifacts = raw(computed(expression).text);
        continue;
      }
      artifacts = json::array({{{"name", name},
                                {"uri", is_plain(name) ? raw(json_text(value)) : input_file(name)},
                                {"type", type},
                                {"metadata", json::object()}}});
    }
    json outputs = {{"outputFile", executor_output_file()}};
    for (const auto& [name, definition] : outputs_.parameters)
      outputs["parameters"][name]["outputFile"] = parameter_file(name);
    for (const auto& [name, definition] : outputs_.artifacts)
      outputs["artifacts"][name]["artifacts"] =
          json::array({{{"name", name},
                        {"uri", output_location(name)},
                        {"type", type_json(definition.artifact_type)},
                        {"metadata", definition.metadata ? definition.metadata->value : json::object()}}});
    return dump_raw({{"inputs", inputs}, {"outputs", outputs}});
  }

  static std::string json_text(const Reference& value) {
    return computed("toJson(" + value.expression + ")").text;
  }

  void add_inputs() {
    json parameters = json::array();
    for (const auto& [name, definition] : inputs_.parameters) {
      if (use_.absent_parameters.contains(name)) continue;
      if (definition.parameter_type == ParameterType::kTaskConfig)
        place_.refuse("an input of type TASK_CONFIG");
      json parameter = {{"name", names_.input_parameter(name)}};
      if (definition.default_value && !definition.default_value->is_null())
        parameter["value"] =
            literal(parameter_text(*definition.default_value, *definition.parameter_type)).text;
      parameters.push_back(std::move(parameter));
    }
    for (const auto& [name, definition] : inputs_.artifacts) {
      if (use_.absent_artifacts.contains(name)) continue;
      parameters.push_back({{"name", names_.input_artifact(name)}});
      if (is_plain(name)) continue;
      if (is_list(definition.is_artifact_list))
        place_.refuse(fmt::format("the list of artifacts \"{}\" from a bucket", name), "use a volume");
      // Argo's init container fetches it as another user, with modes that exclude the user of the image.
      constexpr int kReadable = 0755;
      json artifact = {{"name", names_.input_artifact(name)},
                       {"path", input_file(name)},
                       {"mode", kReadable},
                       {"recurseMode", true},
                       {"s3", s3_location(input(names_.input_artifact(name)).text)}};
      if (definition.is_optional.value_or(false)) artifact["optional"] = true;
      result_.json["inputs"]["artifacts"].push_back(std::move(artifact));
    }
    if (result_.needs_path) parameters.push_back({{"name", kPathInput}});
    for (std::size_t i = 0; i < result_.settings.size(); ++i)
      parameters.push_back({{"name", fmt::format("kfp-setting-{}", i)}});
    if (!parameters.empty()) result_.json["inputs"]["parameters"] = std::move(parameters);
  }

  json s3_location(const std::string& key) const {
    const S3Store& s3 = *options_.s3;
    json location = {{"bucket", s3.bucket}, {"endpoint", s3.endpoint}, {"key", key}};
    if (!s3.region.empty()) location["region"] = s3.region;
    if (s3.insecure) location["insecure"] = true;
    if (s3.use_sdk_credentials) location["useSDKCreds"] = true;
    if (!s3.access_key.name.empty()) {
      location["accessKeySecret"] = {{"name", s3.access_key.name}, {"key", s3.access_key.key}};
      location["secretKeySecret"] = {{"name", s3.secret_key.name}, {"key", s3.secret_key.key}};
    }
    return location;
  }

  void add_outputs() {
    json& result = result_.json;
    for (const auto& [name, definition] : outputs_.parameters) {
      json from = {{"path", parameter_file(name)}};
      if (result_.reads_executor_output) from["default"] = kNoFile;
      result["outputs"]["parameters"].push_back(
          {{"name", names_.output_parameter(name)}, {"valueFrom", from}});
    }
    if (outputs_.parameters.empty()) result_.reads_executor_output = false;
    if (result_.reads_executor_output)
      result["outputs"]["parameters"].push_back(
          {{"name", "kfp-executor-output"},
           {"valueFrom", {{"path", executor_output_file()}, {"default", "{}"}}}});
    for (const auto& [name, definition] : outputs_.artifacts) {
      if (is_list(definition.is_artifact_list))
        place_.refuse(fmt::format("the output \"{}\", a list of artifacts", name));
      const std::string location = output_location(name);
      if (!options_.s3) continue;
      result_.needs_path = true;
      const std::string& artifact = names_.output_artifact(name);
      // As in KFP, a missing artifact is not an error of the task that should have written it.
      result["outputs"]["artifacts"].push_back(
          {{"name", artifact},
           {"path", location},
           {"optional", true},
           {"archive", {{"none", json::object()}}},
           {"s3",
            s3_location(fmt::format("{}{}/{}", store_root(options_), input(kPathInput).text, artifact))}});
    }
    add_volume(result, {{"name", "kfp-outputs"}, {"emptyDir", json::object()}},
               {{"name", "kfp-outputs"}, {"mountPath", kOutputsPath}});
    if (options_.volume && !(outputs_.artifacts.empty() && inputs_.artifacts.empty())) add_store();
  }

  void add_store() {
    const VolumeStore& store = *options_.volume;
    json volume = {{"name", "kfp-artifacts"}};
    if (store.claim.empty())
      volume["hostPath"] = {{"path", store.host_path}, {"type", "DirectoryOrCreate"}};
    else
      volume["persistentVolumeClaim"] = {{"claimName", store.claim}};
    add_volume(result_.json, volume, {{"name", "kfp-artifacts"}, {"mountPath", store.mount_path}});
    // Mounting the task's folder creates it, so that the parents of outputs exist when the program starts.
    if (!outputs_.artifacts.empty())
      add_volume(result_.json, nullptr,
                 {{"name", "kfp-artifacts"}, {"mountPath", "/kfp/own"}, {"subPath", input(kPathInput).text}});
  }

  // ---- resources and settings

  void add_resources(const ir::Resources& resources) {
    json fixed, open;
    const auto add = [&](const char* part, const std::string& name,
                         const std::optional<std::string>& quantity, const std::optional<double>& number,
                         const char* unit) {
      std::string text;
      if (quantity && !quantity->empty())
        text = substitute(*quantity);
      else if (number && *number != 0)
        text = fmt::format("{}{}", *number, unit);
      else
        return;
      const std::string key = substitute(name);
      (text.find("{{") == std::string::npos && key.find("{{") == std::string::npos ? fixed
                                                                                   : open)[part][key] = text;
    };
    add("limits", "cpu", resources.resource_cpu_limit, resources.cpu_limit, "");
    add("limits", "memory", resources.resource_memory_limit, resources.memory_limit, "G");
    add("requests", "cpu", resources.resource_cpu_request, resources.cpu_request, "");
    add("requests", "memory", resources.resource_memory_request, resources.memory_request, "G");
    if (resources.accelerator) {
      const ir::Accelerator& accelerator = *resources.accelerator;
      const std::string type = accelerator.resource_type.value_or(accelerator.type.value_or(""));
      std::optional<std::string> count = accelerator.resource_count;
      if (!count && accelerator.count) count = std::to_string(*accelerator.count);
      if (type.empty()) place_.refuse("an accelerator without a type");
      add("limits", type, count, std::nullopt, "");
    }
    if (!fixed.is_null()) result_.json["container"]["resources"] = fixed;
    if (!open.is_null())
      add_pod_patch(result_.json, {{"containers", {{{"name", "main"}, {"resources", open}}}}});
  }

  void add_settings() {
    for (const ir::SinglePlatformSpec& platform : component_.single_platform_specs)
      if (platform.platform.value_or("kubernetes") != "kubernetes" || platform.deployment_spec ||
          platform.config)
        place_.refuse("settings of platforms in a component");
    if (!component_.task_config_passthroughs.empty())
      place_.refuse("task configuration passed to a component");
    if (!pipeline_.platform || !pipeline_.platform->platforms || !pipeline_.platform->platforms->kubernetes)
      return;
    const auto& deployment = pipeline_.platform->platforms->kubernetes->deployment_spec;
    if (!deployment) return;
    const auto config = deployment->executors.find(*component_.executor_label);
    if (config != deployment->executors.end())
      add_kubernetes_settings(result_.json, config->second, result_.settings, place_);
  }

  // The two images of the SDK that represent the creation and deletion of volume claims.
  void claim_template(bool create) {
    const auto json_of = [&](const char* name) -> json {
      if (!inputs_.parameters.contains(name) || use_.absent_parameters.contains(name)) return nullptr;
      const bool text = inputs_.parameters.at(name).parameter_type == ParameterType::kString;
      const Reference value = input(names_.input_parameter(name));
      return raw(text ? json_text(value) : value.text);
    };
    json manifest = {{"apiVersion", "v1"}, {"kind", "PersistentVolumeClaim"}};
    manifest["metadata"]["name"] = json_of("pvc_name");
    if (create) {
      if (const json suffix = json_of("pvc_name_suffix"); !suffix.is_null())
        manifest["metadata"]["name"] =
            raw(computed("toJson(workflow.name + \"-\" + trimPrefix(inputs.parameters['" +
                         names_.input_parameter("pvc_name_suffix") + "'], \"-\"))")
                    .text);
      json& spec = manifest["spec"];
      spec["accessModes"] = json_of("access_modes");
      spec["resources"]["requests"]["storage"] = json_of("size");
      for (const auto& [field, name] :
           {std::pair{"storageClassName", "storage_class_name"}, std::pair{"volumeName", "volume_name"},
            std::pair{"dataSource", "data_source"}})
        if (const json value = json_of(name); !value.is_null()) spec[field] = value;
      if (const json value = json_of("annotations"); !value.is_null())
        manifest["metadata"]["annotations"] = value;
      result_.json["outputs"]["parameters"] = {
          {{"name", names_.output_parameter("name")}, {"valueFrom", {{"jsonPath", "{.metadata.name}"}}}}};
    }
    if (manifest["metadata"]["name"].is_null()) place_.refuse("a volume claim without a name");
    result_.json["resource"] = {{"action", create ? "create" : "delete"}, {"manifest", dump_raw(manifest)}};
  }

  const ir::Pipeline& pipeline_;
  const ir::ComponentSpec& component_;
  const ir::ComponentInputs inputs_;
  const ir::ComponentOutputs outputs_;
  const ArgoOptions& options_;
  const Use& use_;
  const Place& place_;
  Interface names_;
  ContainerTemplate result_{};
  bool uses_brace_ = false;
};

}  // namespace

ContainerTemplate container_template(const ir::Pipeline& pipeline, const ir::ComponentSpec& component,
                                     const ArgoOptions& options, const Use& use, const Place& place) {
  return ContainerCompiler(pipeline, component, options, use, place).compile();
}

std::string executor_output_expression(const std::string& task, const std::string& parameter,
                                       const std::string& output_name, ParameterType type) {
  const std::string file = output(task, output_name).expression;
  const std::string given = fmt::format("(fromJSON({})[\"parameterValues\"] ?? fromJSON({}))",
                                        output(task, "kfp-executor-output").expression, quote("{}"));
  // A task that wrote neither has broken its contract: the message is not read as JSON, and the node fails.
  return fmt::format("let given = {0}; {1} in given ? {2} : ({3} == {4} ? fromJSON({3}) : {3})", given,
                     quote(parameter),
                     type == ParameterType::kString ? fmt::format("string(given[{}])", quote(parameter))
                                                    : fmt::format("toJson(given[{}])", quote(parameter)),
                     file, quote(kNoFile));
}

}  // namespace kfp::argo
