#include "kfp/client/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <random>

#include "kfp/client/time_text.h"
#include "kfp/client/wire.h"

namespace kfp::client {
namespace {

using nlohmann::json;

const std::string kApi = "/apis/v2beta1";

std::string with_id(const char* collection, const std::string& id) {
  // Without an id, the call would mean the whole collection: DELETE, or a list.
  if (id.empty()) throw core::UsageError({.message = "no id is given", .field = collection});
  return fmt::format("{}/{}/{}", kApi, collection, escaped(id));
}

std::string version_path(const std::string& pipeline_id, const std::string& version_id) {
  if (version_id.empty()) throw core::UsageError({.message = "no id is given", .field = "versions"});
  return with_id("pipelines", pipeline_id) + "/versions/" + escaped(version_id);
}

std::string unique_key() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 4; ++i) key += fmt::format("{:08x}", random());
  return key;
}

void check_size(const std::string& text) {
  constexpr std::size_t kMost = 32U << 20;
  if (text.size() > kMost)
    throw core::InputError(
        {.message = fmt::format("the compiled pipeline has {} bytes; servers accept at most {}", text.size(),
                                kMost)});
}

// The server determines the format from the extension.
std::string file_name(const std::string& name) {
  std::string safe;
  for (const char c : name)
    safe += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' ? c : '-';
  return (safe.empty() ? "pipeline" : safe) + ".yaml";
}

}  // namespace

