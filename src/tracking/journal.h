#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace tracking {

/// One record: an object with its kind in `record`, which is
/// - `start`: id, to (Destination::text()), experiment, name, parent (id or empty), time_ms, tags
/// - `params` and `tags`: values (texts by name)
/// - `metrics`: step, time_ms, values (numbers by name)
/// - `artifact`: file (relative to the journal's folder), path (in the run's artifacts), sha256
/// - `model`: path (folder in the run's artifacts), name (in the registry); of (id or empty: the run of a
/// pipeline whose
///   task "train" has the artifacts)
/// - `end`: status (FINISHED, FAILED, KILLED), time_ms
using Record = nlohmann::json;

/// Records of one run on disk, in a folder of its own: `journal.jsonl`, one record per line, only ever
/// appended to; `sent.json`, how far it was sent; and `files/`, the artifacts that wait, as hard links or
/// copies. One process at a time has it open.
class Journal {
 public:
  /// Opens the journal of a run, or makes it. A last line that a killed process left incomplete is removed.
  /// @return null if another process has it open
  /// @throws core::UnavailableError (disk), core::InputError (damaged sent.json)
  static std::unique_ptr<Journal> open(const std::filesystem::path& queue, const std::string& id);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

  /// Appends records in one write. Not to be called by two threads at a time.
  /// @throws core::UnavailableError
  void append(const std::vector<Record>& records);
  /// Keeps the content of a file, and appends the record of it.
  /// @param path  in the run's artifacts: "model/model.json"
  /// @throws core::UnavailableError, core::InputError (the file is missing)
  void append_artifact(const std::filesystem::path& file, const std::string& path);

  /// A record and the position after it.
  struct Line {
    Record record;
    std::uint64_t end = 0;  ///< bytes from the begin of the journal
  };
  /// The records from a position on. Without an incomplete last line, and thread-safe beside append().
  /// @throws core::InputError naming the line if one is no record
  std::vector<Line> read(std::uint64_t from) const;

  /// What the sender knows: `bytes` that were sent, and what the server gave it.
  nlohmann::json sent() const;
  /// Replaces it at once. @throws core::UnavailableError
  void set_sent(const nlohmann::json& sent) const;

  /// Deletes the folder.
  void remove();

 private:
  Journal(std::filesystem::path folder, int descriptor);

  std::filesystem::path folder_;
  int descriptor_;
  std::int64_t files_ = 0;
};

/// A new id of a run: 32 hexadecimal digits.
std::string new_id();

/// A run whose records wait.
struct Waiting {
  std::string id;
  Record start;  ///< its first record; null if that is not there
};

/// The runs whose records wait in a folder, in the order of their starts.
std::vector<Waiting> waiting(const std::filesystem::path& queue);

}  // namespace tracking
