#include "kfp/local/runs_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "kfp/local/text_table.h"

namespace kfp::local {
namespace {

using nlohmann::json;

// The row for which `fits` holds; if there is none, a new one at the end.
template <class Row, class Fits, class Make>
Row& row_of(std::vector<Row>& rows, const Fits& fits, const Make& make) {
  const auto found = std::find_if(rows.begin(), rows.end(), fits);
  if (found != rows.end()) return *found;
  rows.push_back(make());
  return rows.back();
}

template <class Values>
bool all_equal(const Values& values, std::size_t runs) {
  return values.size() == runs && std::all_of(values.begin(), values.end(), [&](const auto& entry) {
           return entry.second == values.begin()->second;
         });
}

// One row: a name, then the value of each run.
template <class Values, class Text>
std::vector<std::string> cells(const std::string& name, const std::vector<RunRecord>& runs,
                               const Values& values, const Text& text) {
  std::vector<std::string> row = {name};
  for (const RunRecord& run : runs) {
    const auto found = values.find(run.id);
    row.push_back(found == values.end() ? "-" : text(found->second));
  }
  return row;
}

}  // namespace

Comparison compare(const std::vector<RunReport>& reports) {
  Comparison result;
  for (const RunReport& report : reports) result.runs.push_back(report.run);
  if (reports.size() < 2) throw core::UsageError({.message = "a comparison needs two different runs"});
  for (const RunReport& report : reports) {
    const std::string& id = report.run.id;
    for (const auto& entry : report.run.parameters.items())
      row_of(
          result.parameters, [&](const auto& row) { return row.name == entry.key(); },
          [&] { return Comparison::Parameter{.name = entry.key()}; })
          .values[id] = entry.value();
    for (const Metric& metric : report.metrics)
      row_of(
          result.metrics,
          [&](const auto& row) {
            return row.task == metric.task && row.artifact == metric.artifact && row.name == metric.name;
          },
          [&] {
            return Comparison::MetricRow{
                .task = metric.task, .artifact = metric.artifact, .name = metric.name};
          })
          .values[id] = metric.value;
    for (const TaskRecord& task : report.tasks)
      row_of(
          result.tasks, [&](const auto& row) { return row.path == task.path; },
          [&] { return Comparison::Task{.path = task.path}; })
          .records[id] = task;
    for (const ArtifactRecord& artifact : report.artifacts)
      if (artifact.direction == ArtifactRecord::Direction::kOutput)
        row_of(
            result.artifacts,
            [&](const auto& row) { return row.task == artifact.task_path && row.name == artifact.name; },
            [&] { return Comparison::Artifact{.task = artifact.task_path, .name = artifact.name}; })
            .sha256[id] = artifact.sha256;
  }
  std::erase_if(result.parameters, [&](const auto& row) { return all_equal(row.values, reports.size()); });
  for (Comparison::Artifact& row : result.artifacts)
    row.equal = all_equal(row.sha256, reports.size()) && !row.sha256.begin()->second.empty();
  return result;
}

json to_json(const Comparison& comparison, double now_s) {
  json result = {{"runs", json::array()},
                 {"parameters", json::array()},
                 {"metrics", json::array()},
                 {"tasks", json::array()},
                 {"artifacts", json::array()}};
  for (const RunRecord& run : comparison.runs) result["runs"].push_back(to_json(run, now_s));
  for (const auto& row : comparison.parameters)
    result["parameters"].push_back({{"name", row.name}, {"values", row.values}});
  for (const auto& row : comparison.metrics)
    result["metrics"].push_back(
        {{"task", row.task}, {"artifact", row.artifact}, {"name", row.name}, {"values", row.values}});
  for (const auto& row : comparison.tasks) {
    json tasks = json::object();
    for (const auto& [id, task] : row.records) tasks[id] = to_json(task, now_s);
    result["tasks"].push_back({{"path", row.path}, {"runs", tasks}});
  }
  for (const auto& row : comparison.artifacts)
    result["artifacts"].push_back(
        {{"task", row.task}, {"name", row.name}, {"equal", row.equal}, {"sha256", row.sha256}});
  return result;
}

std::string compare_text(const Comparison& comparison, const TextStyle& style) {
  const std::vector<RunRecord>& runs = comparison.runs;
  std::vector<TextTable::Column> columns = {{.may_shrink = true}};
  for (std::size_t i = 0; i < runs.size(); ++i) columns.push_back({.may_shrink = true});
  std::string out;
  const auto section = [&](const std::string& title, const TextTable& table) {
    if (table.empty()) return;
    out += fmt::format("{}{}:\n", out.empty() ? "" : "\n", title) + table.to_text(style.width, 2);
  };

  TextTable facts(columns);
  const auto fact = [&](const char* name, const std::function<std::string(const RunRecord&)>& text) {
    std::vector<std::string> row = {name};
    for (const RunRecord& run : runs) row.push_back(text(run));
    facts.add(row);
  };
  fact("id", [](const RunRecord& run) { return run.id; });
  fact("pipeline", [](const RunRecord& run) { return run.pipeline; });
  if (std::any_of(runs.begin(), runs.end(), [](const RunRecord& run) { return run.remote.has_value(); }))
    fact("where", [](const RunRecord& run) { return run.remote ? run.remote->context : "here"; });
  fact("state", state_text);
  fact("started", [](const RunRecord& run) { return local_time_text(run.created_s); });
  fact("duration", [&](const RunRecord& run) { return duration_text(duration_s(run, style.now_s)); });
  fact("calopipe", [](const RunRecord& run) { return run.program_version; });
  section("runs", facts);

  TextTable parameters(columns);
  for (const auto& row : comparison.parameters) parameters.add(cells(row.name, runs, row.values, value_text));
  section("parameters that differ", parameters);

  TextTable metrics(columns);
  for (const auto& row : comparison.metrics)
    metrics.add(cells(row.task + " " + row.name, runs, row.values, value_text));
  section("metrics", metrics);

  TextTable tasks(columns);
  for (const auto& row : comparison.tasks)
    tasks.add(cells(row.path, runs, row.records, [&](const TaskRecord& task) {
      const double seconds = duration_s(task, style.now_s);
      return seconds < 0 ? to_string(task.state)
                         : fmt::format("{} {}", to_string(task.state), duration_text(seconds));
    }));
  section("tasks", tasks);

  TextTable artifacts(columns);
  for (const auto& row : comparison.artifacts) {
    const std::string name = row.task + "/" + row.name;
    if (row.equal)
      artifacts.add({name, "equal"});
    else
      artifacts.add(cells(name, runs, row.sha256, [](const std::string& sha256) {
        return sha256.empty() ? "missing" : sha256.substr(0, 12);
      }));
  }
  section("artifacts", artifacts);
  return out;
}

}  // namespace kfp::local
