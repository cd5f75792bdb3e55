#include "kfp/compile/argo/detail/dag.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "kfp/ir/detail/checks.h"
#include "kfp/ir/validate.h"
#include "kfp/ir/value_text.h"

namespace kfp::argo {
namespace {

using ir::ParameterType;
using ir::Task;
using ir::TaskInputParameter;
using nlohmann::json;

constexpr const char* kItemsInput = "kfp-items";
constexpr const char* kLoopTask = "iteration";

// Location of an artifact of a task: its path, key or address.
struct Artifact {
  Reference location;
  bool plain = false;
};

// Facts about a task after its compilation.
struct Done {
  const ir::ComponentSpec* component = nullptr;
  std::string name;                           // name in Argo; empty for importers, which have no Argo task
  std::set<std::string> upstream;             // for an importer: the tasks that it waits for
  std::map<std::string, Artifact> artifacts;  // by name of the output
};

class DagCompiler {
 public:
  DagCompiler(Templates& templates, std::string name, const ir::ComponentSpec& component, const Use& use,
              bool is_root)
      : templates_(templates),
        name_(std::move(name)),
        component_(component),
        use_(use),
        interface_(component),
        path_(is_root ? "{{workflow.name}}" : input(kPathInput).text) {}

  Template compile() {
    const ir::Dag& dag = *component_.dag;
    std::vector<std::string> tolerant;
    for (const std::string& task : ir::topological_order(dag)) add_task(task, dag.tasks.at(task));
    if (tasks_.empty()) Place{name_}.refuse("a DAG without tasks that run a container");
    json body = {{"dag", {{"tasks", tasks_}}}};
    if (tolerates_failure_) {
      // All tasks are targets: a failure that a later task tolerates still counts, and must not stop the
      // others.
      std::string target;
      for (const json& task : tasks_) target += (target.empty() ? "" : " ") + task["name"].get<std::string>();
      body["dag"]["target"] = target;
      body["dag"]["failFast"] = false;
    }
    add_inputs(body);
    if (dag.outputs) add_outputs(body, *dag.outputs);
    if (!use_.retry.is_null()) body["retryStrategy"] = use_.retry;
    result_.name = templates_.keep(name_, std::move(body));
    return std::move(result_);
  }

 private:
  const ir::PipelineSpec& spec() const { return templates_.pipeline().spec; }
  const ArgoOptions& options() const { return templates_.options(); }

  // ---- tasks

  void add_task(const std::string& key, const Task& task) {
    const ir::ComponentSpec& component = spec().components.at(*task.component_ref->name);
    const Place place{key};
    Done& done = done_[key];
    done.component = &component;
    const ir::Executor* executor = ir::checks::executor_of(spec(), component);
    if (executor != nullptr && executor->importer) return add_importer(key, task, *executor->importer, done);
    if (executor != nullptr && !executor->container)
      place.refuse("a task that is neither a container nor an importer");
    if (task.artifact_iterator) place.refuse("a loop over artifacts", "loop over a parameter");

    const bool tolerant = task.trigger_policy &&
                          task.trigger_policy->strategy == ir::TriggerStrategy::kAllUpstreamTasksCompleted;
    tolerates_failure_ = tolerates_failure_ || tolerant;
    done.name = task_names_.of(key);
    Interface names(component);
    json arguments = json::object();
    Use use = use_of(key, task, component, names, tolerant, arguments);
    const Template& used = templates_.of(*task.component_ref->name, component, use, place);
    for (std::size_t i = 0; i < used.settings.size(); ++i) {
      TaskInputParameter source = used.settings[i].source;
      if (const std::string& name = used.settings[i].task_input; !name.empty()) {
        const TaskInputParameter* passed =
            task.inputs ? ir::checks::find(task.inputs->parameters, name) : nullptr;
        if (passed == nullptr)
          place.refuse(fmt::format("a setting from the input \"{}\", which is not passed", name));
        source = *passed;
      }
      const auto value = resolve(key, source, ParameterType::kUnspecified, nullptr);
      if (!value) place.refuse("a setting from an optional input that is not passed");
      arguments[fmt::format("kfp-setting-{}", i)] = value->text;
    }
    if (used.has_input(kPathInput)) {
      arguments[kPathInput] = path_ + "/" + done.name;
      needs_path_ = true;
    }
    json entry = {{"name", done.name}, {"template", used.name}};
    if (task.parameter_iterator) entry["template"] = add_loop(key, task, component, names, used, arguments);
    for (const auto& [name, value] : arguments.items())
      entry["arguments"]["parameters"].push_back({{"name", name}, {"value", value}});
    if (const std::string depends = depends_of(task, tolerant); !depends.empty()) entry["depends"] = depends;
    if (task.trigger_policy && task.trigger_policy->condition)
      entry["when"] = when_of(key, task, component, *task.trigger_policy->condition);
    tasks_.push_back(std::move(entry));
    add_artifacts(task, component, names, used, done);
  }

