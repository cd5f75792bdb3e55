#include "pipeline/remote_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/provenance.h"
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

double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

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
                     .finished_s = run.finished_s > 0 ? run.finished_s : now_s(),
                     .error = run.error ? run.error->message : ""});
  }
  void task(const client::TaskDetail& task) {
    if (is_machinery(task)) return;
    status_->on_task({.path = path_of(task),
                      .name = task.display_name,
                      .state = local_state(task.state),
                      .attempt = 1,
                      .started_s = task.started_s,
                      .finished_s = task.finished_s,
                      .error = task.error ? task.error->message : ""});
  }
  void warning(const std::string& message) { status_->on_warning(message); }

 private:
  // Tasks of several loop iterations have the same name.
  std::string path_of(const client::TaskDetail& task) {
    const std::string& id = task.task_id.empty() ? task.display_name : task.task_id;
    const auto [known, is_new] = paths_.try_emplace(id, task.display_name);
    if (is_new)
      if (const int count = counts_[task.display_name]++; count > 0)
        known->second += fmt::format("[{}]", count);
    return known->second;
  }

  std::unique_ptr<local::Observer> status_;
  bool announced_ = false;
  std::map<std::string, std::string> paths_;
  std::map<std::string, int> counts_;
};

client::Client connect(const client::Context& context, Shown* shown) {
  client::HttpOptions options = client::http_options(context);
  if (shown != nullptr) options.sleep = [shown](double seconds) { shown->sleep(seconds); };
  return client::Client(std::move(options), context.namespace_name);
}

std::string attach_command(const client::Context& context, const std::string& run_id) {
  return fmt::format("calopipe kubeflow run attach {} --context {}", run_id, context.name);
}

// Fails as a local run does: with the exit code of the first task that failed, if the backend reports it.
[[noreturn]] void fail(const client::Run& run, const client::Context& context) {
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
    if (!reason.empty()) {
      details.message = "failed: " + reason;
      static const std::regex kCode("exit (?:code|status) ([2-4])\\b");
      std::smatch found;
      if (std::regex_search(reason, found, kCode)) code = static_cast<core::ExitCode>(std::stoi(found[1]));
    }
  }
  throw core::Error(code, details);
}

json follow(client::Client& server, const client::Context& context, const std::string& run_id, Shown& shown) {
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
                        .on_run = [&](const client::Run& changed) { shown.run(changed); },
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
  if (run.state == RunState::kFailed) fail(run, context);
  if (run.state == RunState::kCanceled)
    throw core::Error(core::ExitCode::kInterrupted,
                      {.message = fmt::format("run {} was terminated on the server", run_id)});
  return {{"run", run.run_id}, {"state", client::to_string(run.state)}, {"context", context.name}};
}

}  // namespace

json run_remotely(const kfp::Registry& registry, const RemoteRunOptions& options,
                  const client::Context& context) {
  PreparedPipeline prepared = prepare_pipeline(registry, options.pipeline, options.config, options.settings);
  Shown shown(options.quiet);
  for (const kfp::ir::ReadingNote& note : prepared.compiled.notes)
    if (!note.harmless) shown.warning(fmt::format("{}: {}", note.place, note.message));
  const std::string own_image = default_image();
  std::vector<std::string> components;
  for (const auto& [name, factory] : registry.all()) components.push_back(name);
  kfp::Site site;
  if (!options.site.empty()) site = kfp::Site::read(options.site, components);
  site.apply(prepared.compiled, own_image);
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
      .display_name = options.run_name.empty() ? fmt::format("{} {}", name, client::time_text(now_s()))
                                               : options.run_name,
      .pipeline_version_reference = client::PipelineVersionReference{submitted.version.pipeline_id,
                                                                     submitted.version.pipeline_version_id},
      .runtime_config = {.parameters = prepared.parameters}};
  if (!context.experiment.empty())
    run.experiment_id = client::ensure_experiment(server, context.experiment).experiment_id;
  run = server.create_run(run);
  json summary = {{"run", run.run_id}, {"state", client::to_string(run.state)}, {"context", context.name}};
  if (!options.detach) summary = follow(server, context, run.run_id, shown);
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
  return follow(server, context, client::find_run(server, run).run_id, shown);
}

}  // namespace pipeline
