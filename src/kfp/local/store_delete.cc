#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/liveness.h"
#include "kfp/local/detail/sqlite_store.h"

// Deletes a run, but keeps the artifacts that other runs use through the cache.
namespace kfp::local {
namespace fs = std::filesystem;
namespace {

bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

// Links the same files under another name, or copies them if the disk does not support links. Leftovers of an
// earlier attempt are replaced.
void link_tree(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::remove_all(to, error);
  fs::create_directories(to.parent_path(), error);
  if (fs::is_directory(from))
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::create_hard_links, error);
  else
    fs::create_hard_link(from, to, error);
  if (!error) return;
  fs::remove_all(to, error);
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error)
    throw core::UnavailableError({.message = "cannot be kept for the run that uses it: " + error.message(),
                                  .file = from,
                                  .hint = "nothing was deleted"});
}

}  // namespace

void SqliteStore::refuse_live(const RunRecord& run) const {
  if (!is_final(run.state) && run.runner_pid != 0)
    throw core::UsageError({.message = fmt::format("run {} is running: process {}", run.id, run.runner_pid),
                            .hint = "wait for it, or end the process, then try again"});
  // A run that is in progress has passed these paths to its tasks.
  const std::string below = stored(run.folder) + "/";
  SqliteRows rows = database_.query(
      "SELECT * FROM runs WHERE id <> ? AND state IN ('PENDING', 'RUNNING') AND EXISTS (SELECT 1 FROM "
      "artifacts WHERE run_id = runs.id AND substr(path, 1, length(?)) = ?)",
      run.id, below, below);
  while (rows.next())
    if (const RunRecord user = read_run(rows); !is_final(user.state) && user.runner_pid != 0)
      throw core::UsageError(
          {.message = fmt::format("run {} is running and uses artifacts of run {}", user.id, run.id),
           .hint = fmt::format("wait for {}, then try again", user.id)});
}

std::string SqliteStore::heir_of(const RunRecord& run, const TaskRecord& task) const {
  // Runs that have the task's outputs through the cache precede runs that only read them.
  if (!task.cache_key.empty()) {
    SqliteRows rows = database_.query(
        "SELECT runs.id FROM tasks JOIN runs ON runs.id = tasks.run_id WHERE tasks.cached_from = ? AND "
        "tasks.cache_key = ? AND runs.id <> ? ORDER BY runs.created_s, runs.rowid LIMIT 1",
        run.id, task.cache_key, run.id);
    if (rows.next()) return rows.text(0);
  }
  SqliteRows rows = database_.query(
      "SELECT runs.id FROM artifacts AS mine JOIN artifacts AS theirs ON theirs.path = mine.path OR "
      "(theirs.path > mine.path || '/' AND theirs.path < mine.path || '0') JOIN runs ON runs.id = "
      "theirs.run_id WHERE mine.run_id = ? AND mine.task_path = ? AND mine.direction = 1 AND mine.path <> '' "
      "AND theirs.run_id <> mine.run_id ORDER BY runs.created_s, runs.rowid LIMIT 1",
      run.id, task.path);
  return rows.next() ? rows.text(0) : std::string();
}

void SqliteStore::move_for(const std::string& heir, const RunRecord& run, const fs::path& from) {
  if (!lies_in(from, run.folder) || !fs::exists(from)) return;
  const fs::path to = find_run(heir).folder / "kept" / run.id / from.lexically_relative(run.folder);
  link_tree(from, to);
  // The path itself and everything below it; the records of the deleted run are removed later.
  const std::string old_path = stored(from), new_path = stored(to);
  database_.execute(
      "UPDATE artifacts SET path = ? || substr(path, length(?) + 1) WHERE run_id <> ? AND (path = ? OR "
      "substr(path, 1, length(?) + 1) = ? || '/')",
      new_path, old_path, run.id, old_path, old_path, old_path);
  database_.execute("UPDATE tasks SET log = ? WHERE run_id <> ? AND log = ?", new_path, run.id, old_path);
}

void SqliteStore::hand_over_task(const RunRecord& run, const TaskRecord& task) {
  const std::string heir = heir_of(run, task);
  if (heir.empty()) return;
  for (const ArtifactRecord& artifact : read_artifacts(run.id))
    if (artifact.task_path == task.path && artifact.direction == ArtifactRecord::Direction::kOutput)
      move_for(heir, run, artifact.path);
  if (!task.log.empty()) {
    const std::string log = stored(task.log);
    bool used = false;
    {
      SqliteRows rows =
          database_.query("SELECT 1 FROM tasks WHERE run_id <> ? AND log = ? LIMIT 1", run.id, log);
      used = rows.next();
    }
    if (used) move_for(heir, run, task.log);
  }
  database_.execute(
      "UPDATE tasks SET cached_from = ? WHERE cached_from = ? AND cache_key = ? AND run_id <> ?", heir,
      run.id, task.cache_key, run.id);
}

void SqliteStore::empty_trash() {
  std::vector<std::string> folders;
  {
    SqliteRows rows = database_.query("SELECT folder FROM trash");
    while (rows.next()) folders.push_back(rows.text(0));
  }
  for (const std::string& folder : folders) {
    std::error_code error;
    fs::remove_all(restored(folder), error);
    if (error)
      throw core::UnavailableError({.message = "cannot be removed: " + error.message(),
                                    .file = restored(folder),
                                    .hint = "its records are deleted; the next deletion tries again"});
    database_.execute("DELETE FROM trash WHERE folder = ?", folder);
  }
}

void SqliteStore::delete_run(const std::string& id) {
  const std::lock_guard lock(mutex_);
  {
    SqliteTransaction transaction(database_);
    const RunRecord run = find_run(id);
    refuse_live(run);
    for (const TaskRecord& task : read_tasks(run.id)) hand_over_task(run, task);
    database_.execute("DELETE FROM runs WHERE id = ?", run.id);
    // The folder is removed after the records, so that every listed run is complete. The list of folders to
    // remove survives a kill in between.
    if (lies_in(run.folder, folder_ / "runs") && run.folder != folder_ / "runs")
      database_.execute("INSERT OR IGNORE INTO trash VALUES (?)", stored(run.folder));
    transaction.commit();
  }
  empty_trash();
}

}  // namespace kfp::local