  // The tasks that Argo must wait for. Importers have no Argo task and are replaced by the tasks that they
  // wait for.
  std::set<std::string> upstream_of(const Task& task) const {
    std::set<std::string> names;
    for (const std::string& key : ir::upstream_of(task)) {
      const Done& done = done_.at(key);
      if (done.name.empty())
        names.insert(done.upstream.begin(), done.upstream.end());
      else
        names.insert(done.name);
    }
    return names;
  }

  std::string depends_of(const Task& task, bool tolerant) const {
    std::string depends;
    for (const std::string& name : upstream_of(task)) {
      if (!depends.empty()) depends += " && ";
      // Skipped is not a success: tasks that wait for a skipped task are omitted, as in KFP.
      depends += tolerant
                     ? fmt::format(
                           "({0}.Succeeded || {0}.Failed || {0}.Errored || {0}.Skipped || {0}.Omitted)", name)
                     : name + ".Succeeded";
    }
    return depends;
  }

  Use use_of(const std::string& key, const Task& task, const ir::ComponentSpec& component, Interface& names,
             bool tolerant, json& arguments) {
    const ir::TaskInputs passed = task.inputs.value_or(ir::TaskInputs{});
    const ir::ComponentInputs& inputs = ir::checks::inputs_of(component);
    Use use;
    for (const auto& [name, definition] : inputs.parameters) {
      if (task.parameter_iterator && task.parameter_iterator->item_input == name) continue;
      const bool has_default = definition.default_value && !definition.default_value->is_null();
      const TaskInputParameter* source = ir::checks::find(passed.parameters, name);
      const ir::Value* fallback = tolerant && has_default ? &*definition.default_value : nullptr;
      const auto type = definition.parameter_type.value_or(ParameterType::kUnspecified);
      std::optional<Reference> value;
      if (source != nullptr) value = resolve(key, *source, type, fallback);
      if (value)
        arguments[names.input_parameter(name)] = value->text;
      else if (!has_default)
        use.absent_parameters.insert(name);
    }
    for (const auto& [name, definition] : inputs.artifacts) {
      const ir::TaskInputArtifact* source = ir::checks::find(passed.artifacts, name);
      std::optional<Artifact> value;
      if (source != nullptr) value = resolve(*source, Place{key});
      if (!value) {
        use.absent_artifacts.insert(name);
        continue;
      }
      arguments[names.input_artifact(name)] = value->location.text;
      if (value->plain) use.plain_artifacts.insert(name);
    }
    use.retry = retry_of(task, Place{key});
    return use;
  }

  static json retry_of(const Task& task, const Place& place) {
    if (!task.retry_policy || task.retry_policy->max_retry_count.value_or(0) == 0) return nullptr;
    const ir::RetryPolicy& policy = *task.retry_policy;
    // Strings, as Argo's schema requires for fields that may be a number or a string.
    json retry = {{"limit", std::to_string(*policy.max_retry_count)}};
    const double wait_s = policy.backoff_duration ? policy.backoff_duration->seconds() : 0;
    if (wait_s <= 0) return retry;
    // Go's durations allow fractions, as does the string in the IR.
    retry["backoff"]["duration"] = policy.backoff_duration->text;
    if (policy.backoff_factor && *policy.backoff_factor != 0) {
      if (*policy.backoff_factor != std::trunc(*policy.backoff_factor))
        place.refuse(fmt::format("a backoff factor of {}", *policy.backoff_factor), "use an integer");
      retry["backoff"]["factor"] = fmt::format("{:.0f}", *policy.backoff_factor);
    }
    if (policy.backoff_max_duration && policy.backoff_max_duration->seconds() > 0)
      retry["backoff"]["cap"] = policy.backoff_max_duration->text;
    return retry;
  }

