#include "app/runs_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "app/desktop.h"
#include "app/output.h"
#include "app/remote_logs.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "kfp/local/run_logs.h"
#include "kfp/local/runs_compare.h"
#include "kfp/local/runs_report.h"
#include "kfp/local/text_table.h"
#include "pipeline/remote_run.h"
#include "tracking/destination.h"
#include "tracking/sender.h"

namespace app {
namespace fs = std::filesystem;
namespace {

using kfp::local::RunRecord;
using kfp::local::RunReport;
using nlohmann::json;

kfp::local::TextStyle terminal_style() {
  kfp::local::TextStyle style{.now_s = core::now_s()};
  if (const int width = terminal_width()) style.width = width;
  return style;
}

bool is_live(const RunRecord& run) {
  return !is_final(run.state) && run.runner_pid != 0;
}

// A command for a remote run: "calopipe kubeflow run retry ID --context cern".
std::string kubeflow_command(const char* verb, const RunRecord& run) {
  return fmt::format("calopipe kubeflow run {} {} --context {}", verb, run.id, run.remote->context);
}

std::string page_of(const RunRecord& run) {
  std::string server = run.remote->server;
  while (server.ends_with('/')) server.pop_back();
  return fmt::format("{}/#/runs/details/{}", server, run.id);
}

std::string sync_line(const tracking::WaitingRun& run, std::int64_t before, bool dry_run) {
  const std::string name = run.name.empty() ? run.id : fmt::format("{} {} for {}", run.id, run.name, run.to);
  if (run.live) return fmt::format("{}: its process is at work, and sends its records", run.id);
  if (!run.problem.empty()) return fmt::format("{}: {} records wait: {}", name, run.records, run.problem);
  if (dry_run) return fmt::format("{}: {} records wait", name, run.records);
  return fmt::format("{}: {} records sent", name, before - run.records);
}

// The report of a run; a remote run is refreshed first.
RunReport current_report(kfp::local::Store& store, pipeline::RemoteRefresh& refresh, const std::string& id) {
  const RunRecord run = refresh.refreshed(store.run(id));
  RunReport report = kfp::local::read_report(store, run.id);
  report.run = run;
  if (!run.remote) return report;
  try {
    if (run.remote->problem.empty()) report.metrics = refresh.metrics(run);
  } catch (const core::Interrupted&) {
    throw;
  } catch (const core::Error& error) {
    fmt::print(stderr, "calopipe: metrics of run {} cannot be read: {}\n", run.id, error.what());
  }
  return report;
}

}  // namespace

RunsCommand::RunsCommand(CLI::App& app, Resume resume)
    : resume_hook_(std::move(resume)),
      subcommand_(app.add_subcommand(
          "runs",
          "Shows, compares and deletes runs: those on this machine, and those that it started on Kubeflow")) {
  subcommand_->group("Tools");
  subcommand_->require_subcommand(1);
  subcommand_->footer(
      "A run is named by its id, the beginning of the id, or \"latest\".\n"
      "Examples:\n  calopipe runs list\n  calopipe runs show latest\n  calopipe runs logs latest train "
      "--follow");

  list_ = add("list", "Lists the runs, newest first",
              "Examples:\n  calopipe runs list --state FAILED --limit 5\n  calopipe runs list --refresh\n"
              "  calopipe runs list --json");
  list_->add_flag("--refresh", refresh_, "Ask the servers for the states of unfinished runs on Kubeflow");
  list_->add_option("--limit", limit_, "Only the newest N runs")->check(CLI::PositiveNumber)->type_name("N");
  list_->add_option("--pipeline", pipeline_, "Only runs of this pipeline, or with this name");
  list_
      ->add_option("--state", states_,
                   "Only runs in this state: PENDING, RUNNING, SUCCEEDED, FAILED, CANCELED")
      ->type_name("STATE");

  show_ = add("show", "Prints a run: parameters, tasks, metrics, artifacts",
              "Examples:\n  calopipe runs show latest\n  calopipe runs show latest --task train --json");
  add_run_argument(*show_, "Run");
  show_->add_option("--task", task_,
                    "All details of one task: its path, the last part of the path, or its name");

  logs_ = add("logs", "Prints the log of a task, or the logs of all tasks with their names",
              "Examples:\n  calopipe runs logs latest train --follow\n  calopipe runs logs 2026 --tail 20");
  add_run_argument(*logs_, "Run");
  logs_->add_option("task", task_, "Path of a task, the last part of the path, or its name");
  logs_->add_flag("--follow,-f", follow_, "Continue until the task or the run ends");
  logs_->add_option("--tail", tail_, "Only the last N lines of each task")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");

  open_ = add(
      "open",
      "Opens the HTML report of a run, or another artifact (of a run on Kubeflow, its page there); prints "
      "the path without a display",
      "Examples:\n  calopipe runs open latest\n  calopipe runs open latest train/model --print");
  add_run_argument(*open_, "Run");
  open_->add_option("artifact", artifact_,
                    "Name of the artifact, with or without its task: report, validate/report");
  open_->add_flag("--print", print_, "Only print the path or the address");

  attach_ = add("attach", "Shows a run on Kubeflow until it ends; Ctrl-C does not stop the run",
                "Examples:\n  calopipe runs attach latest");
  add_run_argument(*attach_, "Run");
  attach_->add_flag("--quiet,-q", quiet_, "Only warnings and errors");

  compare_ = add("compare", "Compares runs: parameters that differ, metrics, durations, artifacts",
                 "Examples:\n  calopipe runs compare latest 20261124-093000-3fa9");
  compare_->add_option("runs", ids_, "Runs")->required()->expected(2, 1000)->type_name("ID");

  delete_ =
      add("delete",
          "Deletes the records, logs and artifacts of runs on this machine (artifacts that other runs use, "
          "and runs on a server, are kept)",
          "Examples:\n  calopipe runs delete 20261124-093000-3fa9\n"
          "  calopipe runs delete --older-than 30 --keep 10 --yes");
  delete_->add_option("runs", ids_, "Runs")->expected(0, 100'000)->type_name("ID");
  delete_->add_option("--older-than", older_than_days_, "Runs that began more than this many days ago")
      ->check(CLI::NonNegativeNumber)
      ->type_name("DAYS");
  delete_->add_option("--keep", keep_, "All but this many of the newest runs")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  delete_->add_flag("--yes,-y", yes_, "Do not ask");

  sync_ = add("sync", "Sends the records that wait for an MLflow server (--log) and lists what still waits",
              "Records wait if the server was away, or the process was killed. The login is that of MLflow's "
              "own client:\n"
              "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.\n"
              "Examples:\n  calopipe runs sync --dry-run\n  calopipe runs sync\n"
              "  calopipe runs sync --drop 3fa9c1d2e4b5a6978899aabbccddeeff");
  sync_->add_flag("--dry-run", dry_run_, "Only list what waits");
  sync_->add_option("--drop", drop_, "Delete the records of this run instead of sending them")
      ->type_name("ID");

  if (resume_hook_) {
    resume_ = add("resume", "Resumes a run that was interrupted or killed, or that failed",
                  "Examples:\n  calopipe runs resume latest");
    add_run_argument(*resume_, "Run");
  }
}

CLI::App* RunsCommand::add(const char* name, const char* what, const char* footer) {
  CLI::App* command = subcommand_->add_subcommand(name, what);
  command->footer(footer);
  command->add_option("--store", store_, "Folder of the runs; $CALOPIPE_STORE, else .calopipe")
      ->type_name("DIR");
  command->add_flag("--json", json_, "Print the result as JSON");
  return command;
}

void RunsCommand::add_run_argument(CLI::App& command, const char* what) {
  command.add_option("run", id_, what)->required()->type_name("ID");
}

std::unique_ptr<kfp::local::Store> RunsCommand::open_store() const {
  const fs::path folder = store_.empty() ? kfp::local::default_store_folder() : store_;
  // A command that only looks must not create a store.
  std::error_code error;
  if (!fs::exists(folder / "runs.db", error))
    throw core::InputError({.message = "there is no store of runs",
                            .file = folder,
                            .hint = "--store or CALOPIPE_STORE names another folder"});
  return kfp::local::Store::open(folder);
}

int RunsCommand::run() {
  if (list_->parsed()) return list();
  if (show_->parsed()) return show();
  if (logs_->parsed()) return logs();
  if (open_->parsed()) return open();
  if (attach_->parsed()) return attach();
  if (compare_->parsed()) return compare();
  if (delete_->parsed()) return remove();
  if (sync_->parsed()) return sync();
  const auto store = open_store();
  const RunRecord run = store->run(id_);
  if (run.remote)
    throw core::UsageError(
        {.message = fmt::format("run {} is on Kubeflow, and is not resumed from here", run.id),
         .hint = fmt::format("{} runs its failed tasks again, calopipe runs attach {} shows it",
                             kubeflow_command("retry", run), run.id)});
  return resume_hook_({.store = store->folder(), .id = run.id, .json = json_});
}

int RunsCommand::list() const {
  kfp::local::RunFilter filter{.pipeline = pipeline_, .limit = limit_};
  for (std::string state : states_) {
    std::transform(state.begin(), state.end(), state.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    try {
      filter.states.push_back(kfp::local::parse_state(state));
    } catch (const core::InputError& error) {
      throw core::UsageError({.message = error.details().message, .hint = error.details().hint});
    }
  }
  // Without --store, a missing store means that nothing has run here yet.
  std::error_code error;
  const bool none = store_.empty() && !fs::exists(kfp::local::default_store_folder() / "runs.db", error);
  std::vector<RunRecord> runs;
  if (!none) {
    const auto store = open_store();
    runs = store->runs();
    pipeline::RemoteRefresh refresh(*store);
    if (refresh_)
      for (RunRecord& run : runs)
        if (!is_final(run.state)) run = refresh.refreshed(run);
    runs = kfp::local::filtered(std::move(runs), filter);
  }
  if (json_) {
    json list = json::array();
    for (const RunRecord& run : runs) list.push_back(kfp::local::to_json(run, core::now_s()));
    print(list);
  } else if (runs.empty()) {
    fmt::print("no runs\n");
  } else {
    fmt::print("{}", kfp::local::list_text(runs, terminal_style()));
  }
  return 0;
}

int RunsCommand::show() const {
  const auto store = open_store();
  pipeline::RemoteRefresh refresh(*store);
  const RunReport report = current_report(*store, refresh, id_);
  if (task_.empty()) {
    if (json_)
      print(kfp::local::to_json(report, core::now_s()));
    else
      fmt::print("{}", kfp::local::show_text(report, terminal_style()));
    return 0;
  }
  // Use the report's state: in a finished run no task is still running.
  const std::string path = store->task(report.run.id, task_).path;
  for (const kfp::local::TaskRecord& task : report.tasks) {
    if (task.path != path) continue;
    if (json_)
      print(kfp::local::task_json(report, task, core::now_s()));
    else
      fmt::print("{}", kfp::local::show_task_text(report, task, terminal_style()));
  }
  return 0;
}

int RunsCommand::logs() const {
  const auto store = open_store();
  if (const RunRecord run = store->run(id_); run.remote)
    return print_remote_logs(pipeline::recorded_context(*run.remote), run.id,
                             {.task = task_, .tail = tail_, .follow = follow_}, json_);
  std::string text;
  kfp::local::write_logs(*store, {.run = id_, .task = task_, .tail = tail_, .follow = follow_},
                         [&](std::string_view bytes) {
                           if (json_) {
                             text += bytes;
                             return;
                           }
                           std::fwrite(bytes.data(), 1, bytes.size(), stdout);
                           std::fflush(stdout);
                         });
  if (json_)
    print({{"run", store->run(id_).id},
           {"task", task_.empty() ? json() : json(store->task(store->run(id_).id, task_).path)},
           {"log", text}});
  return core::interrupt_requested() ? static_cast<int>(core::ExitCode::kInterrupted) : 0;
}

int RunsCommand::open_page(const RunRecord& run) const {
  if (!artifact_.empty())
    throw core::UsageError(
        {.message =
             fmt::format("run {} is on Kubeflow: its artifacts are in the store of the cluster", run.id),
         .hint = fmt::format("{} --out DIR fetches them", kubeflow_command("fetch", run))});
  const std::string page = page_of(run);
  const bool opened = !print_ && has_display() && open_on_desktop(page);
  if (json_)
    print({{"page", page}, {"opened", opened}});
  else
    fmt::print("{}\n", page);
  return 0;
}

int RunsCommand::attach() const {
  const auto store = open_store();
  const RunRecord run = store->run(id_);
  if (!run.remote)
    throw core::UsageError(
        {.message = fmt::format("run {} is on this machine, not on Kubeflow", run.id),
         .hint = fmt::format("calopipe runs logs {} --follow, or calopipe runs show {}", run.id, run.id)});
  const json summary = pipeline::attach_recorded(run, quiet_, *store);
  if (json_)
    print(summary);
  else
    fmt::print("run: {}\n", summary.at("run").get<std::string>());
  return 0;
}

int RunsCommand::open() const {
  const auto store = open_store();
  if (const RunRecord run = store->run(id_); run.remote) return open_page(run);
  const RunReport report = kfp::local::read_report(*store, id_);
  const kfp::local::ArtifactRecord artifact = kfp::local::find_artifact(report, artifact_);
  std::error_code error;
  if (!fs::exists(artifact.path, error))
    throw core::InputError({.message = "the artifact no longer exists", .file = artifact.path});
  const bool opened = !print_ && has_display() && open_on_desktop(artifact.path);
  if (json_) {
    json result = kfp::local::to_json(artifact);
    result["opened"] = opened;
    print(result);
  } else {
    fmt::print("{}\n", artifact.path.string());
  }
  return 0;
}

int RunsCommand::compare() const {
  const auto store = open_store();
  std::vector<RunReport> reports;
  std::set<std::string> known;
  pipeline::RemoteRefresh refresh(*store);
  for (const std::string& id : ids_) {
    RunReport report = current_report(*store, refresh, id);
    if (known.insert(report.run.id).second) reports.push_back(std::move(report));
  }
  for (const RunReport& report : reports) {
    if (!report.run.remote) continue;
    fmt::print(stderr, "calopipe: run {} is on Kubeflow: its artifacts are not compared\n", report.run.id);
    if (!report.run.remote->problem.empty())
      fmt::print(stderr, "calopipe: run {}: {}\n", report.run.id,
                 kfp::local::state_note(report.run, core::now_s()));
  }
  const kfp::local::Comparison comparison = kfp::local::compare(reports);
  if (json_)
    print(kfp::local::to_json(comparison, core::now_s()));
  else
    fmt::print("{}", kfp::local::compare_text(comparison, terminal_style()));
  return 0;
}

std::vector<RunRecord> RunsCommand::chosen_for_deletion(const kfp::local::Store& store) const {
  const bool filtered = older_than_days_ >= 0 || keep_ >= 0;
  if (filtered == !ids_.empty())
    throw core::UsageError(
        {.message = filtered ? "give either runs or --older-than and --keep, not both" : "no run is given",
         .hint = "name runs, or use --older-than DAYS, --keep N"});
  if (filtered)
    return kfp::local::to_delete(store.runs(), {.older_than_days = older_than_days_, .keep = keep_},
                                 core::now_s());
  std::vector<RunRecord> runs;
  std::set<std::string> known;
  for (const std::string& id : ids_)
    if (RunRecord run = store.run(id); known.insert(run.id).second) runs.push_back(std::move(run));
  for (const RunRecord& run : runs)
    if (is_live(run))
      throw core::UsageError({.message = fmt::format("run {} is running: process {}", run.id, run.runner_pid),
                              .hint = "wait for it, or end the process; nothing was deleted"});
  return runs;
}

int RunsCommand::sync() const {
  const fs::path queue = tracking::queue_folder(store_.empty() ? kfp::local::default_store_folder() : store_);
  if (!drop_.empty()) {
    tracking::drop_waiting(queue, drop_);
    fmt::print("dropped {}\n", drop_);
    return 0;
  }
  const std::vector<tracking::WaitingRun> waiting = tracking::list_waiting(queue);
  std::vector<tracking::WaitingRun> runs = waiting;
  if (!dry_run_)
    runs = tracking::send_waiting(
        queue, std::move(runs), [](const std::string& line) { fmt::print(stderr, "calopipe: {}\n", line); });
  bool all_sent = true;
  json list = json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const tracking::WaitingRun& run = runs[i];
    const std::int64_t before = waiting[i].records;
    all_sent = all_sent && (run.live || (run.records == 0 && run.problem.empty()));
    list.push_back({{"id", run.id},
                    {"name", run.name},
                    {"to", run.to},
                    {"folder", run.folder.string()},
                    {"sent", before - run.records},
                    {"waiting", run.records},
                    {"live", run.live},
                    {"problem", run.problem}});
    if (!json_) fmt::print("{}\n", sync_line(run, before, dry_run_));
  }
  if (json_)
    print(list);
  else if (list.empty())
    fmt::print("no records wait\n");
  return dry_run_ || all_sent ? 0 : static_cast<int>(core::ExitCode::kUnavailable);
}

int RunsCommand::remove() const {
  const auto store = open_store();
  const std::vector<RunRecord> runs = chosen_for_deletion(*store);
  if (!yes_ && !runs.empty()) {
    if (isatty(STDIN_FILENO) == 0)
      throw core::UsageError(
          {.message = "deleting runs must be confirmed, but there is no terminal to ask on",
           .hint = "--yes"});
    fmt::print(stderr, "{}delete {}? [y/N] ", kfp::local::list_text(runs, terminal_style()),
               runs.size() == 1 ? "this run" : fmt::format("these {} runs", runs.size()));
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "Y" && answer != "yes") {
      fmt::print(stderr, "nothing was deleted\n");
      return 0;
    }
  }
  json deleted = json::array();
  for (const RunRecord& run : runs) {
    try {
      store->delete_run(run.id);
    } catch (const core::UsageError& error) {
      // A live run uses it. If runs were named, this is an error; a clean-up continues.
      if (!ids_.empty()) throw;
      fmt::print(stderr, "kept: {}\n", error.what());
      continue;
    }
    deleted.push_back(run.id);
    if (!json_) fmt::print("deleted {}\n", run.id);
    if (run.remote)
      fmt::print(stderr, "the run itself stays on the server: {}\n", kubeflow_command("delete", run));
  }
  if (json_)
    print({{"deleted", deleted}});
  else if (runs.empty())
    fmt::print("nothing to delete\n");
  return 0;
}

}  // namespace app
