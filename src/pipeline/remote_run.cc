#include "pipeline/remote_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/provenance.h"
#include "core/text.h"
#include "kfp/client/metadata.h"
#include "kfp/client/outputs.h"
#include "kfp/client/submit.h"
#include "kfp/client/time_text.h"
#include "kfp/client/wait.h"
#include "kfp/ir/document.h"
#include "kfp/ir/validate.h"
#include "kfp/local/terminal_status.h"
#include "kfp/site/site.h"
#include "pipeline/local_run.h"
#include "pipeline/pipelines.h"

namespace pipeline {
namespace {

namespace client = kfp::client;
namespace local = kfp::local;
using client::RunState;
using nlohmann::json;

local::State local_state(RunState state) {
  switch (state) {
    case RunState::kSucceeded:
      return local::State::kSucceeded;
    case RunState::kSkipped:
      return local::State::kSkipped;
    case RunState::kFailed:
      return local::State::kFailed;
    case RunState::kCanceled:
      return local::State::kCanceled;
    case RunState::kRunning:
    case RunState::kCanceling:
      return local::State::kRunning;
    default:
      return local::State::kPending;
  }
}

// The workflow of a run has more nodes than the pipeline has tasks, named by the backend. The node of a task
// has its state, too; if a driver fails, it has the reason.
bool is_machinery(const client::TaskDetail& task) {
  if (task.display_name == "executor" || task.display_name == "root") return true;
  return task.display_name.ends_with("-driver") && task.state != RunState::kFailed;
}

// Names the tasks of a run. Tasks of several loop iterations have the same name.
class TaskPaths {
 public:
  std::string of(const client::TaskDetail& task) {
    const std::string& id = task.task_id.empty() ? task.display_name : task.task_id;
    const auto [known, is_new] = paths_.try_emplace(id, task.display_name);
    if (is_new)
      if (const int count = counts_[task.display_name]++; count > 0)
        known->second += fmt::format("[{}]", count);
    return known->second;
  }

 private:
  std::map<std::string, std::string> paths_;
  std::map<std::string, int> counts_;
};

local::TaskRecord task_record(const client::TaskDetail& task, std::string path) {
  return {.path = std::move(path),
          .name = task.display_name,
          .state = local_state(task.state),
          .started_s = task.started_s,
          .finished_s = task.finished_s,
          .error = task.error ? task.error->message : ""};
}

// Stores what the server says of a run and its tasks.
void record(local::RunRecord& known, const client::Run& run, local::Store& store) {
  known.state = local_state(run.state);
  known.created_s = run.created_s > 0 ? run.created_s : known.created_s;
  known.finished_s = run.finished_s;
  known.error = run.error ? run.error->message : "";
  known.remote->state = client::to_string(run.state);
  known.remote->seen_s = core::now_s();
  known.remote->problem.clear();
  store.update_run(known);
  if (!run.run_details) return;
  std::vector<client::TaskDetail> tasks = run.run_details->task_details;
  // The numbers in paths must not depend on the order of the answer.
  std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) {
    return std::tie(a.created_s, a.task_id) < std::tie(b.created_s, b.task_id);
  });
  TaskPaths paths;
  for (const client::TaskDetail& task : tasks) {
    if (is_machinery(task)) continue;
    local::TaskRecord one = task_record(task, paths.of(task));
    one.run_id = known.id;
    store.put_task(one);
  }
}

// Shows a run on a server as a local run is shown.
class Shown {
 public:
  explicit Shown(bool quiet) {
    using Style = local::StatusOptions::Style;
    status_ = local::terminal_status({.style = quiet ? Style::kQuiet : Style::kAuto});
  }

