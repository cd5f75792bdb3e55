#include "pipeline/katib.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <iomanip>
#include <map>
#include <sstream>

#include "core/error.h"
#include "core/text.h"
#include "kfp/client/katib.h"
#include "pipeline/local_run.h"
#include "pipeline/site_pod.h"
#include "pipeline/trial.h"

namespace pipeline {
namespace {

using nlohmann::json;

constexpr const char* kStudy = "CALOPIPE_TRIAL_STUDY";
constexpr const char* kValues = "CALOPIPE_TRIAL_VALUES";
constexpr const char* kDatabase = "CALOPIPE_KATIB_DATABASE";
constexpr const char* kTrialName = "KATIB_TRIAL_NAME";  // set by Katib
constexpr const char* kMetric = "objective";
constexpr const char* kShellFolder = "/calopipe-shell";
constexpr int kUser = 1000;

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

bool stops_early(const StudyDefinition& definition) {
  return definition.early_stopping.kind != "none";
}

// Katib compares the values of the objective itself, so the epochs must have the same number.
void check_early_stopping(const StudyDefinition& definition) {
  const tune::EarlyStopping& rule = definition.early_stopping;
  if (rule.kind != "median")
    refuse(fmt::format("has no {}", rule.kind), "early_stopping: {kind: median}, or a study without Katib");
  const auto& objectives = definition.objectives.all();
  const std::string wanted = "training.json:" + rule.metric;
  if (objectives.size() > 1 || objectives[0].value != wanted || objectives[0].goal != "minimize")
    refuse("stops trials by the numbers of their objective, which must be that of the epochs",
           fmt::format("give one objective, {}, or leave out early_stopping", wanted));
  if (definition.repeats > 1) refuse("stops no trials with repeats", "leave out repeats or early_stopping");
}

json environment(const StudyDefinition& definition, const KatibOptions& options) {
  json values = json::object();
  for (const tune::Dimension& dimension : definition.space.dimensions())
    values[dimension.name] = fmt::format("${{trialParameters.{}}}", plain_name(dimension.name));
  json all = {{{"name", kStudy}, {"value", definition.to_json().dump()}},
              {{"name", kValues}, {"value", values.dump()}}};
  if (stops_early(definition))
    all.push_back({{"name", "PATH"}, {"value", std::string(kShellFolder) + ":/usr/local/bin:/usr/bin:/bin"}});
  else
    all.push_back({{"name", kDatabase}, {"value", options.database}});
  return all;
}

// Katib wraps the program of a trial that it may stop into a command of `sh`, with `head`; calopipe's image
// has neither.
void add_shell(json& pod, const KatibOptions& options) {
  const json mount = {{"name", "shell"}, {"mountPath", kShellFolder}};
  pod["volumes"].push_back({{"name", "shell"}, {"emptyDir", json::object()}});
  pod["initContainers"].push_back(
      {{"name", "shell"},
       {"image", options.shell_image},
       {"command",
        {"sh", "-c", fmt::format("cp /bin/busybox {0}/sh && cp /bin/busybox {0}/head", kShellFolder)}},
       {"volumeMounts", {mount}}});
  pod["containers"][0]["volumeMounts"].push_back(mount);
  // Trial and collector write the same file, so that both need the same user: that of calopipe's image.
  json& user = pod["securityContext"]["runAsUser"];
  if (user.is_null()) user = kUser;
}

json trial_job(const kfp::Registry& registry, const StudyDefinition& definition,
               const KatibOptions& options) {
  SitePod made = site_pod(registry, {.component = "train",
                                     .container = "trial",
                                     .command = {"calopipe", "tune", "trial", "--store", "/tmp/calopipe"},
                                     .arguments = {},
                                     .image = options.image,
                                     .site = options.site});
  json& container = made.spec["containers"][0];
  container.erase("args");
  for (json& variable : environment(definition, options)) container["env"].push_back(std::move(variable));
  if (stops_early(definition)) add_shell(made.spec, options);
  json pod = {{"spec", made.spec}};
  if (!made.metadata.empty()) pod["metadata"] = made.metadata;
  return {{"apiVersion", "batch/v1"}, {"kind", "Job"}, {"spec", {{"backoffLimit", 0}, {"template", pod}}}};
}

// What Katib calls the objective: its value, or the sum of several.
double reported(const tune::Objectives& objectives, const tune::Trial& trial) {
  return objectives.all().size() == 1 ? trial.values[0] : objectives.loss(trial)[0];
}

void print_objective(double value) {
  fmt::print("{} {}={}\n", kfp::client::katib_time(), kMetric, value);
  std::fflush(stdout);  // a collector reads it
}

// Prints the numbers of the epochs, each once.
class EpochPrinter final : public kfp::local::Observer {
 public:
  explicit EpochPrinter(const std::string& metric) : epochs_(metric) {}
  void on_run(const kfp::local::RunRecord& run) override { folder_ = run.folder; }
  void on_tick() override {
    epochs_.look(folder_, [this](std::int64_t epoch, double value) {
      if (epoch > last_) print_objective(value);
      last_ = std::max(last_, epoch);
      return true;
    });
  }