std::string filter_text(const std::vector<Predicate>& filter) {
  if (filter.empty()) return "";
  json predicates = json::array();
  for (const Predicate& predicate : filter) {
    json written = {{"operation", predicate.operation}, {"key", predicate.key}};
    if (predicate.operation == "IN")
      written["string_values"] = {{"values", predicate.values}};
    else if (predicate.key == "created_at" && parse_time(predicate.value))
      written["timestamp_value"] = predicate.value;
    else
      written["string_value"] = predicate.value;
    predicates.push_back(std::move(written));
  }
  return json{{"predicates", predicates}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

Client::Client(HttpOptions options, std::string namespace_name)
    : http_(std::move(options)), namespace_(std::move(namespace_name)) {}

template <class T>
Page<T> Client::list(const std::string& path, const char* field, const ListOptions& options) {
  Request request{.path = kApi + path,
                  .query = {{"page_token", options.page_token},
                            {"page_size", std::to_string(std::clamp(options.page_size, 1, 200))},
                            {"sort_by", options.sort_by},
                            {"filter", filter_text(options.filter)},
                            {"experiment_id", options.experiment_id}}};
  // Versions are found by their pipeline.
  if (!path.ends_with("/versions")) request.query.emplace_back("namespace", namespace_);
  return read_page<T>(http_.call(request), field);
}

void Client::post(const std::string& path) {
  http_.call({.method = "POST", .path = path});
}

void Client::remove(const std::string& path) {
  http_.call({.method = "DELETE", .path = path});
}

Health Client::health() {
  return read<Health>(http_.call({.path = kApi + "/healthz"}));
}

Page<Pipeline> Client::list_pipelines(const ListOptions& options) {
  return list<Pipeline>("/pipelines", "pipelines", options);
}

Pipeline Client::pipeline(const std::string& pipeline_id) {
  return read<Pipeline>(http_.call({.path = with_id("pipelines", pipeline_id)}));
}

Pipeline Client::pipeline_by_name(const std::string& name) {
  return read<Pipeline>(
      http_.call({.path = with_id("pipelines/names", name), .query = {{"namespace", namespace_}}}));
}

Pipeline Client::create_pipeline(const Pipeline& pipeline) {
  Pipeline created = pipeline;
  if (created.namespace_name.empty()) created.namespace_name = namespace_;
  return read<Pipeline>(http_.call({.method = "POST", .path = kApi + "/pipelines", .body = write(created)}));
}

Pipeline Client::upload_pipeline(const std::string& text, const Pipeline& pipeline) {
  check_size(text);
  const std::string& name_space = pipeline.namespace_name.empty() ? namespace_ : pipeline.namespace_name;
  return read<Pipeline>(http_.call({.method = "POST",
                                    .path = kApi + "/pipelines/upload",
                                    .query = {{"name", pipeline.name},
                                              {"display_name", pipeline.display_name},
                                              {"description", pipeline.description},
                                              {"namespace", name_space}},
                                    .upload = text,
                                    .upload_name = file_name(pipeline.name)}));
}

void Client::delete_pipeline(const std::string& pipeline_id, bool cascade) {
  http_.call({.method = "DELETE",
              .path = with_id("pipelines", pipeline_id),
              .query = {{"cascade", cascade ? "true" : ""}}});
}

Page<PipelineVersion> Client::list_versions(const std::string& pipeline_id, const ListOptions& options) {
  // Removes the prefix that list() adds.
  return list<PipelineVersion>(with_id("pipelines", pipeline_id).substr(kApi.size()) + "/versions",
                               "pipeline_versions", options);
}

PipelineVersion Client::version(const std::string& pipeline_id, const std::string& version_id) {
  return read<PipelineVersion>(http_.call({.path = version_path(pipeline_id, version_id)}));
}

PipelineVersion Client::upload_version(const std::string& text, const PipelineVersion& version) {
  check_size(text);
  if (version.pipeline_id.empty())
    throw core::UsageError({.message = "no id is given", .field = "pipelines"});
  return read<PipelineVersion>(http_.call({.method = "POST",
                                           .path = kApi + "/pipelines/upload_version",
                                           .query = {{"name", version.name},
                                                     {"display_name", version.display_name},
                                                     {"pipelineid", version.pipeline_id},
                                                     {"description", version.description}},
                                           .upload = text,
                                           .upload_name = file_name(version.name)}));
}

void Client::delete_version(const std::string& pipeline_id, const std::string& version_id) {
  remove(version_path(pipeline_id, version_id));
}

Page<Experiment> Client::list_experiments(const ListOptions& options) {
  return list<Experiment>("/experiments", "experiments", options);
}

Experiment Client::experiment(const std::string& experiment_id) {
  return read<Experiment>(http_.call({.path = with_id("experiments", experiment_id)}));
}

Experiment Client::create_experiment(const Experiment& experiment) {
  Experiment created = experiment;
  if (created.namespace_name.empty()) created.namespace_name = namespace_;
  return read<Experiment>(
      http_.call({.method = "POST", .path = kApi + "/experiments", .body = write(created)}));
}

void Client::archive_experiment(const std::string& experiment_id) {
  post(with_id("experiments", experiment_id) + ":archive");
}
void Client::unarchive_experiment(const std::string& experiment_id) {
  post(with_id("experiments", experiment_id) + ":unarchive");
}
void Client::delete_experiment(const std::string& experiment_id) {
  remove(with_id("experiments", experiment_id));
}

// Finds the run by its key, because several runs may have the same name.
std::optional<Run> Client::started_run(const Run& run, const std::string& key) {
  ListOptions options{.filter = {{.key = "display_name", .value = run.display_name}},
                      .sort_by = "created_at desc",
                      .experiment_id = run.experiment_id};
  for (Run& found : all_pages([&](const ListOptions& page) { return list_runs(page); }, options))
    if (found.description.find(key) != std::string::npos) return std::move(found);
  return std::nullopt;
}

Run Client::create_run(Run run) {
  const std::string key = unique_key();
  run.description += (run.description.empty() ? "calopipe-key: " : "\ncalopipe-key: ") + key;
  const Request request{.method = "POST", .path = kApi + "/runs", .body = write(run), .try_again = false};
  const Retries& retries = http_.options().retries;
  for (int attempt = 1;; ++attempt) {
    double retry_after_s = -1;
    try {
      return read<Run>(http_.call(request));
    } catch (const Unreachable& error) {
      retry_after_s = error.retry_after_s();
      const bool too_long = retry_after_s > retries.longest_retry_after_s;
      if (error.done() == Unreachable::Done::kPerhaps) {
        try {
          // A server whose answer was lost may still be working: it gets time. A server that answered is
          // done.
          double waited_s = 0;
          for (int look = 1;; ++look) {
            if (std::optional<Run> found = started_run(run, key)) return std::move(*found);
            if (error.answered() || waited_s >= retries.settle_s) break;
            const double wait_s = wait_before(retries, look);
            http_.wait(wait_s);
            waited_s += wait_s;
          }
        } catch (const core::Error& lookup) {
          core::ErrorDetails details = error.details();
          details.message += fmt::format("; it is unknown whether run \"{}\" was started", run.display_name);
          details.hint = "calopipe kubeflow run list shows it when the server answers";
          if (lookup.exit_code() == core::ExitCode::kInterrupted) throw core::Interrupted(details);
          throw Unreachable(error.done(), details);
        }
      }
      if (attempt >= retries.attempts || too_long) throw;
    }
    http_.wait(std::max(wait_before(retries, attempt), retry_after_s));
  }
}

Run Client::run(const std::string& run_id) {
  return read<Run>(http_.call({.path = with_id("runs", run_id)}));
}
Page<Run> Client::list_runs(const ListOptions& options) {
  return list<Run>("/runs", "runs", options);
}
void Client::terminate_run(const std::string& run_id) {
  post(with_id("runs", run_id) + ":terminate");
}
void Client::retry_run(const std::string& run_id) {
  post(with_id("runs", run_id) + ":retry");
}
void Client::archive_run(const std::string& run_id) {
  post(with_id("runs", run_id) + ":archive");
}
void Client::unarchive_run(const std::string& run_id) {
  post(with_id("runs", run_id) + ":unarchive");
}
void Client::delete_run(const std::string& run_id) {
  remove(with_id("runs", run_id));
}

std::string Client::pod_log(const std::string& run_id, const std::string& pod_name) {
  // The server answers with an internal error if there is no such pod (any more).
  return http_.text(
      {.path = fmt::format("/apis/v1alpha1/runs/{}/nodes/{}/log", escaped(run_id), escaped(pod_name)),
       .try_again = false});
}

std::string Client::stored_file(const std::string& uri) {
  const std::size_t scheme = uri.find("://");
  const std::string name = scheme == std::string::npos ? "" : uri.substr(0, scheme);
  const bool known = name == "minio" || name == "s3" || name == "gs" || name == "http" || name == "https";
  const std::size_t bucket = scheme + 3;
  const std::size_t key = known ? uri.find('/', bucket) : std::string::npos;
  if (key == std::string::npos)
    throw core::UsageError({.message = fmt::format("\"{}\" is in no store that Kubeflow's pages read", uri)});
  std::string path =
      fmt::format("/artifacts/{}/{}", name == "gs" ? "gcs" : name, escaped(uri.substr(bucket, key - bucket)));
  for (std::size_t at = key; at != std::string::npos;) {
    const std::size_t end = uri.find('/', at + 1);
    path += "/" + escaped(uri.substr(at + 1, end == std::string::npos ? end : end - at - 1));
    at = end;
  }
  // The pages answer with an internal error if there is no such file.
  return http_.text({.path = path, .query = {{"namespace", namespace_}}, .try_again = false});
}

RecurringRun Client::create_recurring_run(const RecurringRun& recurring_run) {
  RecurringRun created = recurring_run;
  if (created.namespace_name.empty()) created.namespace_name = namespace_;
  return read<RecurringRun>(
      http_.call({.method = "POST", .path = kApi + "/recurringruns", .body = write(created)}));
}
RecurringRun Client::recurring_run(const std::string& recurring_run_id) {
  return read<RecurringRun>(http_.call({.path = with_id("recurringruns", recurring_run_id)}));
}
// The published model has this field in camel case, too: servers send "recurringRuns".
Page<RecurringRun> Client::list_recurring_runs(const ListOptions& options) {
  return list<RecurringRun>("/recurringruns", "recurringRuns", options);
}
void Client::enable_recurring_run(const std::string& recurring_run_id) {
  post(with_id("recurringruns", recurring_run_id) + ":enable");
}
void Client::disable_recurring_run(const std::string& recurring_run_id) {
  post(with_id("recurringruns", recurring_run_id) + ":disable");
}
void Client::delete_recurring_run(const std::string& recurring_run_id) {
  remove(with_id("recurringruns", recurring_run_id));
}

}  // namespace kfp::client
