#include "tracking/mlflow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/remote.h"
#include "core/staged_output.h"

namespace tracking {
namespace fs = std::filesystem;
namespace {

using kfp::client::Refused;
using nlohmann::json;

constexpr const char* kChosenTag = "calopipe.chosen";
constexpr const char* kApi = "/api/2.0/mlflow/";
constexpr const char* kProxy = "/api/2.0/mlflow-artifacts/artifacts";
// A file has this time, and a second for each of these bytes.
constexpr double kUploadTimeoutS = 20, kSlowestUploadBytesPerS = 500e3;

json pairs(const std::map<std::string, std::string>& values) {
  json list = json::array();
  for (const auto& [key, value] : values) list.push_back({{"key", key}, {"value", value}});
  return list;
}

MlflowRun run_of(const json& run) {
  const json &info = run.at("info"), data = run.value("data", json::object());
  const json tags = data.value("tags", json::array());
  return {.id = info.at("run_id"),
          .experiment_id = info.at("experiment_id"),
          .artifact_uri = info.at("artifact_uri"),
          .is_chosen = std::any_of(tags.begin(), tags.end(),
                                   [](const json& tag) { return tag.at("key") == kChosenTag; }),
          .is_empty = !data.contains("metrics") && !data.contains("params")};
}

// Reads an answer; one with other fields is not from this API.
template <class Read>
auto read(const Read& reader) {
  try {
    return reader();
  } catch (const json::exception& error) {
    throw core::InputError(
        {.message = fmt::format("the server's answer is not that of MLflow: {}", error.what())});
  }
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

bool is_proxied(const std::string& uri) {
  return uri.starts_with("mlflow-artifacts:");
}

// "mlflow-artifacts://host:1/1/ab/artifacts" → "/1/ab/artifacts"
std::string path_of_proxied(const std::string& uri) {
  std::string path = uri.substr(uri.find(':') + 1);
  if (path.starts_with("//")) path.erase(0, std::min(path.find('/', 2), path.size()));
  return path;
}

std::string escaped_path(const std::string& path) {
  std::string result;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (begin > 0) result += '/';
    result += kfp::client::escaped(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

}  // namespace

json Mlflow::post(const std::string& path, json body) {
  return http_.call({.method = "POST", .path = kApi + path, .body = std::move(body), .idempotent = true});
}

json Mlflow::create(const std::string& path, json body) {
  return http_.call({.method = "POST", .path = kApi + path, .body = std::move(body), .try_again = false});
}

json Mlflow::get(const std::string& path, std::vector<std::pair<std::string, std::string>> query) {
  return http_.call({.path = kApi + path, .query = std::move(query)});
}

std::string Mlflow::experiment(const std::string& name) {
  const auto known = [&]() -> std::string {
    const json found = get("experiments/get-by-name", {{"experiment_name", name}});
    return read([&]() -> std::string {
      const json& one = found.at("experiment");
      if (one.value("lifecycle_stage", "active") != "active")
        throw core::InputError(
            {.message = fmt::format("the experiment \"{}\" was deleted", name),
             .hint = "restore it with mlflow experiments restore, or set MLFLOW_EXPERIMENT_NAME"});
      return one.at("experiment_id");
    });
  };
  try {
    return known();
  } catch (const Refused& error) {
    if (error.status() != 404) throw;
  }
  try {
    const json made = post("experiments/create", {{"name", name}});
    return read([&]() -> std::string { return made.at("experiment_id"); });
  } catch (const Refused& error) {
    // Another process was faster, or the answer to an earlier try was lost.
    if (error.status() != 400) throw;
  }
  return known();
}

std::vector<MlflowRun> Mlflow::search(const std::string& experiment_id, const std::string& filter) {
  const json found = post("runs/search", {{"experiment_ids", json::array({experiment_id})},
                                          {"filter", filter},
                                          {"order_by", json::array({"attributes.run_id ASC"})},
                                          {"max_results", 100}});
  return read([&] {
    std::vector<MlflowRun> runs;
    const json list = found.value("runs", json::array());
    runs.reserve(list.size());
    for (const json& run : list) runs.push_back(run_of(run));
    std::stable_partition(runs.begin(), runs.end(), [](const MlflowRun& run) { return run.is_chosen; });
    return runs;
  });
}

std::vector<MlflowRun> Mlflow::runs_of(const std::string& experiment_id, const std::string& our_id) {
  return search(experiment_id, fmt::format("tags.`{}` = {}", kIdTag, quoted(our_id)));
}

std::optional<MlflowRun> Mlflow::find_task(const MlflowRun& pipeline, const std::string& task) {
  const std::vector<MlflowRun> runs =
      search(pipeline.experiment_id, fmt::format("tags.mlflow.parentRunId = {} and attributes.run_name = {}",
                                                 quoted(pipeline.id), quoted(task)));
  return runs.empty() ? std::nullopt : std::optional(runs.front());
}

std::optional<MlflowRun> Mlflow::find_run(const std::string& experiment_id, const std::string& our_id) {
  const std::vector<MlflowRun> runs = runs_of(experiment_id, our_id);
  return runs.empty() || !runs.front().is_chosen ? std::nullopt : std::optional(runs.front());
}

void Mlflow::choose_run(const std::string& run_id) {
  log_batch(run_id, {}, {}, {{kChosenTag, "yes"}});
}

MlflowRun Mlflow::find_or_create_run(const std::string& experiment_id, const std::string& our_id,
                                     const std::string& name, std::int64_t time_ms,
                                     std::map<std::string, std::string> tags, double settle_s) {
  constexpr double kPauseS = 0.5;
  for (double waited_s = 0;; waited_s += kPauseS) {
    if (auto known = runs_of(experiment_id, our_id); !known.empty()) return std::move(known.front());
    if (waited_s >= settle_s) break;
    http_.wait(kPauseS);
  }
  tags[kIdTag] = our_id;
  const json made = create(
      "runs/create",
      {{"experiment_id", experiment_id}, {"run_name", name}, {"start_time", time_ms}, {"tags", pairs(tags)}});
  MlflowRun mine = read([&] { return run_of(made.at("run")); });
  // An earlier try without an answer may have been executed since. All choose the same run.
  const std::vector<MlflowRun> runs = runs_of(experiment_id, our_id);
  if (runs.size() < 2) return mine;
  if (runs.front().id != mine.id) post("runs/delete", {{"run_id", mine.id}});
  return runs.front();
}

void Mlflow::delete_empty_copies(const MlflowRun& run, const std::string& our_id) {
  for (const MlflowRun& copy : runs_of(run.experiment_id, our_id))
    if (copy.id != run.id && copy.is_empty && !copy.is_chosen) post("runs/delete", {{"run_id", copy.id}});
}

void Mlflow::update_run(const std::string& run_id, const std::string& status, std::int64_t end_time_ms) {
  json body = {{"run_id", run_id}, {"status", status}};
  if (end_time_ms > 0) body["end_time"] = end_time_ms;
  post("runs/update", body);
}

void Mlflow::log_batch(const std::string& run_id, const std::vector<Metric>& metrics,
                       const std::map<std::string, std::string>& params,
                       const std::map<std::string, std::string>& tags) {
  json rows = json::array();
  for (const Metric& metric : metrics)
    rows.push_back({{"key", metric.name},
                    {"value", metric.value},
                    {"timestamp", metric.time_ms},
                    {"step", metric.step}});
  post("runs/log-batch",
       {{"run_id", run_id}, {"metrics", rows}, {"params", pairs(params)}, {"tags", pairs(tags)}});
}

bool Mlflow::can_write(const std::string& artifact_uri) {
  return is_proxied(artifact_uri) || artifact_uri.starts_with("s3://");
}

void Mlflow::put_artifact(const MlflowRun& run, const std::string& path, const fs::path& file) {
  if (is_proxied(run.artifact_uri)) {
    http_.call(
        {.method = "PUT",
         .path = kProxy + escaped_path(path_of_proxied(run.artifact_uri) + '/' + path),
         .content_type = "application/octet-stream",
         .raw = core::read_file(file),
         .idempotent = true,
         .timeout_s = kUploadTimeoutS + static_cast<double>(fs::file_size(file)) / kSlowestUploadBytesPerS});
    return;
  }
  const auto upload = core::remote_storage().upload(run.artifact_uri + '/' + path, false);
  upload->send(file, "");
  upload->commit();
}

void Mlflow::register_model(const MlflowRun& run, const std::string& path, const std::string& name) {
  try {
    post("registered-models/create", {{"name", name}});
  } catch (const Refused& error) {
    if (error.status() != 400) throw;  // 400: it exists, or the name is wrong, which the next call says
  }
  const std::string source = run.artifact_uri + '/' + path;
  const json found = get("model-versions/search",
                         {{"filter", fmt::format("name={} and run_id={}", quoted(name), quoted(run.id))}});
  const bool is_known = read([&] {
    const json versions = found.value("model_versions", json::array());
    return std::any_of(versions.begin(), versions.end(),
                       [&](const json& version) { return version.at("source") == source; });
  });
  if (!is_known) create("model-versions/create", {{"name", name}, {"source", source}, {"run_id", run.id}});
}

}  // namespace tracking