  // Waits as Http does, and redraws in the meantime.
  void sleep(double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (;;) {
      const double left = std::chrono::duration<double>(end - Clock::now()).count();
      if (left <= 0) return;
      if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted"});
      status_->on_tick();
      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.1)));
    }
  }
  void run(const client::Run& run) {
    const local::State state = local_state(run.state);
    // The run is announced once.
    if (!client::is_final(run.state) && std::exchange(announced_, true)) return;
    status_->on_run({.id = run.run_id,
                     .name = run.display_name,
                     .state = client::is_final(run.state) ? state : local::State::kRunning,
                     .created_s = run.created_s,
                     .finished_s = run.finished_s > 0 ? run.finished_s : core::now_s(),
                     .error = run.error ? run.error->message : ""});
  }
  void task(const client::TaskDetail& task) {
    if (is_machinery(task)) return;
    local::TaskRecord one = task_record(task, paths_.of(task));
    one.attempt = 1;
    status_->on_task(one);
  }
  void warning(const std::string& message) { status_->on_warning(message); }

 private:
  std::unique_ptr<local::Observer> status_;
  bool announced_ = false;
  TaskPaths paths_;
};

client::Client connect(const client::Context& context, Shown* shown) {
  client::HttpOptions options = client::http_options(context);
  if (shown != nullptr) options.sleep = [shown](double seconds) { shown->sleep(seconds); };
  return client::Client(std::move(options), context.namespace_name);
}

std::string attach_command(const client::Context& context, const std::string& run_id) {
  return fmt::format("calopipe kubeflow run attach {} --context {}", run_id, context.name);
}

// A task that failed, and the end of its log.
struct FailedTask {
  std::string name, log;
};

// Kubeflow's API has no reasons of failures, but the log has them. Empty if it cannot be had.
FailedTask failed_task(client::Client& server, const client::Context& context,
                       const std::string& run_id) try {
  FailedTask failed;
  for (const client::Execution& execution :
       client::Metadata(client::http_options(context)).executions(run_id)) {
    if (execution.state != client::Execution::State::kFailed || execution.pod_name.empty()) continue;
    failed.name = execution.task;
    failed.log = server.pod_log(run_id, execution.pod_name);
    constexpr std::size_t kLongest = 4000;
    if (failed.log.size() > kLongest) failed.log.erase(0, failed.log.size() - kLongest);
  }
  return failed;
} catch (const core::Interrupted&) {
  throw;
} catch (const core::Error&) {
  return {};
}

// The last line of a log that says why this program fails; else the last line.
std::string reason_in(const std::string& log) {
  std::string last, own;
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = core::trimmed(log.substr(at, end - at));
    if (!line.empty()) last = line;
    if (line.starts_with("calopipe: ")) own = line;
    at = end + 1;
  }
  return own.empty() ? last : own;
}

// Fails as a local run does: with the exit code of the first task that failed, if the backend or the log of
// the task tells it.
[[noreturn]] void fail(const client::Run& run, const client::Context& context, client::Client& server) {
  core::ErrorDetails details{
      .message = run.error && !run.error->message.empty() ? run.error->message : "the run failed",
      .hint = fmt::format("calopipe kubeflow run get {} --context {}", run.run_id, context.name)};
  core::ExitCode code = core::ExitCode::kInternal;
  const client::TaskDetail* first = nullptr;
  if (run.run_details)
    for (const client::TaskDetail& task : run.run_details->task_details)
      if (task.state == RunState::kFailed && !is_machinery(task) &&
          (first == nullptr || (task.finished_s > 0 && task.finished_s < first->finished_s)))
        first = &task;
  if (first != nullptr) {
    details.field = first->display_name;
    // The reason may be recorded only at the node of the container.
    std::string reason = first->error ? first->error->message : "";
    for (const client::TaskDetail& task : run.run_details->task_details)
      if (reason.empty() && task.error && task.parent_task_id == first->task_id) reason = task.error->message;
    std::string told = reason;
    if (reason.empty()) {
      const FailedTask failed = failed_task(server, context, run.run_id);
      reason = reason_in(failed.log);
      told = failed.log;
      if (!reason.empty()) {
        details.field = failed.name;
        details.hint = fmt::format("calopipe kubeflow run logs {} {} --context {}", run.run_id, failed.name,
                                   context.name);
      }
    }
    if (!reason.empty()) {
      details.message = "failed: " + reason;
      static const std::regex kCode("exit (?:code|status) ([2-4])\\b");
      std::smatch found;
      if (std::regex_search(told, found, kCode)) code = static_cast<core::ExitCode>(std::stoi(found[1]));
    }
  }
  throw core::Error(code, details);
}

