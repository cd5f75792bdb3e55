#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <optional>

#include "calo/io/shower_reader.h"
#include "calo/models/architectures.h"
#include "calo/models/stored_model.h"
#include "calo/preprocess/preprocess.h"
#include "calo/train/trainer.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/json_file.h"
#include "core/progress.h"
#include "core/remote.h"
#include "core/staged_output.h"
#include "parallel/group.h"
#include "parallel/place.h"
#include "pipeline/components.h"
#include "pipeline/known_models.h"

namespace pipeline {
namespace {

void report(const calo::EpochRecord& record, kfp::RunObserver* observer) {
  if (observer == nullptr) return;
  std::map<std::string, double> numbers;
  const nlohmann::json values = record.to_json();
  for (const auto& [name, value] : values.items())
    if (value.is_number() && name != "epoch" && name != "time_unix_s") numbers[name] = value;
  observer->on_numbers(record.epoch, record.time_unix_s, numbers);
}

}  // namespace

kfp::ComponentInfo Train::info() {
  return {.name = "train",
          .summary = "Trains a model on prepared showers",
          .description =
              "Writes the model folder, its metrics, and logs (`metrics.jsonl`, TensorBoard events). With "
              "`--checkpoints DIR` the state is saved during the training, at SIGINT and SIGTERM (exit "
              "code 130) and at the end; `--resume` continues from there to the same result as an "
              "uninterrupted run.\n\n`--from MODEL` adapts a trained model to a new detector, for which a "
              "few hundred showers are enough (`doc/cascade.md`, Adaptation): all weights start from MODEL; "
              "`adapt_epochs` of the description train only tables, biases and output layers, and the other "
              "epochs train everything with `adapt_lr` times the learning rate. The mesh must have the same "
              "numbers of cells. A variational autoencoder starts from the same mesh and geometries, and "
              "has only the second phase.",
          .examples = {"calopipe train --prepared prepared --out trained",
                       "calopipe train --prepared prepared --description description.json --checkpoints ckpt "
                       "--resume --out trained",
                       "calopipe train --prepared prepared --from par04 --epochs 20 --out adapted"}};
}

void Train::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("prepared", prepared, {.type = ArtifactType::kDataset, .help = "Prepared showers (preprocess)"});
  v.input(
      "description", description,
      {.help = "Model description (model-parameters); none = a cascade, or that of the model to start from",
       .optional = true});
  v.input("from", from,
          {.type = ArtifactType::kModel,
           .help = "Trained model to start from: a model folder, or the name of a model that is part of "
                   "calopipe (models/README.md); none = random weights",
           .optional = true,
           .find = known_model});
  v.parameter("epochs", epochs,
              {.help = "Number of epochs; 0 = as in the description", .min = 0, .max = 1e9});
  v.parameter("seed", seed, {.help = "Seed of initial weights, batches and latent noise", .min = 0});
  v.parameter("device", device,
              {.help = "Device to train on; auto = a GPU if LibTorch trains the model and finds one",
               .choices = {"auto", "cpu", "cuda"},
               .operational = true});
  v.parameter("checkpoints", checkpoints,
              {.help = "Folder for the state of the training; none = not saved, or, in a local pipeline, "
                       "saved in the folder of the task",
               .operational = true});
  v.parameter("resume", resume,
              {.help = "Continue from the checkpoint, if there is one", .operational = true});
  v.parameter(
      "memory_mb", memory_mb,
      {.help = "Memory for showers; if they do not fit, each epoch reads them from the file in pieces",
       .unit = "MB",
       .min = 16,
       .max = 1e9});
  v.output("model", model, {.type = ArtifactType::kModel, .help = "Model folder", .file = "model"});
  v.output("metrics", metrics,
           {.type = ArtifactType::kMetrics, .help = "Losses and speed (JSON)", .file = "training.json"});
  v.output("logs", logs, {.help = "Folder with metrics.jsonl and TensorBoard events", .file = "logs"});
}

void Train::run(kfp::RunContext& context) {
  const auto group = parallel::join(parallel::place_of(parallel::own_environment),
                                    parallel::Limits::from(parallel::own_environment));
  if (!group->is_first()) {  // only rank 0 speaks and writes
    spdlog::set_level(spdlog::level::warn);
    core::set_progress_enabled(false);
    context.writes_outputs = false;
  }
  train(context, *group);
}

