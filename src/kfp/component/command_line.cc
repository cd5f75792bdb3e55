#include "kfp/component/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/component/executor.h"

namespace kfp {
namespace {

std::string option_help(const Field& field) {
  const ParameterSpec& spec = field.parameter_spec;
  std::string text = spec.help;
  std::vector<std::string> facts;
  if (!spec.unit.empty()) facts.push_back(spec.unit);
  if (!field.allowed().empty()) facts.push_back(field.allowed());
  facts.push_back(spec.required ? "required" : "default " + field.value().dump());
  return fmt::format("{} [{}]", text, fmt::join(facts, "; "));
}

// True for outputs whose path --out sets.
bool is_output(const Field& field) {
  return field.kind == Field::Kind::kOutput && !field.artifact_spec.optional;
}

bool is_required_input(const Field& field) {
  return field.kind == Field::Kind::kInput && !field.artifact_spec.optional;
}

}  // namespace

std::string examples_text(const ComponentInfo& info) {
  std::string text;
  for (const std::string& example : info.examples)
    text += (text.empty() ? "Examples:\n  " : "\n  ") + example;
  return text;
}

CommandLine::CommandLine(CLI::App& app, Component& component) : component_(component) {
  app.description(component.info().summary);
  app.footer(examples_text(component.info()));
  const auto outputs = std::count_if(component.fields().begin(), component.fields().end(), is_output);
  if (outputs > 0)
    app.add_option("--out", out_,
                   outputs == 1 ? "Path of the output" : "Folder for the outputs, under their own names")
        ->type_name("PATH")
        ->group("Outputs");
  // The first input may be positional.
  const auto first = std::find_if(component.fields().begin(), component.fields().end(), is_required_input);
  const std::string positional = first != component.fields().end() ? first->name : std::string();
  for (const Field& field : component.fields()) {
    const std::string option = "--" + field.option_name();
    std::vector<std::string>& texts = texts_[field.name];
    switch (field.kind) {
      case Field::Kind::kInput:
        app.add_option(
               field.name == positional ? option + "," + field.option_name() : option, texts,
               field.artifact_spec.help + (field.artifact_spec.optional ? " [optional]" : " [required]"))
            ->type_name(field.type_name())
            ->expected(1)
            ->group("Inputs");
        break;
      case Field::Kind::kOutput:
        if (field.name == "out") break;
        app.add_option(option, texts,
                       field.artifact_spec.help +
                           (field.artifact_spec.optional ? " [optional]"
                            : outputs > 1 ? fmt::format(" [default OUT/{}]", field.artifact_spec.file)
                                          : " [same as --out]"))
            ->type_name(field.type_name())
            ->expected(1)
            ->group("Outputs");
        break;
      case Field::Kind::kParameter:
        if (field.is_bool()) {
          app.add_flag(fmt::format("{}{{true}},!--no-{}", option, field.option_name()), texts,
                       option_help(field))
              ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
              ->group("Parameters");
        } else {
          auto* added = app.add_option(option, texts, option_help(field))
                            ->type_name(field.type_name())
                            ->group("Parameters");
          // One string at a time: the field splits lists, and also accepts JSON.
          added->expected(1)->allow_extra_args(false);
          if (field.is_list()) added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        }
        break;
      case Field::Kind::kOutputParameter:
        app.add_option(fmt::format("{}-path", option), texts,
                       fmt::format("File for \"{}\": {}", field.name, field.parameter_spec.help))
            ->type_name("PATH")
            ->expected(1)
            ->group("Output parameters");
        break;
    }
  }
  const bool has_parameters = std::any_of(component.fields().begin(), component.fields().end(),
                                          [](const Field& f) { return f.is_parameter(); });
  if (has_parameters)
    app.add_option("--parameters", parameters_file_, "YAML or JSON file with parameters; options override it")
        ->type_name("FILE")
        ->group("Parameters");
  app.add_option("--executor-input", executor_input_text_,
                 "All values in one, as the launcher of Kubeflow Pipelines gives them for {{$}}")
      ->type_name("JSON")
      ->group("Kubeflow");
}

void CommandLine::run(core::ThreadPool& pool, RunObserver* observer) {
  apply();
  // Set by the local runner; not set in a pod.
  const char* scratch = executor_input_.is_null() ? nullptr : std::getenv("KFP_TASK_SCRATCH");
  component_.execute(pool, scratch == nullptr ? "" : scratch, observer);
  if (!executor_input_.is_null() && component_.writes_outputs())
    write_executor_output(component_, executor_input_);
}

void CommandLine::apply(bool inputs_are_here) {
  if (!parameters_file_.empty()) component_.set_parameters(read_yaml(parameters_file_), parameters_file_);
  if (!executor_input_text_.empty()) {
    executor_input_ = nlohmann::json::parse(executor_input_text_, nullptr, false);
    apply_executor_input(component_, executor_input_);
  }
  std::vector<const Field*> outputs;
  for (const Field& field : component_.fields())
    if (is_output(field)) outputs.push_back(&field);
  for (const Field* field : outputs)
    if (!out_.empty()) field->output->path = outputs.size() == 1 ? out_ : out_ / field->artifact_spec.file;
  for (const Field& field : component_.fields()) {
    const std::vector<std::string>& texts = texts_[field.name];
    if (texts.empty()) continue;
    switch (field.kind) {
      case Field::Kind::kInput:
        field.input->path = texts.back();
        break;
      case Field::Kind::kOutput:
        field.output->path = texts.back();
        break;
      case Field::Kind::kParameter:
        field.set_text(field.is_list() ? fmt::format("{}", fmt::join(texts, ",")) : texts.back());
        component_.mark_given(field.name);
        break;
      case Field::Kind::kOutputParameter:
        component_.place_output_parameter(field.name, texts.back());
        break;
    }
  }
  component_.check(inputs_are_here);
}

}  // namespace kfp