// @param seen called with the run when it is first seen, when its state has changed, and when it is over
json follow(client::Client& server, const client::Context& context, const std::string& run_id, Shown& shown,
            const std::function<void(const client::Run&)>& seen) {
  // Errors end the waiting but not the run.
  const auto still_there = [&](const core::Error& error) {
    core::ErrorDetails details = error.details();
    details.message += fmt::format("; run {} continues", run_id);
    details.hint += (details.hint.empty() ? "" : "; ") + ("attach again: " + attach_command(context, run_id));
    throw core::Error(error.exit_code(), details);
  };
  client::Run run;
  try {
    run = client::wait(server, run_id,
                       {.on_task = [&](const client::TaskDetail& task) { shown.task(task); },
                        .on_run =
                            [&](const client::Run& changed) {
                              seen(changed);
                              shown.run(changed);
                            },
                        .on_outage =
                            [&](const std::string& error) {
                              shown.warning(error.empty() ? "the server answers again"
                                                          : error + "; the run continues, waiting for it");
                            }});
  } catch (const core::Interrupted&) {
    throw core::Interrupted({.message = fmt::format("detached; run {} continues", run_id),
                             .hint = "attach again: " + attach_command(context, run_id)});
  } catch (const client::Refused& error) {
    if (error.status() == 404) throw;  // the run was deleted
    still_there(error);
  } catch (const core::Error& error) {
    still_there(error);
  }
  seen(run);
  if (run.state == RunState::kFailed) fail(run, context, server);
  if (run.state == RunState::kCanceled)
    throw core::Error(core::ExitCode::kInterrupted,
                      {.message = fmt::format("run {} was terminated on the server", run_id)});
  return {{"run", run.run_id}, {"state", client::to_string(run.state)}, {"context", context.name}};
}

// Fetches the products of a run from the cluster's store. What cannot be fetched is reported when the rest is
// there.
json fetch_products(client::Client& server, const client::Context& context, const std::string& run_id,
                    const std::vector<client::Execution>& executions, const Delivery& delivery,
                    Shown& shown) {
  json places = json::object();
  if (delivery.out.empty()) return places;
  std::string failed;
  std::optional<core::ErrorDetails> first;
  for (const ProjectPipeline::Product& product : delivery.products) {
    const client::Artifact* artifact = nullptr;
    for (const client::Execution& execution : executions)
      for (const client::Artifact& output : execution.outputs)
        if (execution.task == product.task && output.name == product.output) artifact = &output;
    if (artifact == nullptr) continue;  // the task did not run
    const std::filesystem::path place = delivery.out / product.file;
    try {
      client::fetch_output(server, *artifact, place, context.s3_endpoint);
      places[place.stem().string()] = place.string();
    } catch (const core::Interrupted&) {
      throw;
    } catch (const core::Error& error) {
      shown.warning(fmt::format("{}: {}", product.file, error.what()));
      failed += (failed.empty() ? "" : ", ") + product.file;
      if (!first) first = error.details();
    }
  }
  if (first)
    throw core::UnavailableError(
        {.message = fmt::format("run {} is done, but these products were not fetched: {}", run_id, failed),
         .hint = first->hint});
  return places;
}

// Keeps the record of a run that is shown. The run continues without it, so that errors are only warnings.
class Recorder {
 public:
  Recorder(local::Store& store, Shown& shown) : store_(store), shown_(shown) {}

  void begin(local::RunRecord run, const Delivery& delivery) {
    guarded([&] {
      run_ = store_.create_run(std::move(run));
      delivery.write(run_->folder);
    });
  }
  void resume(local::RunRecord run) { run_ = std::move(run); }
  void seen(const client::Run& run) {
    if (run_) guarded([&] { record(*run_, run, store_); });
  }

 private:
  template <class Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (const core::Error& error) {
      shown_.warning(fmt::format("the run continues, but its record is incomplete: {}", error.what()));
      run_.reset();
    }
  }

  local::Store& store_;
  Shown& shown_;
  std::optional<local::RunRecord> run_;
};

