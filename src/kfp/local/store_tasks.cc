#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "kfp/component/field.h"
#include "kfp/local/detail/record_json.h"
#include "kfp/local/detail/sqlite_store.h"

// Store of tasks and artifacts, and the cache.
namespace kfp::local {
namespace fs = std::filesystem;
namespace {

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string file_stamp(const fs::path& path) {
  const auto time = fs::last_write_time(path).time_since_epoch();
  return fmt::format("{}:{}", fs::file_size(path),
                     std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

}  // namespace

std::string artifact_stamp(const fs::path& path) {
  try {
    if (!fs::exists(path)) return {};
    if (!fs::is_directory(path)) return file_stamp(path);
    // The same files as in core::sha256_of_path.
    std::vector<std::string> lines;
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.'))
        lines.push_back(fmt::format("{}{}{}\n", entry.path().lexically_relative(path).string(), '\0',
                                    file_stamp(entry.path())));
    std::sort(lines.begin(), lines.end());
    return core::sha256(fmt::format("{}", fmt::join(lines, "")));
  } catch (const fs::filesystem_error&) {
    return {};  // removed in the meantime, or not readable
  }
}

TaskRecord SqliteStore::read_task(const SqliteRows& rows) const {
  TaskRecord record{.run_id = rows.text(0),
                    .path = rows.text(1),
                    .name = rows.text(2),
                    .component = rows.text(3),
                    .is_dag = rows.integer(4) != 0,
                    .state = parse_state(rows.text(5)),
                    .attempt = static_cast<int>(rows.integer(6)),
                    .started_s = rows.real(7),
                    .finished_s = rows.real(8),
                    .cache_key = rows.text(10),
                    .cached_from = rows.text(11),
                    .log = restored(rows.text(12)),
                    .error = rows.text(13),
                    .inputs = json_from_text(rows.text(14), database_.file()),
                    .outputs = json_from_text(rows.text(15), database_.file()),
                    .cpu_s = rows.real(16),
                    .peak_memory_bytes = rows.integer(17)};
  if (!rows.is_null(9)) record.exit_code = static_cast<int>(rows.integer(9));
  return record;
}

void SqliteStore::put_task(const TaskRecord& record) {
  const std::lock_guard lock(mutex_);
  database_.execute(
      "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (run_id, path) DO UPDATE SET name = excluded.name, component = excluded.component, "
      "is_dag = excluded.is_dag, state = excluded.state, attempt = excluded.attempt, "
      "started_s = excluded.started_s, finished_s = excluded.finished_s, exit_code = excluded.exit_code, "
      "cache_key = excluded.cache_key, cached_from = excluded.cached_from, log = excluded.log, "
      "error = excluded.error, inputs = excluded.inputs, outputs = excluded.outputs, "
      "cpu_s = excluded.cpu_s, peak_memory_bytes = excluded.peak_memory_bytes",
      record.run_id, record.path, record.name, record.component, record.is_dag, to_string(record.state),
      record.attempt, record.started_s, record.finished_s, record.exit_code, record.cache_key,
      record.cached_from, stored(record.log), record.error, to_text(record.inputs, record.path + " inputs"),
      to_text(record.outputs, record.path + " outputs"), record.cpu_s, record.peak_memory_bytes);
}

std::vector<TaskRecord> SqliteStore::read_tasks(const std::string& run_id) const {
  std::vector<TaskRecord> found;
  SqliteRows rows = database_.query("SELECT * FROM tasks WHERE run_id = ? ORDER BY rowid", run_id);
  while (rows.next()) found.push_back(read_task(rows));
  return found;
}

std::vector<TaskRecord> SqliteStore::tasks(const std::string& run_id) const {
  const std::lock_guard lock(mutex_);
  return read_tasks(run_id);
}

TaskRecord SqliteStore::task(const std::string& run_id, const std::string& path) const {
  const std::vector<TaskRecord> all = tasks(run_id);
  std::vector<const TaskRecord*> found;
  std::vector<std::string> known;
  for (const TaskRecord& record : all) {
    if (record.path == path) return record;
    if (last_part(record.path) == path || record.name == path) found.push_back(&record);
    for (const std::string& name : {record.path, last_part(record.path), record.name}) known.push_back(name);
  }
  if (found.size() == 1) return *found.front();
  if (found.empty()) {
    const std::string near = nearest(path, known);
    throw core::UsageError({.message = fmt::format("run {} has no task \"{}\"", run_id, path),
                            .hint = near.empty() ? fmt::format("calopipe runs show {} lists them", run_id)
                                                 : fmt::format("did you mean {}?", near)});
  }
  std::vector<std::string> paths;
  paths.reserve(found.size());
  for (const TaskRecord* record : found) paths.push_back(record->path);
  if (paths.size() > 5) {
    paths.resize(5);
    paths.emplace_back("…");
  }
  throw core::UsageError({.message = fmt::format("run {} has several tasks \"{}\"", run_id, path),
                          .hint = fmt::format("{}", fmt::join(paths, ", "))});
}

ArtifactRecord SqliteStore::read_artifact(const SqliteRows& rows) const {
  return {.run_id = rows.text(0),
          .task_path = rows.text(1),
          .direction =
              rows.integer(2) == 0 ? ArtifactRecord::Direction::kInput : ArtifactRecord::Direction::kOutput,
          .name = rows.text(3),
          .type = rows.text(4),
          .path = restored(rows.text(5)),
          .sha256 = rows.text(6),
          .bytes = rows.integer(7),
          .metadata = json_from_text(rows.text(8), database_.file())};
}

void SqliteStore::put_artifact(const ArtifactRecord& record) {
  const bool output = record.direction == ArtifactRecord::Direction::kOutput;
  const std::string stamp = output ? artifact_stamp(record.path) : std::string();
  const std::lock_guard lock(mutex_);
  database_.execute(
      "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (run_id, task_path, direction, name) DO UPDATE SET type = excluded.type, "
      "path = excluded.path, sha256 = excluded.sha256, bytes = excluded.bytes, "
      "metadata = excluded.metadata, stamp = excluded.stamp",
      record.run_id, record.task_path, output ? 1 : 0, record.name, record.type, stored(record.path),
      record.sha256, record.bytes, to_text(record.metadata, record.name + " metadata"), stamp);
}

std::vector<ArtifactRecord> SqliteStore::read_artifacts(const std::string& run_id) const {
  std::vector<ArtifactRecord> found;
  SqliteRows rows = database_.query("SELECT * FROM artifacts WHERE run_id = ? ORDER BY rowid", run_id);
  while (rows.next()) found.push_back(read_artifact(rows));
  return found;
}

std::vector<ArtifactRecord> SqliteStore::artifacts(const std::string& run_id) const {
  const std::lock_guard lock(mutex_);
  return read_artifacts(run_id);
}

std::optional<TaskRecord> SqliteStore::find_cached(const std::string& cache_key) const {
  if (cache_key.empty()) return std::nullopt;
  struct Output {
    ArtifactRecord record;
    std::string stamp;
  };
  std::vector<std::pair<TaskRecord, std::vector<Output>>> candidates;
  {
    const std::lock_guard lock(mutex_);
    // A run that took over the outputs of a deleted run has itself as their origin.
    SqliteRows rows = database_.query(
        "SELECT * FROM tasks WHERE cache_key = ? AND cache_key <> '' AND (state = 'SUCCEEDED' OR "
        "(state = 'CACHED' AND cached_from = run_id)) ORDER BY finished_s DESC, rowid DESC",
        cache_key);
    while (rows.next()) candidates.emplace_back(read_task(rows), std::vector<Output>());
    for (auto& [task, outputs] : candidates) {
      SqliteRows found =
          database_.query("SELECT * FROM artifacts WHERE run_id = ? AND task_path = ? AND direction = 1",
                          task.run_id, task.path);
      while (found.next()) outputs.push_back({.record = read_artifact(found), .stamp = found.text(9)});
    }
  }
  // Files are read without the lock, because they may be large.
  for (const auto& candidate : candidates) {
    const TaskRecord& task = candidate.first;
    const std::vector<Output>& outputs = candidate.second;
    const bool unchanged = std::all_of(outputs.begin(), outputs.end(), [&](const Output& output) {
      const std::string stamp = artifact_stamp(output.record.path);
      // An artifact that the task did not make must still be missing.
      if (stamp == output.stamp) return !stamp.empty() || output.record.sha256.empty();
      if (stamp.empty()) return false;
      try {
        if (core::sha256_of_path(output.record.path) != output.record.sha256) return false;
      } catch (const std::exception&) {
        return false;  // no longer readable
      }
      const std::lock_guard lock(mutex_);
      database_.execute(
          "UPDATE artifacts SET stamp = ? WHERE run_id = ? AND task_path = ? AND direction = 1 AND name = ?",
          stamp, task.run_id, task.path, output.record.name);
      return true;
    });
    if (unchanged) return task;
  }
  return std::nullopt;
}

}  // namespace kfp::local