void Train::train(kfp::RunContext& context, core::ProcessGroup& group) {
  calo::ModelDescription wanted = calo::ModelDescription::unsaid().resolved();
  std::optional<calo::ModelFolder> start;
  if (from) {
    start = calo::read_model(from.path);
    wanted = start->description;
  }
  if (description) {
    core::in_file(description.path, [&] {
      wanted = calo::ModelDescription::from_json(core::read_json(description.path));
      wanted.validate();
    });
  }
  calo::architecture(wanted.architecture).device(device);  // before the showers are read
  if (core::is_url(checkpoints))
    throw core::UsageError({.message = "must be a local folder, not a URL",
                            .file = checkpoints,
                            .field = "checkpoints",
                            .hint = "on a cluster, a volume that outlives the task"});
  if (resume && checkpoints.empty())
    throw core::UsageError({.message = "requires the folder to resume from",
                            .field = "resume",
                            .hint = "give --checkpoints DIR"});
  if (checkpoints.empty() && !context.scratch.empty()) {
    checkpoints = (context.scratch / "checkpoints").string();
    resume = true;
  }
  const calo::Transform transform = calo::read_transform(prepared.path);
  if (epochs > 0) wanted.epochs = epochs;
  calo::Weights start_weights;
  if (start)
    core::in_file(from.path / "model.json",
                  [&] { start_weights = calo::starting_weights(*start, wanted, transform); });
  const std::filesystem::path data = prepared.path / "train.h5";
  const auto reader = calo::ShowerReader::open(data, {}, context.pool);
  const calo::DatasetInfo& info = reader->info();
  const bool same_meshes =
      info.mesh == transform.mesh &&
      std::all_of(info.geometries.begin(), info.geometries.end(),
                  [&](const std::string& name) { return info.mesh_of(name) == transform.mesh_of(name); });
  if (!same_meshes)
    throw core::InputError(
        {.message = "train.h5 and transform.json have different meshes", .file = prepared.path});
  const calo::TrainingData showers(*reader, static_cast<std::size_t>(memory_mb) << 20);

  std::optional<core::StagedOutput> log_folder, model_folder;
  if (group.is_first()) {
    log_folder.emplace(logs.path, core::StagedOutput::Kind::kFolder);
    model_folder.emplace(model.path, core::StagedOutput::Kind::kFolder);
  }
  if (!checkpoints.empty() && group.is_first()) {
    std::error_code error;
    std::filesystem::create_directories(checkpoints, error);
    if (error)
      throw core::UnavailableError(
          {.message = "cannot be created: " + error.message(), .file = checkpoints, .field = "checkpoints"});
  }
  if (context.observer != nullptr) context.observer->on_settings(wanted.to_json());
  calo::TrainResult result =
      calo::train(showers, transform, wanted,
                  {.seed = static_cast<std::uint64_t>(seed),
                   .checkpoint_folder = checkpoints,
                   .resume = resume,
                   .log_folder = log_folder ? log_folder->path() : std::filesystem::path(),
                   .device = device,
                   .data_hash = core::sha256_of_path(data),
                   .start = std::move(start_weights),
                   .start_hash = start ? core::sha256_of_path(from.path) : "",
                   .on_epoch = [&](const calo::EpochRecord& record) { report(record, context.observer); },
                   .group = group},
                  context.pool);
  const calo::EpochRecord& last = result.history.back();
  nlohmann::json summary = {{"epochs", last.epoch},
                            {"best_epoch", result.best_epoch},
                            {"loss", result.loss},
                            {"stopped_early", result.stopped_early}};
  if (!result.best_epochs.empty()) summary["best_epochs"] = result.best_epochs;
  if (wanted.validation_split > 0) summary["validation_loss"] = result.validation_loss;
  if (start && wanted.validation_split > 0) summary["start_validation_loss"] = result.start_validation_loss;
  if (!result.fold_losses.empty()) summary["fold_losses"] = result.fold_losses;
  // The validation showers chose the best epochs; the held-out ones did not.
  if (const std::filesystem::path held_out = prepared.path / "holdout.h5"; core::path_exists(held_out)) {
    const auto held_reader = calo::ShowerReader::open(held_out, {}, context.pool);
    const calo::TrainingData held(*held_reader, static_cast<std::size_t>(memory_mb) << 20);
    if (held.size() > 0) {
      const auto parts = calo::held_out_loss(held, transform, wanted, result.weights,
                                             static_cast<std::uint64_t>(seed), context.pool, group);
      summary["holdout_loss"] = std::accumulate(
          parts.begin(), parts.end(), 0.0, [](double sum, const auto& part) { return sum + part.second; });
      summary["holdout_parts"] = parts;
    }
  }
  std::vector<float> nothing(1);
  group.sum(std::span(nothing));  // nobody leaves before all have finished
  if (!group.is_first()) return;
  calo::ModelFolder folder{.description = wanted,
                           .transform = transform,
                           .weights = std::move(result.weights),
                           .training = summary,
                           .provenance = context.provenance};
  calo::write_model(model_folder->path(), folder);
  model_folder->commit();
  log_folder->commit();
  summary["showers_per_second"] = last.showers_per_second;
  core::write_file(metrics.path, summary.dump(2) + "\n");
  metrics.metadata = summary;
  for (const char* object : {"best_epochs", "holdout_parts"}) metrics.metadata.erase(object);
  model.metadata = {{"best_epoch", result.best_epoch}};
}

}  // namespace pipeline