  std::string when_of(const std::string& key, const Task& task, const ir::ComponentSpec& component,
                      const std::string& condition) {
    const auto lookup = [&](const std::string& name) -> ConditionInput {
      const TaskInputParameter* source =
          task.inputs ? ir::checks::find(task.inputs->parameters, name) : nullptr;
      const auto* definition = ir::checks::find(ir::checks::inputs_of(component).parameters, name);
      const auto type = definition == nullptr
                            ? ParameterType::kUnspecified
                            : definition->parameter_type.value_or(ParameterType::kUnspecified);
      std::optional<Reference> value;
      if (source != nullptr) value = resolve(key, *source, type, nullptr);
      if (!value || value->expression.empty())
        Place{key}.refuse(fmt::format("a condition on \"{}\", which has no value as an expression", name));
      return {value->expression, type};
    };
    try {
      return computed(to_expression(ir::parse_condition(condition), lookup)).text;
    } catch (const core::InputError& error) {
      if (error.details().field == key) throw;
      Place{key}.refuse(fmt::format("the condition {}: {}", condition, error.details().message));
    }
  }

  void add_artifacts(const Task& task, const ir::ComponentSpec& component, Interface& names,
                     const Template& used, Done& done) {
    for (const auto& [name, definition] : ir::checks::outputs_of(component).artifacts) {
      const std::string& artifact = names.output_artifact(name);
      Artifact& entry = done.artifacts[name];
      entry.plain = used.plain_artifacts.contains(name);
      if (used.leaf && !task.parameter_iterator) {
        entry.location.text = fmt::format("{}{}/{}/{}", store_root(options()), path_, done.name, artifact);
        needs_path_ = true;
      } else {
        entry.location = output(done.name, artifact);
      }
    }
  }

  // An importer passes on its location unchanged.
  void add_importer(const std::string& key, const Task& task, const ir::Importer& importer, Done& done) {
    const Place place{key};
    if (importer.download_to_workspace.value_or(false)) place.refuse("an importer that downloads");
    if (importer.metadata && !importer.metadata->value.empty()) place.refuse("an importer with metadata");
    if (!importer.properties.empty() || !importer.custom_properties.empty())
      place.refuse("an importer with properties");
    if (task.parameter_iterator || task.artifact_iterator) place.refuse("an importer with a loop");
    if (task.trigger_policy && task.trigger_policy->condition)
      place.refuse("an importer with a condition", "put the importer into a DAG with the condition");
    done.upstream = upstream_of(task);
    TaskInputParameter source{.runtime_value = importer.artifact_uri};
    if (importer.artifact_uri && importer.artifact_uri->runtime_parameter) {
      const auto name = *importer.artifact_uri->runtime_parameter;
      const TaskInputParameter* passed =
          task.inputs ? ir::checks::find(task.inputs->parameters, name) : nullptr;
      const auto* definition = ir::checks::find(ir::checks::inputs_of(*done.component).parameters, name);
      source = {};
      if (passed != nullptr)
        source = *passed;
      else if (definition != nullptr && definition->default_value)
        source.runtime_value = ir::ValueOrRuntimeParameter{.constant = definition->default_value};
    }
    const auto uri = resolve(key, source, ParameterType::kString, nullptr);
    if (!uri) place.refuse("an importer without a location");
    for (const auto& [name, definition] : ir::checks::outputs_of(*done.component).artifacts)
      done.artifacts[name] = {*uri, true};
  }

  // ---- loops

