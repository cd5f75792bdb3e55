#pragma once

#include <mutex>
#include <vector>

#include "kfp/local/sqlite.h"
#include "kfp/local/store.h"

namespace kfp::local {

/// The store in SQLite. Paths below its folder are kept relative to it, so that it may be moved.
class SqliteStore : public Store {
 public:
  /// What SQLite writes before it changes the database. A write-ahead log needs memory that processes share,
  /// which network file systems do not give; a rollback journal needs only locks.
  enum class Journal { kWriteAhead, kRollback };

  SqliteStore(std::filesystem::path folder, Journal journal);

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
  void prepare(Journal journal);
  bool has_tables() const;
  void check_version() const;

  // With mutex_ held.
  RunRecord read_run(const SqliteRows& rows) const;
  TaskRecord read_task(const SqliteRows& rows) const;
  ArtifactRecord read_artifact(const SqliteRows& rows) const;
  RunRecord find_run(const std::string& id) const;
  void write_run(const RunRecord& record);
  std::vector<TaskRecord> read_tasks(const std::string& run_id) const;
  std::vector<ArtifactRecord> read_artifacts(const std::string& run_id) const;

  // store_delete.cc, inside one transaction.
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

/// What tells whether an artifact was changed without reading it: size and time of modification of the file,
/// or a hash over those of every file in the folder; empty if it is missing.
std::string artifact_stamp(const std::filesystem::path& path);

}  // namespace kfp::local
