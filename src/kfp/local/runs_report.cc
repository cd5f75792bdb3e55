#include "kfp/local/runs_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/component/field.h"
#include "kfp/local/text_table.h"

namespace kfp::local {
namespace {

using nlohmann::json;
using Align = TextTable::Align;

constexpr std::size_t kHashDigits = 12;

std::string direction_text(ArtifactRecord::Direction direction) {
  return direction == ArtifactRecord::Direction::kInput ? "input" : "output";
}

json duration_json(double seconds) {
  return seconds < 0 ? json() : json(seconds);
}

std::string heading(const std::string& text) {
  return "\n" + text + ":\n";
}

void add_values(const std::string& title, const json& values, const TextStyle& style, std::string& out) {
  if (values.empty()) return;
  TextTable table({{}, {.may_shrink = true}});
  for (const auto& [name, value] : values.items()) table.add({name, value_text(value)});
  out += heading(title) + table.to_text(style.width, 2);
}

std::string origin_text(const TaskRecord& task) {
  if (!task.error.empty()) return task.error;
  return task.cached_from.empty() ? std::string() : "from " + task.cached_from;
}

// Paths come last and are not shortened, so that they can be copied.
void add_artifacts(const std::vector<const ArtifactRecord*>& artifacts, const TextStyle& style,
                   std::string& out) {
  if (artifacts.empty()) return;
  TextTable table({{.heading = "TASK", .may_shrink = true},
                   {.heading = "NAME"},
                   {.heading = "TYPE"},
                   {.heading = "SIZE", .align = Align::kRight},
                   {.heading = "SHA256"},
                   {.heading = "PATH"}});
  for (const ArtifactRecord* artifact : artifacts)
    table.add({artifact->task_path, artifact->name, artifact->type, bytes_text(artifact->bytes),
               artifact->sha256.empty() ? "missing" : artifact->sha256.substr(0, kHashDigits),
               artifact->path.string()});
  out += table.to_text(style.width, 2);
}

}  // namespace

double duration_s(const RunRecord& record, double now_s) {
  if (record.created_s == 0) return -1;
  const bool over = is_final(record.state);
  // If the runner was killed, the run has no recorded end time.
  if (over && record.finished_s == 0) return -1;
  // Of a remote run, only what the server said is known.
  const double known_s = record.remote ? record.remote->seen_s : now_s;
  return std::max(0.0, (over ? record.finished_s : known_s) - record.created_s);
}

double duration_s(const TaskRecord& record, double now_s) {
  if (record.started_s == 0) return -1;
  const bool over = is_final(record.state);
  if (over && record.finished_s == 0) return -1;
  return std::max(0.0, (over ? record.finished_s : now_s) - record.started_s);
}

RunReport read_report(const Store& store, const std::string& id) {
  RunReport report{.run = store.run(id)};
  report.tasks = store.tasks(report.run.id);
  report.artifacts = store.artifacts(report.run.id);
  // What a server last said of its tasks stays.
  if (is_final(report.run.state) && !report.run.remote)
    for (TaskRecord& task : report.tasks)
      if (!is_final(task.state)) task.state = State::kCanceled;
  for (const ArtifactRecord& artifact : report.artifacts) {
    // The type is "system.Metrics", with or without "@0.0.1".
    const std::string title = artifact.type.substr(0, artifact.type.find('@'));
    if (artifact.direction != ArtifactRecord::Direction::kOutput || title != "system.Metrics") continue;
    for (const auto& [name, value] : artifact.metadata.items())
      if (value.is_number())
        report.metrics.push_back(
            {.task = artifact.task_path, .artifact = artifact.name, .name = name, .value = value});
  }
  return report;
}

std::string state_text(const RunRecord& record) {
  return record.remote && !record.remote->state.empty() ? record.remote->state : to_string(record.state);
}

std::string state_note(const RunRecord& record, double now_s) {
  if (!record.remote) return "";
  const std::string seen = "state of " + local_time_text(record.remote->seen_s);
  if (!record.remote->problem.empty())
    return fmt::format("{}, not refreshed: {}", seen, record.remote->problem);
  constexpr double kFresh_s = 5;
  return is_final(record.state) || now_s - record.remote->seen_s < kFresh_s ? "" : seen;
}

json to_json(const RunRecord& record, double now_s) {
  return {{"id", record.id},
          {"pipeline", record.pipeline},
          {"name", record.name},
          {"state", to_string(record.state)},
          {"created_s", record.created_s},
          {"finished_s", record.finished_s},
          {"duration_s", duration_json(duration_s(record, now_s))},
          {"parameters", record.parameters},
          {"program_version", record.program_version},
          {"spec_sha256", record.spec_sha256},
          {"folder", record.folder.string()},
          {"runner_pid", record.runner_pid},
          {"runner_start", record.runner_start},
          {"error", record.error},
          {"options", record.options},
          {"remote", record.remote ? json{{"context", record.remote->context},
                                          {"server", record.remote->server},
                                          {"state", record.remote->state},
                                          {"seen_s", record.remote->seen_s},
                                          {"problem", record.remote->problem}}
                                   : json()}};
}

json to_json(const TaskRecord& record, double now_s) {
  return {{"run_id", record.run_id},
          {"path", record.path},
          {"name", record.name},
          {"component", record.component},
          {"is_dag", record.is_dag},
          {"state", to_string(record.state)},
          {"attempt", record.attempt},
          {"started_s", record.started_s},
          {"finished_s", record.finished_s},
          {"duration_s", duration_json(duration_s(record, now_s))},
          {"exit_code", record.exit_code ? json(*record.exit_code) : json()},
          {"cache_key", record.cache_key},
          {"cached_from", record.cached_from},
          {"log", record.log.string()},
          {"error", record.error},
          {"inputs", record.inputs},
          {"outputs", record.outputs},
          {"cpu_s", record.cpu_s},
          {"peak_memory_bytes", record.peak_memory_bytes}};
}

json to_json(const ArtifactRecord& record) {
  return {
      {"run_id", record.run_id}, {"task", record.task_path}, {"direction", direction_text(record.direction)},
      {"name", record.name},     {"type", record.type},      {"path", record.path.string()},
      {"sha256", record.sha256}, {"bytes", record.bytes},    {"metadata", record.metadata}};
}

json to_json(const Metric& metric) {
  return {
      {"task", metric.task}, {"artifact", metric.artifact}, {"name", metric.name}, {"value", metric.value}};
}

json to_json(const RunReport& report, double now_s) {
  json result = to_json(report.run, now_s);
  for (const char* list : {"tasks", "artifacts", "metrics"}) result[list] = json::array();
  for (const TaskRecord& task : report.tasks) result["tasks"].push_back(to_json(task, now_s));
  for (const ArtifactRecord& artifact : report.artifacts) result["artifacts"].push_back(to_json(artifact));
  for (const Metric& metric : report.metrics) result["metrics"].push_back(to_json(metric));
  return result;
}

std::vector<RunRecord> filtered(std::vector<RunRecord> runs, const RunFilter& filter) {
  std::erase_if(runs, [&](const RunRecord& run) {
    if (!filter.pipeline.empty() && run.pipeline != filter.pipeline && run.name != filter.pipeline)
      return true;
    return !filter.states.empty() &&
           std::find(filter.states.begin(), filter.states.end(), run.state) == filter.states.end();
  });
  if (filter.limit > 0 && runs.size() > static_cast<std::size_t>(filter.limit))
    runs.resize(static_cast<std::size_t>(filter.limit));
  return runs;
}

std::string list_text(const std::vector<RunRecord>& runs, const TextStyle& style) {
  const bool places =
      std::any_of(runs.begin(), runs.end(), [](const RunRecord& run) { return run.remote.has_value(); });
  std::vector<TextTable::Column> columns = {{.heading = "RUN"},
                                            {.heading = "PIPELINE", .may_shrink = true},
                                            {.heading = "STATE"},
                                            {.heading = "STARTED"},
                                            {.heading = "DURATION", .align = Align::kRight},
                                            {.heading = places ? "NOTE" : "ERROR", .may_shrink = true}};
  if (places) columns.insert(columns.begin() + 2, {.heading = "WHERE", .may_shrink = true});
  TextTable table(columns);
  for (const RunRecord& run : runs) {
    const std::string note = state_note(run, style.now_s);
    std::vector<std::string> cells = {run.id,
                                      run.pipeline,
                                      state_text(run),
                                      local_time_text(run.created_s),
                                      duration_text(duration_s(run, style.now_s)),
                                      run.error + (run.error.empty() || note.empty() ? "" : "; ") + note};
    if (places) cells.insert(cells.begin() + 2, run.remote ? run.remote->context : "here");
    table.add(cells);
  }
  return table.to_text(style.width);
}

std::string show_text(const RunReport& report, const TextStyle& style) {
  const RunRecord& run = report.run;
  TextTable facts({{}, {}});
  const auto fact = [&](const char* name, const std::string& value) {
    if (!value.empty()) facts.add({name, value});
  };
  fact("pipeline", run.pipeline);
  if (run.name != run.pipeline) fact("name", run.name);
  fact("state", state_text(run));
  fact("note", state_note(run, style.now_s));
  if (run.remote) {
    fact("context", run.remote->context);
    fact("server", run.remote->server);
  }
  fact("started", local_time_text(run.created_s));
  fact("duration", duration_text(duration_s(run, style.now_s)));
  if (!is_final(run.state) && run.runner_pid != 0) fact("process", std::to_string(run.runner_pid));
  fact("calopipe", run.program_version);
  if (!run.remote) fact("folder", run.folder.string());
  fact("error", run.error);
  std::string out = "run " + run.id + "\n" + facts.to_text(0, 2);
  add_values("parameters", run.parameters, style, out);
  if (!report.tasks.empty() && run.remote) {
    TextTable table({{.heading = "TASK", .may_shrink = true},
                     {.heading = "STATE"},
                     {.heading = "STARTED"},
                     {.heading = "DURATION", .align = Align::kRight},
                     {.heading = "NOTE", .may_shrink = true}});
    for (const TaskRecord& task : report.tasks)
      table.add({task.path, to_string(task.state), local_time_text(task.started_s),
                 duration_text(duration_s(task, run.remote->seen_s)), origin_text(task)});
    out += heading("tasks") + table.to_text(style.width, 2);
  } else if (!report.tasks.empty()) {
    TextTable table({{.heading = "TASK", .may_shrink = true},
                     {.heading = "STATE"},
                     {.heading = "TRIES", .align = Align::kRight},
                     {.heading = "DURATION", .align = Align::kRight},
                     {.heading = "CPU", .align = Align::kRight},
                     {.heading = "MEMORY", .align = Align::kRight},
                     {.heading = "NOTE", .may_shrink = true}});
    for (const TaskRecord& task : report.tasks) {
      const bool ran = !task.is_dag && task.attempt > 0;
      table.add({task.path, to_string(task.state), ran ? std::to_string(task.attempt) : "-",
                 duration_text(duration_s(task, style.now_s)), ran ? duration_text(task.cpu_s) : "-",
                 ran ? bytes_text(task.peak_memory_bytes) : "-", origin_text(task)});
    }
    out += heading("tasks") + table.to_text(style.width, 2);
  }
  if (!report.metrics.empty()) {
    TextTable table({{.heading = "TASK", .may_shrink = true}, {.heading = "METRIC"}, {.heading = "VALUE"}});
    for (const Metric& metric : report.metrics)
      table.add({metric.task, metric.name, value_text(metric.value)});
    out += heading("metrics") + table.to_text(style.width, 2);
  }
  std::vector<const ArtifactRecord*> outputs;
  for (const ArtifactRecord& artifact : report.artifacts)
    if (artifact.direction == ArtifactRecord::Direction::kOutput) outputs.push_back(&artifact);
  if (!outputs.empty()) out += heading("artifacts");
  add_artifacts(outputs, style, out);
  return out;
}

std::string show_task_text(const RunReport& report, const TaskRecord& task, const TextStyle& style) {
  TextTable facts({{}, {}});
  const auto fact = [&](const char* name, const std::string& value) {
    if (!value.empty()) facts.add({name, value});
  };
  fact("run", report.run.id);
  if (task.name != task.path) fact("name", task.name);
  fact("component", task.component);
  fact("state", to_string(task.state));
  if (report.run.remote) fact("note", state_note(report.run, style.now_s));
  // The API has neither attempts nor resources.
  if (!report.run.remote) fact("tries", std::to_string(task.attempt));
  fact("started", local_time_text(task.started_s));
  fact("duration",
       duration_text(duration_s(task, report.run.remote ? report.run.remote->seen_s : style.now_s)));
  if (task.exit_code) fact("exit code", std::to_string(*task.exit_code));
  if (!report.run.remote) {
    fact("cpu", duration_text(task.cpu_s));
    fact("memory", bytes_text(task.peak_memory_bytes));
  }
  fact("outputs of", task.cached_from);
  fact("cache key", task.cache_key);
  fact("log", task.log.string());
  fact("error", task.error);
  std::string out = "task " + printable_line(task.path) + "\n" + facts.to_text(0, 2);
  add_values("input parameters", task.inputs, style, out);
  add_values("output parameters", task.outputs, style, out);
  for (const auto direction : {ArtifactRecord::Direction::kInput, ArtifactRecord::Direction::kOutput}) {
    std::vector<const ArtifactRecord*> artifacts;
    for (const ArtifactRecord& artifact : report.artifacts)
      if (artifact.task_path == task.path && artifact.direction == direction) artifacts.push_back(&artifact);
    if (artifacts.empty()) continue;
    out += heading(direction_text(direction) + " artifacts");
    add_artifacts(artifacts, style, out);
    for (const ArtifactRecord* artifact : artifacts)
      add_values("metadata of " + printable_line(artifact->name), artifact->metadata, style, out);
  }
  return out;
}

json task_json(const RunReport& report, const TaskRecord& task, double now_s) {
  json result = to_json(task, now_s);
  result["artifacts"] = result["metrics"] = json::array();
  for (const ArtifactRecord& artifact : report.artifacts)
    if (artifact.task_path == task.path) result["artifacts"].push_back(to_json(artifact));
  for (const Metric& metric : report.metrics)
    if (metric.task == task.path) result["metrics"].push_back(to_json(metric));
  return result;
}

ArtifactRecord find_artifact(const RunReport& report, const std::string& name) {
  std::vector<const ArtifactRecord*> found;
  std::vector<std::string> known;
  for (const ArtifactRecord& artifact : report.artifacts) {
    if (artifact.direction != ArtifactRecord::Direction::kOutput) continue;
    const std::string full = artifact.task_path + "/" + artifact.name;
    known.insert(known.end(), {artifact.name, full});
    const bool fits = name.empty()
                          ? artifact.type.starts_with("system.HTML") || artifact.path.extension() == ".html"
                          : name == artifact.name || name == full;
    // A nested pipeline passes on the artifact of an inner task, with the same path.
    const bool known_path = std::any_of(found.begin(), found.end(), [&](const ArtifactRecord* other) {
      return other->path == artifact.path;
    });
    if (fits && !known_path) found.push_back(&artifact);
  }
  if (found.size() == 1) return *found.front();
  if (!found.empty()) {
    std::vector<std::string> names;
    names.reserve(found.size());
    for (const ArtifactRecord* artifact : found) names.push_back(artifact->task_path + "/" + artifact->name);
    throw core::UsageError({.message = fmt::format("run {} has several: name one", report.run.id),
                            .hint = fmt::format("{}", fmt::join(names, ", "))});
  }
  if (name.empty())
    throw core::UsageError({.message = fmt::format("run {} has no HTML output", report.run.id),
                            .hint = fmt::format("calopipe runs show {} lists its artifacts", report.run.id)});
  const std::string near = nearest(name, known);
  throw core::UsageError({.message = fmt::format("run {} has no output artifact \"{}\"", report.run.id, name),
                          .hint = near.empty()
                                      ? fmt::format("calopipe runs show {} lists them", report.run.id)
                                      : fmt::format("did you mean {}?", near)});
}

std::vector<RunRecord> to_delete(const std::vector<RunRecord>& runs, const DeleteFilter& filter,
                                 double now_s) {
  constexpr double kDay_s = 86400;
  std::vector<RunRecord> found;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunRecord& run = runs[i];
    if (!is_final(run.state) && (run.runner_pid != 0 || run.remote)) continue;
    if (filter.keep >= 0 && i < static_cast<std::size_t>(filter.keep)) continue;
    if (filter.older_than_days >= 0 && now_s - run.created_s < filter.older_than_days * kDay_s) continue;
    found.push_back(run);
  }
  return found;
}

}  // namespace kfp::local