  // Wraps the loop in a DAG, which exists even without items, limits simultaneous iterations, and collects
  // the outputs.
  std::string add_loop(const std::string& key, const Task& task, const ir::ComponentSpec& component,
                       Interface& names, const Template& used, json& arguments) {
    const Place place{key};
    const ir::ParameterIterator& iterator = *task.parameter_iterator;
    const std::string item_input = names.input_parameter(iterator.item_input.value_or(""));
    const auto* item =
        ir::checks::find(ir::checks::inputs_of(component).parameters, iterator.item_input.value_or(""));
    const auto type = item == nullptr ? ParameterType::kUnspecified
                                      : item->parameter_type.value_or(ParameterType::kUnspecified);
    json loop = {{"name", kLoopTask}, {"template", used.name}};
    json inputs = json::array();
    for (const json& parameter : used.inputs) {
      const auto name = parameter["name"].get<std::string>();
      if (name == item_input) {
        // Argo inserts items as the inside of a JSON string.
        const std::string value = computed("fromJSON(\"\\\"\" + item.value + \"\\\"\")").text;
        loop["arguments"]["parameters"].push_back({{"name", name}, {"value", value}});
        continue;
      }
      std::string value = input(name).text;
      if (name == kPathInput) value += "/{{item.index}}";
      loop["arguments"]["parameters"].push_back({{"name", name}, {"value", value}});
      inputs.push_back(parameter);
    }
    if (iterator.items && iterator.items->raw) {
      const json items = json::parse(*iterator.items->raw);
      loop["withItems"] = json::array();
      for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string text = parameter_text(items[i], type);
        if (text.find("{{") != std::string::npos)
          place.refuse(fmt::format("\"{{{{\" in an item of a loop: {}", text),
                       "loop over a parameter, or join the strings in a task of the loop");
        loop["withItems"].push_back({{"index", std::to_string(i)}, {"value", text}});
      }
    } else {
      const std::string& list = iterator.items->input_parameter.value();
      const TaskInputParameter* source =
          task.inputs ? ir::checks::find(task.inputs->parameters, list) : nullptr;
      std::optional<Reference> value;
      if (source != nullptr) value = resolve(key, *source, ParameterType::kList, nullptr);
      if (!value) place.refuse(fmt::format("a loop over \"{}\", which is not passed", list));
      arguments[kItemsInput] = value->text;
      inputs.push_back({{"name", kItemsInput}});
      // Spaces keep "}}" from ending the tag.
      loop["withParam"] =
          computed(fmt::format("toJson(map(fromJSON({}), ({{\"index\": string(#index), \"value\": "
                               "type(#) == \"string\" ? # : toJson(#) }} ) ))",
                               input(kItemsInput).expression))
              .text;
    }
    json body = {{"dag", {{"tasks", {loop}}}}};
    if (!inputs.empty()) body["inputs"]["parameters"] = inputs;
    if (task.iterator_policy && task.iterator_policy->parallelism_limit.value_or(0) > 0)
      body["parallelism"] = *task.iterator_policy->parallelism_limit;
    const auto collect = [&](const std::string& name, bool is_text) {
      // Without items there are no outputs. Argo parses strings that are JSON: convert them back to strings.
      const std::string list =
          fmt::format("(tasks['{}']?.outputs?.parameters?.[{}] ?? \"[]\")", kLoopTask, quote(name));
      const std::string all =
          is_text ? fmt::format("toJson(map(fromJSON({}), type(#) == \"string\" ? # : toJson(#)))", list)
                  : list;
      body["outputs"]["parameters"].push_back({{"name", name}, {"valueFrom", {{"expression", all}}}});
    };
    const ir::ComponentOutputs& outputs = ir::checks::outputs_of(component);
    for (const auto& [name, definition] : outputs.parameters)
      collect(names.output_parameter(name), definition.parameter_type == ParameterType::kString);
    if (!outputs.artifacts.empty() && used.leaf) place.refuse("artifacts of a loop over a single container");
    for (const auto& [name, definition] : outputs.artifacts) {
      if (options().s3)
        place.refuse(fmt::format("the collected artifacts \"{}\" in a bucket", name), "use a volume");
      collect(names.output_artifact(name), true);
    }
    return templates_.keep(used.name + "-loop", std::move(body));
  }

  // ---- values

  // The value of a source; nullopt for an optional input without a value. `fallback` is for tasks that run
  // even if their producers failed.
  std::optional<Reference> resolve(const std::string& key, const TaskInputParameter& source,
                                   ParameterType type, const ir::Value* fallback) {
    std::optional<Reference> value = resolve_source(key, source, type, fallback);
    if (!value || !source.parameter_expression_selector) return value;
    if (value->expression.empty()) Place{key}.refuse("a part of a run placeholder");
    return computed(
        to_expression(ir::parse_selector(*source.parameter_expression_selector), value->expression));
  }