 private:
  EpochReader epochs_;
  std::filesystem::path folder_;
  std::int64_t last_ = 0;
};

std::string needed(const char* name) {
  std::string value = core::environment({name});
  if (value.empty())
    throw core::UsageError({.message = fmt::format("{} is not set", name),
                            .hint = "calopipe tune --target katib makes the pods that run this command"});
  return value;
}

json parsed(const char* name) {
  json value = json::parse(needed(name), nullptr, false);
  if (!value.is_object()) throw core::InputError({.message = fmt::format("{} is not JSON", name)});
  return value;
}

json value_of(const tune::Dimension& dimension, const std::string& text) {
  const auto fail = [&] {
    throw core::InputError(
        {.message = fmt::format("\"{}\" is no value of it", text), .field = dimension.name});
  };
  if (dimension.is_categorical()) {
    for (const json& choice : dimension.choices)
      if (choice_text(choice) == text) return choice;
    fail();
  }
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) fail();
  if (dimension.kind == tune::Dimension::Kind::kInteger) return std::llround(value);
  return value;
}

double seconds_of(const json& object, const char* place) {
  const json::json_pointer pointer(place);
  if (!object.contains(pointer) || !object.at(pointer).is_string()) return 0;
  std::tm utc{};
  std::istringstream text(object.at(pointer).get<std::string>());
  text >> std::get_time(&utc, "%Y-%m-%dT%H:%M:%SZ");
  return text.fail() ? 0 : static_cast<double>(::timegm(&utc));
}

// The last condition that is true.
std::pair<std::string, std::string> condition_of(const json& object) {
  static const json::json_pointer kConditions("/status/conditions");
  std::pair<std::string, std::string> last;
  if (object.contains(kConditions))
    for (const json& one : object.at(kConditions))
      if (one.value("status", "") == "True") last = {one.value("type", ""), one.value("message", "")};
  return last;
}

tune::Trial trial_of(const StudyDefinition& definition, const json& object) {
  tune::Trial trial;
  trial.run = object.at("metadata").value("name", "");
  json texts = json::object();
  for (const json& one : object.value("/spec/parameterAssignments"_json_pointer, json::array()))
    for (const tune::Dimension& dimension : definition.space.dimensions())
      if (plain_name(dimension.name) == one.value("name", "")) texts[dimension.name] = one.value("value", "");
  trial.parameters = katib_values(definition.space, texts);
  trial.started_s = seconds_of(object, "/status/startTime");
  trial.finished_s = seconds_of(object, "/status/completionTime");
  const auto [type, message] = condition_of(object);
  trial.state = type == "Running"        ? tune::TrialState::kRunning
                : type == "Succeeded"    ? tune::TrialState::kDone
                : type == "EarlyStopped" ? tune::TrialState::kStopped
                : type == "Failed" || type == "Killed" || type == "MetricsUnavailable"
                    ? tune::TrialState::kFailed
                    : tune::TrialState::kWaiting;
  if (trial.state == tune::TrialState::kFailed) trial.error = fmt::format("{}: {}", type, message);
  for (const json& metric : object.value("/status/observation/metrics"_json_pointer, json::array()))
    if (metric.value("name", "") == kMetric)
      trial.values = {std::strtod(metric.value("latest", "nan").c_str(), nullptr)};
  if (trial.state == tune::TrialState::kDone && trial.values.empty())
    trial.state = tune::TrialState::kRunning;  // Katib has not read them yet
  trial.errors.assign(trial.values.size(), std::nan(""));
  return trial;
}

}  // namespace

