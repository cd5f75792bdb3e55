#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kfp/client/http.h"
#include "kfp/client/types.h"

namespace kfp::client {

/// One condition of a filter.
struct Predicate {
  std::string operation =
      "EQUALS";       ///< NOT_EQUALS, GREATER_THAN, LESS_THAN, IS_SUBSTRING, IN …, as in the API
  std::string key;    ///< "display_name", "state", "created_at" …
  std::string value;  ///< a string; for "created_at", a time
  std::vector<std::string> values;  ///< for IN
};

/// Options that select a part of a list.
struct ListOptions {
  std::vector<Predicate> filter;  ///< all conditions must hold
  std::string sort_by;            ///< "created_at desc"
  std::string experiment_id;      ///< for runs and recurring runs: only those of this experiment
  int page_size = 100;            ///< at most 200
  std::string page_token;
};

/// A filter in the format of the API; "" if there is none.
std::string filter_text(const std::vector<Predicate>& filter);

/// The API v2beta1. Lists, names and new objects belong to one namespace. Only one thread may use it at a
/// time. Calls throw the exceptions of Http::call(), and core::InputError for an answer that does not match
/// the API.
class Client {
 public:
  /// @param namespace_name namespace of the user, on servers with several users; empty on others
  explicit Client(HttpOptions options, std::string namespace_name = {});

  const std::string& namespace_name() const { return namespace_; }
  Http& http() { return http_; }

  Health health();

  Page<Pipeline> list_pipelines(const ListOptions& options = {});
  Pipeline pipeline(const std::string& pipeline_id);
  /// @throws Refused (404) if there is none of this name
  Pipeline pipeline_by_name(const std::string& name);
  /// Creates a pipeline without versions.
  Pipeline create_pipeline(const Pipeline& pipeline);
  /// Uploads a pipeline with a first version of the same name. @param text compiled pipeline (YAML), at most
  /// 32 MiB
  Pipeline upload_pipeline(const std::string& text, const Pipeline& pipeline);
  /// @param cascade delete its versions, too; otherwise a server refuses while there are any
  void delete_pipeline(const std::string& pipeline_id, bool cascade);

  Page<PipelineVersion> list_versions(const std::string& pipeline_id, const ListOptions& options = {});
  PipelineVersion version(const std::string& pipeline_id, const std::string& version_id);
  /// Uploads a version. From `version`, pipeline_id, name, display_name and description are sent.
  PipelineVersion upload_version(const std::string& text, const PipelineVersion& version);
  void delete_version(const std::string& pipeline_id, const std::string& version_id);

  Page<Experiment> list_experiments(const ListOptions& options = {});
  Experiment experiment(const std::string& experiment_id);
  Experiment create_experiment(const Experiment& experiment);
  void archive_experiment(const std::string& experiment_id);
  void unarchive_experiment(const std::string& experiment_id);
  void delete_experiment(const std::string& experiment_id);

  /// Starts a run exactly once: adds a line with a unique key, "calopipe-key: …", to its description. If the
  /// answer is lost, looks for the run with the key several times before sending it again.
  /// @throws Unreachable also if it is unknown whether the run was started, which the message says
  Run create_run(Run run);
  Run run(const std::string& run_id);
  Page<Run> list_runs(const ListOptions& options = {});
  void terminate_run(const std::string& run_id);
  void retry_run(const std::string& run_id);
  void archive_run(const std::string& run_id);
  void unarchive_run(const std::string& run_id);
  void delete_run(const std::string& run_id);
  /// What a container of a run has printed so far. @param pod_name Execution::pod_name
  std::string pod_log(const std::string& run_id, const std::string& pod_name);
  /// A file of the cluster's store, through the server of Kubeflow's pages, which has no listings: not for
  /// folders. @param uri "minio://bucket/key"; also s3, gs, http and https
  /// @throws core::UsageError for other stores
  std::string stored_file(const std::string& uri);

  RecurringRun create_recurring_run(const RecurringRun& recurring_run);
  RecurringRun recurring_run(const std::string& recurring_run_id);
  Page<RecurringRun> list_recurring_runs(const ListOptions& options = {});
  void enable_recurring_run(const std::string& recurring_run_id);
  void disable_recurring_run(const std::string& recurring_run_id);
  void delete_recurring_run(const std::string& recurring_run_id);

 private:
  template <class T>
  Page<T> list(const std::string& path, const char* field, const ListOptions& options);
  std::optional<Run> started_run(const Run& run, const std::string& key);
  void post(const std::string& path);
  void remove(const std::string& path);

  Http http_;
  std::string namespace_;
};

/// All items of a list, page by page, at most `most`.
/// @param list called with the options of each page:
///             [&](const ListOptions& o) { return client.list_runs(o); }
template <class List>
auto all_pages(const List& list, ListOptions options, std::size_t most = SIZE_MAX) {
  decltype(list(options).items) items;
  while (items.size() < most) {
    auto page = list(options);
    for (auto& item : page.items)
      if (items.size() < most) items.push_back(std::move(item));
    // A repeated token would never end.
    if (page.next_page_token.empty() || page.next_page_token == options.page_token) break;
    options.page_token = page.next_page_token;
  }
  return items;
}

}  // namespace kfp::client