  std::optional<Reference> resolve_source(const std::string& key, const TaskInputParameter& source,
                                          ParameterType type, const ir::Value* fallback) {
    if (source.component_input_parameter) return own_input(*source.component_input_parameter);
    if (source.task_output_parameter) {
      const Done& producer = done_.at(source.task_output_parameter->producer_task.value_or(""));
      if (producer.name.empty()) Place{key}.refuse("a parameter of an importer");
      Interface names(*producer.component);
      const std::string& name =
          names.output_parameter(source.task_output_parameter->output_parameter_key.value_or(""));
      if (fallback == nullptr) return output(producer.name, name);
      return computed(fmt::format("tasks['{}']?.outputs?.parameters?.['{}'] ?? {}", producer.name, name,
                                  quote(parameter_text(*fallback, type))));
    }
    if (source.task_final_status) return final_status(source.task_final_status->producer_task.value_or(""));
    if (!source.runtime_value) return std::nullopt;
    if (source.runtime_value->runtime_parameter) return own_input(*source.runtime_value->runtime_parameter);
    if (source.runtime_value->constant) return constant(key, *source.runtime_value->constant, type);
    if (source.runtime_value->constant_value) {
      const ir::LegacyValue& old = *source.runtime_value->constant_value;
      if (old.string_value) return constant(key, *old.string_value, type);
      return constant(key, old.int_value ? json(*old.int_value) : json(old.double_value.value_or(0)), type);
    }
    return std::nullopt;
  }

  std::optional<Reference> own_input(const std::string& name) {
    if (use_.absent_parameters.contains(name)) return std::nullopt;
    return input(interface_.input_parameter(name));
  }

  std::optional<Reference> constant(const std::string& key, const ir::Value& value, ParameterType type) {
    if (value.is_null()) return std::nullopt;
    const std::string text = parameter_text(value, type);
    if (const std::string channel = ir::unresolved_channel(text); !channel.empty())
      Place{key}.refuse(fmt::format("{}, which the SDK that compiled the pipeline left unresolved", channel));
    if (text.find("{{$") == std::string::npos) return literal(text);
    TextBuilder builder;
    if (value.is_string())
      append_text(builder, key, text, false);
    else
      append_json(builder, key, value);
    return builder.take();
  }

  // Appends a string of a constant with its placeholders resolved; with `in_json`, as the inside of a JSON
  // string.
  void append_text(TextBuilder& builder, const std::string& key, const std::string& text, bool in_json) {
    const auto plain = [&](std::string_view part) {
      const std::string quoted = json(part).dump();
      builder.add(in_json ? quoted.substr(1, quoted.size() - 2) : std::string(part));
    };
    std::string_view rest = text;
    for (const ir::Placeholder& placeholder : ir::placeholders_in(text)) {
      const std::size_t at = rest.find(placeholder.text);
      plain(rest.substr(0, at));
      rest.remove_prefix(at + placeholder.text.size());
      const Reference value = value_of(key, placeholder, text);
      if (in_json && !value.expression.empty())
        builder.add(computed(fmt::format("toJson({})[1:-1]", value.expression)));
      else
        builder.add(value);
    }
    plain(rest);
  }

  void append_json(TextBuilder& builder, const std::string& key, const json& value) {
    if (value.is_string()) {
      builder.add("\"");
      append_text(builder, key, value.get_ref<const std::string&>(), true);
      builder.add("\"");
      return;
    }
    if (!value.is_structured()) return builder.add(ir::json_text(value, true));
    builder.add(value.is_object() ? "{" : "[");
    bool first = true;
    for (const auto& [name, element] : value.items()) {
      if (!first) builder.add(",");
      first = false;
      if (value.is_object()) {
        append_json(builder, key, name);
        builder.add(":");
      }
      append_json(builder, key, element);
    }
    builder.add(value.is_object() ? "}" : "]");
  }