// Products of tasks that succeeded are fetched from a failed run, too, as a local run provides them.
json follow_and_fetch(client::Client& server, const client::Context& context, const std::string& run_id,
                      Shown& shown, Recorder& recorder, const Delivery& delivery) {
  const auto executions = [&] {
    return client::Metadata(client::http_options(context)).latest_executions(run_id);
  };
  json summary;
  try {
    summary = follow(server, context, run_id, shown, [&](const client::Run& one) { recorder.seen(one); });
  } catch (const core::Interrupted&) {
    throw;
  } catch (const core::Error&) {
    try {
      if (!delivery.out.empty()) fetch_products(server, context, run_id, executions(), delivery, shown);
    } catch (const core::Error& error) {
      shown.warning(error.what());
    }
    throw;
  }
  std::vector<client::Execution> known;
  try {
    known = executions();
  } catch (const client::Unreachable&) {
    if (!delivery.out.empty()) throw;
  } catch (const client::Refused&) {  // a bare API server has no such record
    if (!delivery.out.empty()) throw;
  }
  json reused = json::array();
  for (const client::Execution& execution : known)
    if (execution.state == client::Execution::State::kCached) reused.push_back(execution.task);
  summary["reused"] = std::move(reused);
  summary.update(fetch_products(server, context, run_id, known, delivery, shown));
  return summary;
}

// The given parameters and the defaults of the others, as local runs record them.
json all_parameters(const kfp::ir::PipelineSpec& spec, json parameters) {
  if (!spec.root || !spec.root->input_definitions) return parameters;
  for (const auto& [name, definition] : spec.root->input_definitions->parameters) {
    if (!definition.default_value || parameters.contains(name)) continue;
    json& value = parameters[name] = *definition.default_value;
    // Compiled pipelines may have integers as 5.0.
    if (definition.parameter_type == kfp::ir::ParameterType::kNumberInteger && value.is_number_float())
      value = static_cast<std::int64_t>(value.get<double>());
  }
  return parameters;
}

}  // namespace

client::Context recorded_context(const local::RemotePlace& place) {
  client::Context context = client::choose_context(place.context, client::contexts_file());
  if (context.server != place.server)
    throw core::UsageError({.message = fmt::format("context {} now names {}, but the run is on {}",
                                                   place.context, context.server, place.server)});
  return context;
}

json run_remotely(const kfp::Registry& registry, const RemoteRunOptions& options,
                  const client::Context& context, local::Store& store) {
  PreparedPipeline prepared = prepare_pipeline(registry, options.pipeline, options.config, options.settings);
  const Delivery delivery(options.out, prepared.products);
  Shown shown(options.quiet);
  for (const kfp::ir::ReadingNote& note : prepared.compiled.notes)
    if (!note.harmless) shown.warning(fmt::format("{}: {}", note.place, note.message));
  const std::string own_image = default_image();
  std::vector<std::string> components;
  for (const auto& [name, factory] : registry.all()) components.push_back(name);
  kfp::Site site;
  if (!options.site.empty()) site = kfp::Site::read(options.site, components);
  site.apply(prepared.compiled, own_image);
  if (options.log) put_log_options(prepared.compiled, options.log);
  for (const kfp::ir::Problem& problem : kfp::ir::validate(prepared.compiled))
    if (problem.severity == kfp::ir::Problem::Severity::kError)
      throw core::InputError({.message = problem.message,
                              .file = options.pipeline,
                              .field = problem.place,
                              .hint = problem.hint});
  const std::string name =
      prepared.compiled.spec.pipeline_info ? prepared.compiled.spec.pipeline_info->name.value_or("") : "";
  if (!prepared.image.empty() && site.image().empty())
    shown.warning(fmt::format("the site has no image setting: the cluster must have {}", own_image));

  client::Client server = connect(context, &shown);
  const std::string text = kfp::ir::to_yaml(prepared.compiled);
  const client::SubmittedVersion submitted =
      client::ensure_version(server, name, text, fmt::format("compiled by calopipe {}", core::version()));
  client::Run run{
      .display_name = options.run_name.empty() ? fmt::format("{} {}", name, client::time_text(core::now_s()))
                                               : options.run_name,
      .pipeline_version_reference = client::PipelineVersionReference{submitted.version.pipeline_id,
                                                                     submitted.version.pipeline_version_id},
      .runtime_config = {.parameters = prepared.parameters}};
  if (!context.experiment.empty())
    run.experiment_id = client::ensure_experiment(server, context.experiment).experiment_id;
  run = server.create_run(run);
  json summary = {{"run", run.run_id}, {"state", client::to_string(run.state)}, {"context", context.name}};
  Recorder recorder(store, shown);
  recorder.begin({.id = run.run_id,
                  .pipeline = name,
                  .name = run.display_name,
                  .state = local_state(run.state),
                  .created_s = run.created_s,
                  .parameters = all_parameters(prepared.compiled.spec, prepared.parameters),
                  .program_version = core::version(),
                  .spec_sha256 = core::sha256(text),
                  .remote = local::RemotePlace{.context = context.name,
                                               .server = context.server,
                                               .state = client::to_string(run.state),
                                               .seen_s = core::now_s()}},
                 delivery);
  if (!options.detach) summary = follow_and_fetch(server, context, run.run_id, shown, recorder, delivery);
  summary["name"] = run.display_name;
  summary["pipeline"] = name;
  summary["version"] = submitted.version.name;
  summary["uploaded"] = submitted.uploaded;
  if (options.detach) summary["attach"] = attach_command(context, run.run_id);
  return summary;
}

