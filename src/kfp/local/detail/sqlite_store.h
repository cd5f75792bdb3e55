#pragma once

#include <mutex>
#include <vector>

#include "core/sqlite/sqlite.h"
#include "kfp/local/store.h"

namespace kfp::local {

using core::SqliteDatabase;
using core::SqliteRows;
using core::SqliteTransaction;

/// The store in SQLite. Paths inside its folder are stored relative to it, so that it can be moved.
class SqliteStore : public Store {
 public:
  SqliteStore(std::filesystem::path folder, core::SqliteJournal journal);

  const std::filesystem::path& folder() const override { return folder_; }
  RunRecord create_run(RunRecord record) override;
  void update_run(const RunRecord& record) override;
  RunRecord claim_run(const std::string& id) override;
  RunRecord run(const std::string& id) const override;
  std::vector<RunRecord> runs() const override;
  void delete_run(const std::string& id) override;
  void put_task(const TaskRecord& record) override;
  std::vector<TaskRecord> tasks(const std::string& run_id) const override;
  TaskRecord task(const std::string& run_id, const std::string& path) const override;
  void put_artifact(const ArtifactRecord& record) override;
  std::vector<ArtifactRecord> artifacts(const std::string& run_id) const override;
  std::optional<TaskRecord> find_cached(const std::string& cache_key) const override;

 private:
  // The following functions require mutex_ to be locked.
  RunRecord read_run(const SqliteRows& rows) const;
  TaskRecord read_task(const SqliteRows& rows) const;
  ArtifactRecord read_artifact(const SqliteRows& rows) const;
  RunRecord find_run(const std::string& id) const;
  void write_run(const RunRecord& record);
  std::vector<TaskRecord> read_tasks(const std::string& run_id) const;
  std::vector<ArtifactRecord> read_artifacts(const std::string& run_id) const;

  // Functions of store_delete.cc, inside one transaction.
  void refuse_live(const RunRecord& run) const;
  void hand_over_task(const RunRecord& run, const TaskRecord& task);
  void move_for(const std::string& heir, const RunRecord& run, const std::filesystem::path& from);
  std::string heir_of(const RunRecord& run, const TaskRecord& task) const;
  void empty_trash();

  std::string stored(const std::filesystem::path& path) const;
  std::filesystem::path restored(const std::string& text) const;

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  mutable SqliteDatabase database_;
};

/// A string that changes when an artifact is modified, computed without reading its content: size and time of
/// modification of the file, or a hash of those of all files in the folder; empty if it is missing.
std::string artifact_stamp(const std::filesystem::path& path);

}  // namespace kfp::local