  // The value of a placeholder in a constant of a task, as the string that KFP's launcher would insert.
  Reference value_of(const std::string& key, const ir::Placeholder& placeholder, const std::string& text) {
    const Place place{key};
    if (placeholder.kind != ir::Placeholder::Kind::kInputParameter) {
      const RunPlace run{
          .task = key, .path = path_ + "/" + task_names_.of(key), .root = pipeline_root(options())};
      if (placeholder.name == "pipeline_task_uuid") needs_path_ = true;
      std::string value = run.value(placeholder);
      if (value.empty()) place.refuse(fmt::format("{} in \"{}\"", placeholder.text, text));
      return {std::move(value), ""};
    }
    const Task& task = component_.dag->tasks.at(key);
    if (task.parameter_iterator && task.parameter_iterator->item_input == placeholder.name)
      place.refuse(fmt::format("{}, the item of a loop, in a constant of the loop itself", placeholder.text),
                   "use it in a task of a DAG in the loop");
    const TaskInputParameter* source =
        task.inputs ? ir::checks::find(task.inputs->parameters, placeholder.name) : nullptr;
    const auto* definition = ir::checks::find(
        ir::checks::inputs_of(spec().components.at(*task.component_ref->name)).parameters, placeholder.name);
    TaskInputParameter fallback;
    if (source == nullptr && definition != nullptr && definition->default_value) {
      fallback.runtime_value = ir::ValueOrRuntimeParameter{.constant = definition->default_value};
      source = &fallback;
    }
    if (!open_.insert(key + '\n' + placeholder.name).second)
      place.refuse(fmt::format("{}, which refers to itself", placeholder.text));
    std::optional<Reference> value;
    const ParameterType type = source == nullptr ? ParameterType::kUnspecified : type_of(*source);
    if (source != nullptr) value = resolve(key, *source, type, nullptr);
    open_.erase(key + '\n' + placeholder.name);
    if (!value) place.refuse(fmt::format("{} in \"{}\", which has no value", placeholder.text, text));
    // Strings stay unchanged; other values are written as Go writes them, however the task wrote them
    // ("True", "3.0").
    if (type == ParameterType::kString || type == ParameterType::kUnspecified || value->expression.empty())
      return *value;
    return computed(fmt::format("toJson({})", typed(value->expression, type)));
  }

  // The type of a source; unspecified for constants and parts, which are strings already.
  ParameterType type_of(const TaskInputParameter& source) const {
    if (source.parameter_expression_selector) return ParameterType::kUnspecified;
    const std::string* own = source.component_input_parameter ? &*source.component_input_parameter : nullptr;
    if (own == nullptr && source.runtime_value && source.runtime_value->runtime_parameter)
      own = &*source.runtime_value->runtime_parameter;
    if (own != nullptr) {
      const auto* definition = ir::checks::find(ir::checks::inputs_of(component_).parameters, *own);
      return definition == nullptr ? ParameterType::kUnspecified
                                   : definition->parameter_type.value_or(ParameterType::kUnspecified);
    }
    if (!source.task_output_parameter) return ParameterType::kUnspecified;
    const std::string& producer = source.task_output_parameter->producer_task.value_or("");
    return ir::checks::output_type(spec(), component_.dag->tasks.at(producer),
                                   source.task_output_parameter->output_parameter_key.value_or(""));
  }

  // The final status in the format of KFP's launcher.
  Reference final_status(const std::string& producer) {
    const Reference phase = status(done_.at(producer).name);
    const std::string state = fmt::format(
        "{0} == \"Succeeded\" ? \"SUCCEEDED\" : {0} in [\"Skipped\", \"Omitted\"] ? \"SKIPPED\" : \"FAILED\"",
        phase.expression);
    json text = {{"state", computed(state).text},
                 {"pipelineJobResourceName", "{{workflow.name}}"},
                 {"pipelineTaskName", producer},
                 {"error", json::object()}};
    text["state"] = raw("\"" + computed(state).text + "\"");
    return {dump_raw(text), ""};
  }

  std::optional<Artifact> resolve(const ir::TaskInputArtifact& source, const Place& place) {
    if (source.component_input_artifact) {
      const std::string& name = *source.component_input_artifact;
      if (use_.absent_artifacts.contains(name)) return std::nullopt;
      return Artifact{input(interface_.input_artifact(name)), use_.plain_artifacts.contains(name)};
    }
    if (!source.task_output_artifact) return std::nullopt;
    const Done& producer = done_.at(source.task_output_artifact->producer_task.value_or(""));
    const Artifact* artifact =
        ir::checks::find(producer.artifacts, source.task_output_artifact->output_artifact_key.value_or(""));
    if (artifact == nullptr) place.refuse("an artifact that its task does not produce");
    return *artifact;
  }