json attach_remotely(const client::Context& context, const std::string& run, bool quiet) {
  Shown shown(quiet);
  client::Client server = connect(context, &shown);
  return follow(server, context, client::find_run(server, run).run_id, shown, [](const client::Run&) {});
}

json attach_recorded(const local::RunRecord& run, bool quiet, local::Store& store) {
  if (!run.remote) throw core::UsageError({.message = fmt::format("run {} is on this machine", run.id)});
  const client::Context context = recorded_context(*run.remote);
  Shown shown(quiet);
  client::Client server = connect(context, &shown);
  Recorder recorder(store, shown);
  recorder.resume(run);
  return follow_and_fetch(server, context, run.id, shown, recorder, Delivery::read(run.folder));
}

namespace {

// Options for somebody who waits for a table.
client::HttpOptions impatient(const client::Context& context) {
  client::HttpOptions options = client::http_options(context);
  options.retries.attempts = 2;
  options.call_timeout_s = 20;
  return options;
}

}  // namespace

struct RemoteRefresh::Server {
  std::optional<client::Client> client;
  std::string problem;  ///< why there is no use in asking
};

RemoteRefresh::RemoteRefresh(local::Store& store) : store_(store) {}
RemoteRefresh::~RemoteRefresh() = default;

RemoteRefresh::Server& RemoteRefresh::server_of(const local::RemotePlace& place) {
  std::unique_ptr<Server>& server = servers_[place.context + "\n" + place.server];
  if (server != nullptr) return *server;
  server = std::make_unique<Server>();
  try {
    const client::Context context = recorded_context(place);
    server->client.emplace(impatient(context), context.namespace_name);
  } catch (const core::Error& error) {
    server->problem = error.what();
  }
  return *server;
}

std::vector<local::Metric> RemoteRefresh::metrics(const local::RunRecord& run) {
  std::vector<local::Metric> all;
  const client::HttpOptions options = impatient(recorded_context(*run.remote));
  for (const client::Execution& execution : client::Metadata(options).latest_executions(run.id))
    for (const client::Artifact& output : execution.outputs)
      for (const auto& [name, value] : output.metadata.items())
        if (output.type == "system.Metrics" && value.is_number())
          all.push_back({.task = execution.task, .artifact = output.name, .name = name, .value = value});
  return all;
}

local::RunRecord RemoteRefresh::refreshed(local::RunRecord run) {
  if (!run.remote) return run;
  Server& server = server_of(*run.remote);
  std::optional<client::Run> answer;
  if (server.problem.empty()) {
    try {
      answer = server.client->run(run.id);
    } catch (const core::Interrupted&) {
      throw;
    } catch (const client::Refused& error) {
      if (error.status() == 401 || error.status() == 403) server.problem = error.what();
      run.remote->problem = error.status() == 404 ? "the server no longer has this run" : error.what();
    } catch (const client::Unreachable& error) {
      server.problem = error.what();
    } catch (const core::Error& error) {
      run.remote->problem = error.what();
    }
  }
  if (!server.problem.empty()) run.remote->problem = server.problem;
  if (answer) record(run, *answer, store_);
  return run;
}

}  // namespace pipeline
