#pragma once

#include <string>

#include "core/hash.h"
#include "core/staged_output.h"
#include "kfp/local/store.h"

namespace test {

/// A finished run of "training" with files: prepare (cached), train, validate (a report), a skipped task.
inline kfp::local::RunRecord add_training(kfp::local::Store& store, double created_s, double loss,
                                          const std::string& model) {
  using namespace kfp::local;
  const RunRecord run = store.create_run(
      {.pipeline = "training",
       .name = "training",
       .state = State::kSucceeded,
       .created_s = created_s,
       .finished_s = created_s + 75,
       .parameters = {{"epochs", created_s > 1.7e9 ? 20 : 10}, {"data", "showers.h5"}, {"lr", 0.001}},
       .program_version = "0.1.0"});
  const auto put = [&](TaskRecord task) {
    task.run_id = run.id;
    if (task.name.empty()) task.name = task.path;
    task.component = "comp-" + task.path;
    store.put_task(task);
  };
  const auto put_artifact = [&](const std::string& task, const std::string& name, const std::string& type,
                                const std::string& content, nlohmann::json metadata) {
    const auto path = run.folder / task / name;
    core::write_file(path, content);
    store.put_artifact({.run_id = run.id,
                        .task_path = task,
                        .name = name,
                        .type = type,
                        .path = path,
                        .sha256 = core::sha256(content),
                        .bytes = static_cast<std::int64_t>(content.size()),
                        .metadata = std::move(metadata)});
  };
  const auto log = [&](const std::string& name, const std::string& text) {
    core::write_file(run.folder / "logs" / name, text);
    return run.folder / "logs" / name;
  };
  put({.path = "prepare",
       .state = State::kCached,
       .started_s = created_s,
       .finished_s = created_s,
       .cached_from = "20200101-000000-abcd"});
  put({.path = "train",
       .name = "Training of the VAE",
       .state = State::kSucceeded,
       .attempt = 2,
       .started_s = created_s + 1,
       .finished_s = created_s + 61,
       .exit_code = 0,
       .log = log("train.log", "epoch 1\nepoch 2\nepoch 3\n"),
       .inputs = {{"epochs", 20}},
       .outputs = {{"best_epoch", 17}},
       .cpu_s = 118.4,
       .peak_memory_bytes = 3 << 29});
  put({.path = "validate",
       .state = State::kSucceeded,
       .attempt = 1,
       .started_s = created_s + 61,
       .finished_s = created_s + 75,
       .exit_code = 0,
       .log = log("validate.log", "reading\ndone"),
       .cpu_s = 1,
       .peak_memory_bytes = 1 << 20});
  put({.path = "convert", .state = State::kSkipped});
  put_artifact("train", "model", "system.Model", model, {{"layers", 4}});
  put_artifact("train", "metrics", "system.Metrics", "m" + model,
               {{"loss", loss}, {"steps", std::int64_t{9007199254740993}}, {"note", "not a number"}});
  put_artifact("validate", "report", "system.HTML", "<html></html>", {});
  return run;
}

}  // namespace test