  // ---- interface

  void add_inputs(json& body) {
    for (const auto& [name, definition] : ir::checks::inputs_of(component_).parameters) {
      if (use_.absent_parameters.contains(name)) continue;
      json parameter = {{"name", interface_.input_parameter(name)}};
      if (definition.default_value && !definition.default_value->is_null())
        parameter["value"] =
            literal(parameter_text(*definition.default_value,
                                   definition.parameter_type.value_or(ParameterType::kUnspecified)))
                .text;
      result_.inputs.push_back(std::move(parameter));
    }
    for (const auto& [name, definition] : ir::checks::inputs_of(component_).artifacts)
      if (!use_.absent_artifacts.contains(name))
        result_.inputs.push_back({{"name", interface_.input_artifact(name)}});
    if (needs_path_ && path_ != "{{workflow.name}}") result_.inputs.push_back({{"name", kPathInput}});
    if (!result_.inputs.empty()) body["inputs"]["parameters"] = result_.inputs;
  }

  // In `outputs`, an expression has no tags; tags in locations are replaced before the expression is read.
  static std::string output_expression(const Reference& value) {
    return value.expression.empty() ? fmt::format("\"{}\"", value.text) : value.expression;
  }

  void add_output(json& body, const std::string& name,
                  const std::vector<std::pair<std::string, std::string>>& choices) {
    std::string expression = choices.back().second;
    for (std::size_t i = choices.size() - 1; i-- > 0;)
      expression = fmt::format("{} == \"Succeeded\" ? {} : ({})", status(choices[i].first).expression,
                               choices[i].second, expression);
    body["outputs"]["parameters"].push_back({{"name", name}, {"valueFrom", {{"expression", expression}}}});
  }

  void add_outputs(json& body, const ir::DagOutputs& outputs) {
    using Choices = std::vector<std::pair<std::string, std::string>>;
    for (const auto& [name, source] : outputs.parameters) {
      std::vector<ir::ParameterSelector> selectors;
      if (source.value_from_parameter) selectors.push_back(*source.value_from_parameter);
      if (source.value_from_oneof) selectors = source.value_from_oneof->parameter_selectors;
      Choices choices;
      for (const ir::ParameterSelector& selector : selectors) {
        const Done& producer = done_.at(selector.producer_subtask.value_or(""));
        Interface names(*producer.component);
        choices.emplace_back(
            producer.name,
            output(producer.name, names.output_parameter(selector.output_parameter_key.value_or("")))
                .expression);
      }
      add_output(body, interface_.output_parameter(name), choices);
    }
    for (const auto& [name, source] : outputs.artifacts) {
      Choices choices;
      std::set<bool> kinds;
      for (const ir::ArtifactSelector& selector : source.artifact_selectors) {
        const Done& producer = done_.at(selector.producer_subtask.value_or(""));
        const Artifact& artifact = producer.artifacts.at(selector.output_artifact_key.value_or(""));
        kinds.insert(artifact.plain);
        if (producer.name.empty() && source.artifact_selectors.size() > 1)
          Place{name_}.refuse(
              fmt::format("the output \"{}\", one of several with an importer among them", name));
        choices.emplace_back(producer.name, output_expression(artifact.location));
      }
      if (options().s3 && kinds.size() > 1)
        Place{name_}.refuse(fmt::format("the output \"{}\", imported or from the bucket", name));
      if (kinds.contains(true)) result_.plain_artifacts.insert(name);
      add_output(body, interface_.output_artifact(name), choices);
    }
  }

  Templates& templates_;
  const std::string name_;
  const ir::ComponentSpec& component_;
  const Use& use_;
  Interface interface_;
  const std::string path_;
  Names task_names_{Names::Kind::kTask};
  std::map<std::string, Done> done_;
  json tasks_ = json::array();
  Template result_;
  std::set<std::string> open_;  // placeholders that are being resolved
  bool needs_path_ = false;
  bool tolerates_failure_ = false;
};

}  // namespace

Template dag_template(Templates& templates, const std::string& name, const ir::ComponentSpec& component,
                      const Use& use, bool is_root) {
  return DagCompiler(templates, name, component, use, is_root).compile();
}

}  // namespace kfp::argo