tune::Parameters katib_values(const tune::Space& space, const json& texts) {
  tune::Parameters values = json::object();
  for (const tune::Dimension& dimension : space.dimensions()) {
    const auto text = texts.find(dimension.name);
    if (text == texts.end() || !text->is_string())
      throw core::InputError({.message = "has no value", .field = dimension.name});
    if (tune::Space::is_active(dimension, values))
      values[dimension.name] = value_of(dimension, text->get<std::string>());
  }
  return values;
}

std::vector<tune::Trial> katib_trials(const StudyDefinition& definition, std::vector<json> trials) {
  std::sort(trials.begin(), trials.end(), [](const json& a, const json& b) {
    const auto key = [](const json& one) {
      return std::pair(one.at("metadata").value("creationTimestamp", ""),
                       one.at("metadata").value("name", ""));
    };
    return key(a) < key(b);
  });
  std::vector<tune::Trial> out;
  for (const json& one : trials) {
    out.push_back(trial_of(definition, one));
    out.back().number = static_cast<std::int64_t>(out.size()) - 1;
  }
  return out;
}

KatibState katib_state(const json& experiment) {
  const auto [type, message] = condition_of(experiment);
  return {.type = type,
          .message = message,
          .best = experiment.value("/status/currentOptimalTrial/bestTrialName"_json_pointer, "")};
}

json katib_experiment(const kfp::Registry& registry, const StudyDefinition& definition,
                      const KatibOptions& options) {
  if (!definition.objectives.is_sum())
    refuse("has no Pareto front", "give one --objective, or give the objectives weights");
  if (stops_early(definition)) check_early_stopping(definition);
  json parameters = json::array(), trial_parameters = json::array();
  for (const tune::Dimension& dimension : definition.space.dimensions()) {
    parameters.push_back(parameter(dimension));
    trial_parameters.push_back({{"name", plain_name(dimension.name)},
                                {"reference", plain_name(dimension.name)},
                                {"description", dimension.name}});
  }
  const auto& objectives = definition.objectives.all();
  const std::string goal = objectives.size() == 1 ? objectives[0].goal : "minimize";
  json spec = {
      {"objective",
       {{"type", goal},
        {"objectiveMetricName", kMetric},
        {"metricStrategies", {{{"name", kMetric}, {"value", "latest"}}}}}},
      {"algorithm", algorithm(definition)},
      {"parallelTrialCount", options.parallel},
      {"maxTrialCount", options.trials},
      {"maxFailedTrialCount", options.max_failures},
      {"metricsCollectorSpec", {{"collector", {{"kind", stops_early(definition) ? "StdOut" : "Push"}}}}},
      {"parameters", parameters},
      {"trialTemplate",
       {{"primaryContainerName", "trial"},
        {"retain", true},  // the log of a failed trial stays until the Experiment is deleted
        {"trialParameters", trial_parameters},
        {"trialSpec", trial_job(registry, definition, options)}}}};
  if (stops_early(definition)) {
    const tune::EarlyStopping& rule = definition.early_stopping;
    const auto setting = [](const char* name, std::int64_t value) {
      return json{{"name", name}, {"value", std::to_string(value)}};
    };
    spec["earlyStopping"] = {
        {"algorithmName", "medianstop"},
        {"algorithmSettings",
         {setting("min_trials_required", rule.fewest_trials), setting("start_step", rule.first_epoch)}}};
  }
  return {{"apiVersion", "kubeflow.org/v1beta1"},
          {"kind", "Experiment"},
          {"metadata", {{"name", plain_name(options.name)}}},
          {"spec", spec}};
}

void run_katib_trial(const kfp::Registry& registry, int threads, kfp::local::Store& store) {
  const StudyDefinition definition = StudyDefinition::from_json(parsed(kStudy));
  tune::Trial trial;
  trial.parameters = katib_values(definition.space, parsed(kValues));
  kfp::local::RunnerOptions runner;
  use_this_program(runner, threads);
  EpochPrinter epochs(definition.early_stopping.metric);
  kfp::local::Observer nothing;
  TrialRunner(registry, definition, store)
      .run(trial, "Katib", runner,
           stops_early(definition) ? static_cast<kfp::local::Observer&>(epochs) : nothing);
  const double value = reported(definition.objectives, trial);
  print_objective(value);
  if (!stops_early(definition))
    kfp::client::report_to_katib(needed(kDatabase), needed(kTrialName), {{kMetric, value}});
}

}  // namespace pipeline
