#include "pipeline/katib.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "core/error.h"
#include "kfp/yaml/yaml.h"

namespace pipeline {
namespace {

using nlohmann::json;

// Lower-case letters, digits and "-", as Kubernetes takes names.
std::string plain_name(const std::string& text) {
  std::string name;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    name += std::isalnum(code) != 0 ? static_cast<char>(std::tolower(code)) : '-';
  }
  name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
  name.erase(name.find_last_not_of('-') + 1);
  return name.empty() ? "study" : name.substr(0, 40);
}

[[noreturn]] void refuse(const std::string& what, const std::string& hint) {
  throw core::UsageError({.message = "Katib " + what, .field = "--target katib", .hint = hint});
}

json algorithm(const StudyDefinition& definition) {
  static const std::map<std::string, std::string> kNames = {
      {"tpe", "tpe"},      {"gp", "bayesianoptimization"},
      {"cma-es", "cmaes"}, {"random", "random"},
      {"sobol", "sobol"},  {"grid", "grid"}};
  std::string name = kNames.at(definition.algorithm);
  if (name == "tpe" && definition.multivariate) name = "multivariate-tpe";
  json out = {{"algorithmName", name}};
  if (name != "sobol" && name != "grid")
    out["algorithmSettings"] = {{{"name", "random_state"}, {"value", std::to_string(definition.seed)}}};
  return out;
}

std::string number_text(const tune::Dimension& dimension, double value) {
  return dimension.kind == tune::Dimension::Kind::kInteger ? fmt::format("{:.0f}", value)
                                                           : fmt::format("{}", value);
}

std::string choice_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

json parameter(const tune::Dimension& dimension) {
  static constexpr const char* kTypes[] = {"double", "int", "categorical"};
  if (dimension.condition)
    refuse("has no conditions on other parameters",
           "run the study here, or leave out the condition of " + dimension.name);
  json space = json::object();
  if (dimension.is_categorical()) {
    space["list"] = json::array();
    for (const json& choice : dimension.choices) space["list"].push_back(choice_text(choice));
  } else {
    space = {{"min", number_text(dimension, dimension.low)}, {"max", number_text(dimension, dimension.high)}};
    if (dimension.log) space["distribution"] = "logUniform";
    if (dimension.step > 0) space["step"] = number_text(dimension, dimension.step);
  }
  return {{"name", plain_name(dimension.name)},
          {"parameterType", kTypes[static_cast<int>(dimension.kind)]},
          {"feasibleSpace", space}};
}

// The program's arguments: all that trials share, then what Katib fills in.
json arguments(const StudyDefinition& definition) {
  json words = {"calopipe", "run", definition.pipeline, "--quiet", "--store", "/tmp/calopipe"};
  for (const auto& [component, values] : definition.config.items())
    for (const auto& [name, value] : values.items()) {
      words.push_back("--set");
      words.push_back(fmt::format("{}.{}={}", component, name, choice_text(value)));
    }
  for (const std::string& setting : definition.settings) {
    words.push_back("--set");
    words.push_back(setting);
  }
  for (const tune::Dimension& dimension : definition.space.dimensions()) {
    words.push_back("--set");
    words.push_back(fmt::format("{}=${{trialParameters.{}}}", dimension.name, plain_name(dimension.name)));
  }
  words.push_back("--print");
  words.push_back("objective=" + definition.objectives.all()[0].value);
  return words;
}

}  // namespace

std::string katib_experiment(const StudyDefinition& definition, const KatibOptions& options) {
  if (definition.objectives.all().size() > 1) refuse("takes one objective only", "give one --objective");
  if (definition.early_stopping.kind != "none")
    refuse("does not see the epochs inside of a pipeline", "leave out early_stopping");
  json parameters = json::array(), trial_parameters = json::array();
  for (const tune::Dimension& dimension : definition.space.dimensions()) {
    parameters.push_back(parameter(dimension));
    trial_parameters.push_back({{"name", plain_name(dimension.name)},
                                {"reference", plain_name(dimension.name)},
                                {"description", dimension.name}});
  }
  const json container = {{"name", "trial"},
                          {"image", options.image.empty() ? default_image() : options.image},
                          {"command", arguments(definition)}};
  const json job = {{"apiVersion", "batch/v1"},
                    {"kind", "Job"},
                    {"spec",
                     {{"backoffLimit", 0},
                      {"template", {{"spec", {{"containers", {container}}, {"restartPolicy", "Never"}}}}}}}};
  const tune::Objective& objective = definition.objectives.all()[0];
  const json experiment = {
      {"apiVersion", "kubeflow.org/v1beta1"},
      {"kind", "Experiment"},
      {"metadata", {{"name", plain_name(options.name)}}},
      {"spec",
       {{"objective", {{"type", objective.goal}, {"objectiveMetricName", "objective"}}},
        {"algorithm", algorithm(definition)},
        {"parallelTrialCount", options.parallel},
        {"maxTrialCount", options.trials},
        {"maxFailedTrialCount", options.max_failures},
        {"metricsCollectorSpec", {{"collector", {{"kind", "StdOut"}}}}},
        {"parameters", parameters},
        {"trialTemplate",
         {{"primaryContainerName", "trial"}, {"trialParameters", trial_parameters}, {"trialSpec", job}}}}}};
  return kfp::to_yaml(experiment);
}

}  // namespace pipeline
