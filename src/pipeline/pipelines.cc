#include "pipeline/pipelines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/provenance.h"
#include "kfp/dsl/declared_component.h"

namespace pipeline {
namespace {

using kfp::dsl::ContainerComponent;
using kfp::dsl::Pipeline;
using kfp::dsl::Task;

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Adds the components of a registry as tasks, and their parameters as parameters of the pipeline.
class Builder {
 public:
  enum class Names { kOwn, kPrefixed };  // "epochs" or "train_epochs"

  Builder(ProjectPipeline& result, const kfp::Registry& registry, const Program& program)
      : result_(result), registry_(registry), program_(program) {}

  Task add(const std::string& name, Names names, const std::set<std::string>& hidden = {}) {
    const auto declared = registry_.create(name);
    const ContainerComponent component =
        kfp::dsl::from_declaration(*declared, {.image = program_.image, .command = program_.command});
    Task task = result_.pipeline.task(component);
    for (const kfp::Field& field : declared->fields()) {
      if (!field.is_parameter() || hidden.contains(field.name)) continue;
      const std::string parameter = names == Names::kOwn ? field.name : underscored(name) + '_' + field.name;
      const kfp::dsl::Port& port = component.inputs.at(field.name);
      const auto [value, added] = values_.emplace(
          parameter,
          result_.pipeline.parameter(parameter, port.type,
                                     {.default_value = port.default_value, .description = port.description}));
      task.set(field.name, value->second);
      result_.parameters[parameter] = {.component = name, .parameter = field.name};
    }
    return task;
  }

  const kfp::dsl::Value& value(const std::string& parameter) const { return values_.at(parameter); }

  void product(const Task& task, const std::string& output, std::string file) {
    result_.products.push_back({.task = task.name(), .output = output, .file = std::move(file)});
  }

 private:
  ProjectPipeline& result_;
  const kfp::Registry& registry_;
  const Program& program_;
  std::map<std::string, kfp::dsl::Value> values_;  // by the name of the pipeline's parameter
};

}  // namespace

std::string default_image() {
  return fmt::format("calopipe:{}", core::version());
}

ProjectPipeline training(const kfp::Registry& registry, const Program& program) {
  ProjectPipeline result{
      .pipeline = Pipeline("training", {.description = "From full-simulation showers to a trained and "
                                                       "validated model of the fast simulation",
                                        .display_name = "Fast simulation: training"})};
  Pipeline& pipeline = result.pipeline;
  using enum Builder::Names;
  Builder builder(result, registry, program);

  // Tasks that read files written by the pipeline itself do not need these options.
  const std::set<std::string> kAsPrepared = {"geometry", "particle", "axes"};

  // This task looks at the data in every run, in milliseconds. The caches of the others depend on the values
  // that it gives: Kubeflow knows an artifact only by the task that made it, so that no task after this one
  // would be found in the cache.
  const Task input = builder.add("input-parameters", kOwn).caching(false);
  const Task preprocess =
      builder.add("preprocess", kPrefixed, {"data", "data_fingerprint", "configuration_values", "particle"})
          .set("data", builder.value("data"))
          .set("data_fingerprint", input.output("data_fingerprint"))
          .set("configuration_values", input.output("configuration_values"));
  const Task model = builder.add("model-parameters", kOwn);
  const Task train = builder.add("train", kPrefixed, {"checkpoints", "resume"})
                         .set("prepared", preprocess.artifact("prepared"))
                         .set("description", model.artifact("description"));
  const Task convert =
      builder
          .add("convert", kPrefixed,
               {"geometry", "energy_gev", "angle_deg", "events", "model_path", "check_showers", "seed"})
          .set("model", train.artifact("model"));
  const Task optimise = builder.add("optimise", kPrefixed, kAsPrepared)
                            .set("onnx", convert.artifact("onnx"))
                            .set("full", preprocess.artifact("prepared"));
  // Generates one shower for each held-out shower, under the same conditions: the layout must hold any
  // conditions.
  const Task generate = builder
                            .add("generate", kPrefixed,
                                 {"geometry", "particle", "axes", "energy_gev", "angle_deg", "min_energy_gev",
                                  "max_energy_gev", "events", "layout"})
                            .set("model", train.artifact("model"))
                            .set("like", preprocess.artifact("prepared"))
                            .set("layout", "calopipe");
  const Task validate = builder.add("validate", kPrefixed, kAsPrepared)
                            .set("full", preprocess.artifact("prepared"))
                            .set("fast", generate.artifact("showers"))
                            .set("performance", generate.artifact("performance"));

  pipeline.output("model", train.artifact("model"), {.description = "Model folder"});
  pipeline.output("onnx", convert.artifact("onnx"), {.description = "The generator as ONNX"});
  pipeline.output("optimised", optimise.artifact("optimised"),
                  {.description = "The same generator in the precision that runs best"});
  pipeline.output("training", train.artifact("metrics"), {.description = "Losses and speed of the training"});
  pipeline.output("metrics", validate.artifact("metrics"),
                  {.description = "Comparison of fast with full simulation"});
  pipeline.output("classification", validate.artifact("classification"),
                  {.description = "ROC curve of a classifier of fast against full showers"});
  pipeline.output("report", validate.artifact("report"), {.description = "Report of the validation"});

  builder.product(input, "configuration", "configuration.json");
  builder.product(preprocess, "prepared", "prepared");
  builder.product(model, "description", "model-parameters.json");
  builder.product(train, "model", "model");
  builder.product(train, "metrics", "training.json");
  builder.product(train, "logs", "logs");
  builder.product(convert, "onnx", "model.onnx");
  builder.product(optimise, "optimised", "optimised.onnx");
  builder.product(optimise, "card", "model-card.md");
  builder.product(generate, "showers", "generated.h5");
  builder.product(generate, "performance", "generation.json");
  builder.product(validate, "metrics", "metrics.json");
  builder.product(validate, "classification", "classification.json");
  builder.product(validate, "plots", "plots.json");
  builder.product(validate, "report", "report.html");
  return result;
}

const std::vector<std::pair<std::string, std::string>>& pipeline_names() {
  static const std::vector<std::pair<std::string, std::string>> kNames = {
      {"training", "from full-simulation showers to a trained and validated model"}};
  return kNames;
}

ProjectPipeline make_pipeline(const std::string& name, const kfp::Registry& registry,
                              const Program& program) {
  if (name == "training") return training(registry, program);
  std::vector<std::string> known;
  for (const auto& [pipeline, summary] : pipeline_names()) known.push_back(pipeline);
  throw core::UsageError({.message = fmt::format("\"{}\" is not a pipeline", name),
                          .hint = fmt::format("pipelines: {}", fmt::join(known, ", "))});
}

}  // namespace pipeline
