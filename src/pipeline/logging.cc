#include "pipeline/logging.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "calo/infer/model.h"
#include "calo/models/stored_model.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/provenance.h"
#include "core/remote.h"
#include "core/staged_output.h"
#include "core/temp_folder.h"
#include "core/text.h"
#include "kfp/local/store.h"
#include "tracking/journal.h"
#include "tracking/onnx_model.h"
#include "tracking/sender.h"

namespace pipeline {
namespace {

namespace fs = std::filesystem;
using kfp::Field;
using nlohmann::json;
using Texts = std::map<std::string, std::string>;

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Texts texts_of(const json& values) {
  Texts texts;
  for (const auto& [name, value] : values.items()) texts[name] = text_of(value);
  return texts;
}

std::map<std::string, double> numbers_of(const json& values) {
  std::map<std::string, double> numbers;
  for (const auto& [name, value] : values.items())
    if (value.is_number()) numbers[name] = value;
  return numbers;
}

// Tags that MLflow's pages show.
Texts tags_of(const std::string& kind) {
  Texts tags = {{"mlflow.source.name", "calopipe " + kind},
                {"mlflow.source.type", "JOB"},
                {"calopipe.kind", kind},
                {"calopipe.version", core::version()}};
  if (const std::string user = core::environment({"USER", "LOGNAME"}); !user.empty())
    tags["mlflow.user"] = user;
  return tags;
}

// The id of the run that a run continues: it did the same work in the same folder. Else a new one, which is
// left in the folder.
std::string id_of(const kfp::Component& component, const std::string& work, const fs::path& scratch) {
  const json parameters = component.parameters();
  const std::string checkpoints = parameters.value("checkpoints", "");
  const fs::path folder = checkpoints.empty() ? scratch : fs::path(checkpoints);
  if (folder.empty() || core::is_url(folder)) return tracking::new_id();
  const bool continues = checkpoints.empty() || parameters.value("resume", false);
  const fs::path file = folder / fmt::format("tracking-{}.txt", core::sha256(work).substr(0, 16));
  try {
    if (continues && fs::exists(file)) return core::trimmed(core::read_file(file));
    std::string id = tracking::new_id();
    core::write_file(file, id + "\n");
    return id;
  } catch (const core::Error& error) {
    spdlog::warn("a resumed run will be recorded as another one: {}", error.what());
    return tracking::new_id();
  }
}

template <class Body>
void for_each_container(kfp::ir::Pipeline& pipeline, const Body& body) {
  if (!pipeline.spec.deployment_spec) return;
  for (auto& [label, executor] : pipeline.spec.deployment_spec->executors)
    if (executor.container) body(*executor.container);
}

std::vector<tracking::OnnxTensor> tensors_of(const std::vector<calo::infer::TensorInfo>& tensors) {
  std::vector<tracking::OnnxTensor> result;
  result.reserve(tensors.size());
  for (const calo::infer::TensorInfo& tensor : tensors)
    result.push_back({.name = tensor.name,
                      .type = tensor.type == "float" ? "float32" : tensor.type,
                      .shape = tensor.shape});
  return result;
}

bool is_model_folder(const Field& field) {
  return field.kind == Field::Kind::kOutput && field.artifact_spec.type == kfp::ArtifactType::kModel &&
         !fs::path(field.artifact_spec.file).has_extension();
}

}  // namespace

tracking::Run::Status status_of(const std::exception* error) {
  if (error == nullptr) return tracking::Run::Status::kFinished;
  return dynamic_cast<const core::Interrupted*>(error) != nullptr ? tracking::Run::Status::kKilled
                                                                  : tracking::Run::Status::kFailed;
}

bool is_logged(const kfp::Component& component) {
  return std::any_of(component.fields().begin(), component.fields().end(), [](const Field& field) {
    return field.kind == Field::Kind::kOutput && field.artifact_spec.type == kfp::ArtifactType::kMetrics;
  });
}

bool has_model(const kfp::Component& component) {
  return std::any_of(component.fields().begin(), component.fields().end(), is_model_folder);
}

ComponentLog::ComponentLog(LogOptions options)
    : options_(std::move(options)), to_(tracking::Destination::parse(options_.to)) {}
ComponentLog::~ComponentLog() = default;

void ComponentLog::on_begin(const kfp::Component& component, const json& provenance,
                            const fs::path& scratch) {
  Texts tags = tags_of(component.info().name);
  const json inputs = provenance.value("inputs", json::object());
  for (const auto& [name, hash] : inputs.items()) tags["calopipe.input." + name] = text_of(hash);
  run_ = std::make_unique<tracking::Run>(
      tracking::RunStart{.queue = tracking::queue_folder(kfp::local::default_store_folder()),
                         .to = to_,
                         .id = id_of(component, provenance.dump() + to_.text() + to_.experiment, scratch),
                         .parent = core::environment({tracking::kParentVariable}),
                         .name = component.info().name,
                         .tags = std::move(tags)});
  run_->params(texts_of(provenance.value("parameters", json::object())));
}

void ComponentLog::on_settings(const json& values) {
  Texts texts;
  for (const auto& [name, value] : values.items()) texts["model." + name] = text_of(value);
  run_->params(texts);
}

void ComponentLog::on_numbers(std::int64_t step, double time_s,
                              const std::map<std::string, double>& numbers) {
  for (const auto& [name, value] : numbers) by_step_.insert(name);
  run_->metrics(step, time_s, numbers);
}

void ComponentLog::on_end(const kfp::Component& component, const std::exception* error) {
  if (error == nullptr)
    log_outputs(component);
  else
    run_->tags({{"calopipe.error", error->what()}});
  run_->end(status_of(error));
}

void ComponentLog::log_outputs(const kfp::Component& component) {
  for (const Field& field : component.fields()) {
    if (field.kind != Field::Kind::kOutput || field.output->path.empty()) continue;
    const fs::path& path = field.output->path;
    std::map<std::string, double> results;
    // The last number of a step and the result may differ.
    for (const auto& [name, value] : numbers_of(field.output->metadata))
      results[by_step_.contains(name) ? "final_" + name : name] = value;
    run_->metrics(0, core::now_s(), results);
    if (field.artifact_spec.type == kfp::ArtifactType::kDataset) continue;
    if (core::is_url(path)) {
      run_->tags({{"calopipe.output." + field.name, core::shown(path).c_str()}});
      continue;
    }
    run_->artifact(path, fs::is_directory(path) ? field.name : field.artifact_spec.file);
    if (is_model_folder(field)) log_model(path, field.name);
  }
}

void ComponentLog::log_model(const fs::path& folder, const std::string& path) {
  if (!fs::exists(folder / calo::kGeneratorFile)) return;
  try {
    const auto generator = calo::infer::Model::load(folder / calo::kGeneratorFile);
    const core::TempFolder temporary("mlflow");
    for (const auto& [name, text] : tracking::mlflow_files({.file = calo::kGeneratorFile,
                                    .inputs = tensors_of(generator.inputs()),
                                    .outputs = tensors_of(generator.outputs()),
                                    .id = run_->id(),
                                    .time_s = core::now_s()})) {
      core::write_file(temporary / name, text);
      run_->artifact(temporary / name, path + '/' + name);
    }
  } catch (const core::Error& error) {
    spdlog::warn("the signature of the model is not recorded: {}", error.what());
    return;
  }
  if (!options_.model.empty()) run_->model(path, options_.model);
}

GroupLog::GroupLog(const LogOptions& options, const Begin& begin)
    : options_(options),
      queue_(tracking::queue_folder(begin.store)),
      run_({.queue = queue_,
            .to = tracking::Destination::parse(options.to),
            .id = begin.id.empty() ? tracking::new_id() : begin.id,
            .parent = begin.parent,
            .name = begin.name,
            .tags = tags_of(begin.kind)}) {
  run_.params(texts_of(begin.parameters));
}

void GroupLog::add_to(std::map<std::string, std::string>& environment) const {
  environment[tracking::kLogVariable] = tracking::Destination::parse(options_.to).text();
  environment[tracking::kModelVariable] = options_.model;
  environment[tracking::kParentVariable] = id();
  environment[tracking::kQueueVariable] = queue_.string();
}

void GroupLog::end(tracking::Run::Status status) {
  run_.end(status);
  std::error_code error;
  if (fs::exists(queue_ / id(), error)) return;  // the server is away
  for (const tracking::WaitingRun& waiting : tracking::list_waiting(queue_, id())) {
    const auto sent =
        tracking::send_waiting(queue_, waiting, [](const std::string& line) { spdlog::warn("{}", line); });
    if (!sent.problem.empty()) spdlog::warn("records of {} wait: {}", sent.name, sent.problem);
  }
}

void take_log_options(kfp::ir::Pipeline& pipeline, LogOptions& options) {
  for_each_container(pipeline, [&](kfp::ir::Container& container) {
    std::erase_if(container.env, [&](const kfp::ir::EnvVar& variable) {
      const std::string name = variable.name.value_or(""), value = variable.value.value_or("");
      if (name == tracking::kLogVariable && options.to.empty()) options.to = value;
      if (name == tracking::kModelVariable && options.model.empty()) options.model = value;
      return name.starts_with(tracking::kLogVariable);
    });
  });
}

void put_log_options(kfp::ir::Pipeline& pipeline, const LogOptions& options) {
  const tracking::Destination to = tracking::Destination::parse(options.to);
  Texts variables = {{tracking::kLogVariable, to.text()}, {"MLFLOW_EXPERIMENT_NAME", to.experiment}};
  if (!options.model.empty()) variables[tracking::kModelVariable] = options.model;
  for_each_container(pipeline, [&](kfp::ir::Container& container) {
    std::erase_if(container.env, [&](const kfp::ir::EnvVar& variable) {
      return variables.contains(variable.name.value_or(""));
    });
    for (const auto& [name, value] : variables) container.env.push_back({.name = name, .value = value});
  });
}

void log_metrics_of(const kfp::local::Store& store, const std::string& run_id, tracking::Run& to) {
  using Direction = kfp::local::ArtifactRecord::Direction;
  for (const kfp::local::ArtifactRecord& artifact : store.artifacts(run_id)) {
    if (artifact.direction != Direction::kOutput || artifact.type != "system.Metrics") continue;
    std::map<std::string, double> numbers;
    for (const auto& [name, value] : numbers_of(artifact.metadata))
      numbers[artifact.task_path + '/' + name] = value;
    to.metrics(0, core::now_s(), numbers);
  }
}

}  // namespace pipeline
