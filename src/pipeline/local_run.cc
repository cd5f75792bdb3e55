#include "pipeline/local_run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <map>

#include "core/error.h"
#include "core/progress.h"
#include "core/staged_output.h"

namespace pipeline {
namespace {

using nlohmann::json;

class Steps {
 public:
  Steps(const kfp::Registry& registry, const std::vector<std::string>& names) {
    for (const std::string& name : names) components_[name] = registry.create(name);
  }

  kfp::Component& at(const std::string& name, const std::filesystem::path& source = {}) {
    const auto found = components_.find(name);
    if (found != components_.end()) return *found->second;
    std::vector<std::string> known;
    for (const auto& [component, unused] : components_) known.push_back(component);
    const std::string near = kfp::nearest(name, known);
    throw core::UsageError(
        {.message = fmt::format("is no step of the pipeline{}",
                                near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near)),
         .file = source,
         .field = name});
  }

  void read_config(const std::filesystem::path& file) {
    const json config = kfp::read_yaml(file);
    if (!config.is_object())
      throw core::InputError(
          {.message = "is not a mapping from components to their parameters", .file = file});
    for (const auto& [name, values] : config.items()) at(name, file).set_parameters(values, file);
  }

  void set(const std::string& setting) {
    const std::size_t dot = setting.find('.');
    const std::size_t equals = setting.find('=');
    if (dot == std::string::npos || equals == std::string::npos || dot > equals)
      throw core::UsageError(
          {.message = fmt::format("\"{}\" is not component.parameter=value", setting), .field = "set"});
    kfp::Component& component = at(setting.substr(0, dot));
    std::string name = setting.substr(dot + 1, equals - dot - 1);
    std::replace(name.begin(), name.end(), '-', '_');
    const kfp::Field& field = component.field(name);
    if (!field.is_parameter()) throw core::UsageError({.message = "is not a parameter", .field = name});
    field.set_text(setting.substr(equals + 1));
    component.mark_given(name);
  }

 private:
  std::map<std::string, std::unique_ptr<kfp::Component>> components_;
};

}  // namespace

json run_locally(const kfp::Registry& registry, const LocalRunOptions& options, core::ThreadPool& pool) {
  const std::vector<std::string> order = {"input-parameters", "preprocess", "model-parameters", "train",
                                          "generate",         "validate"};
  Steps steps(registry, order);
  if (!options.config.empty()) steps.read_config(options.config);
  for (const std::string& setting : options.settings) steps.set(setting);

  const std::filesystem::path& out = options.out;
  const auto place = [&](const std::string& component, const std::string& output,
                         const std::filesystem::path& path) {
    steps.at(component).field(output).output->path = path;
  };
  const auto connect = [&](const std::string& component, const std::string& input,
                           const std::filesystem::path& path) {
    steps.at(component).field(input).input->path = path;
  };
  place("input-parameters", "configuration", out / "configuration.json");
  connect("preprocess", "configuration", out / "configuration.json");
  connect("preprocess", "showers", steps.at("input-parameters").field("data").value().get<std::string>());
  place("preprocess", "prepared", out / "prepared");
  place("model-parameters", "description", out / "model-parameters.json");
  connect("train", "prepared", out / "prepared");
  connect("train", "description", out / "model-parameters.json");
  steps.at("train").field("checkpoints").set((out / "checkpoints").string());
  steps.at("train").field("resume").set(options.resume);
  place("train", "model", out / "model");
  place("train", "metrics", out / "training.json");
  place("train", "logs", out / "logs");
  connect("generate", "model", out / "model");
  connect("generate", "like", out / "prepared" / "holdout.h5");
  place("generate", "showers", out / "generated.h5");
  connect("validate", "full", out / "prepared" / "holdout.h5");
  connect("validate", "fast", out / "generated.h5");
  place("validate", "metrics", out / "metrics.json");
  place("validate", "classification", out / "classification.json");
  place("validate", "report", out / "report.html");
  if (steps.at("preprocess").field("holdout_fraction").value().get<double>() <= 0)
    throw core::UsageError({.message = "must be above 0 here: the report compares with held-out showers",
                            .field = "preprocess.holdout_fraction"});
  // Conditions come from the held-out showers, so the layout must hold whatever they are.
  steps.at("generate").field("layout").set("calopipe");

  for (std::size_t i = 0; i < order.size(); ++i) {
    spdlog::info("[{}/{}] {}", i + 1, order.size(), order[i]);
    const auto start = std::chrono::steady_clock::now();
    steps.at(order[i]).execute(pool);
    spdlog::info("[{}/{}] {} done in {}", i + 1, order.size(), order[i],
                 core::human_duration(
                     std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()));
  }
  std::filesystem::remove_all(out / "checkpoints");
  return {{"report", (out / "report.html").string()},
          {"model", (out / "model").string()},
          {"metrics", steps.at("validate").field("metrics").output->metadata}};
}

}  // namespace pipeline
