#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "tracking/journal.h"
#include "tracking/mlflow.h"

namespace tracking {

/// The server does not have a run yet that another one refers to.
class ParentMissing : public core::UnavailableError {
 public:
  using core::UnavailableError::UnavailableError;
};

/// Sends the records of a journal to MLflow, in their order, and notes how far it has come. Sending may end
/// at any point and be repeated: nothing is doubled on the server.
class Sender {
 public:
  /// @param attempts  for each call
  /// @param warn      receives what cannot be sent and is left out, in one line
  Sender(Journal& journal, int attempts, std::function<void(const std::string&)> warn);

  /// What to do with a run whose parent is not on the server.
  enum class Parent { kWait, kLeaveOut };

  /// Sends what waits. @return number of records
  /// @throws core::Error if the server cannot be reached or refuses the login; records then wait
  std::int64_t send(Parent parent = Parent::kWait);
  /// Number of records that wait.
  std::int64_t waiting() const;
  /// True if the last record that was sent is the end of the run.
  bool is_complete() const { return complete_; }

 private:
  using Lines = std::vector<Journal::Line>;

  std::size_t send_some(const Lines& lines, std::size_t begin, Parent parent);
  std::size_t send_values(const Lines& lines, std::size_t begin);
  void send_values(const std::vector<Metric>& metrics, const std::map<std::string, std::string>& params,
                   const std::map<std::string, std::string>& tags);
  void start(const Record& record, Parent parent);
  void send_artifact(const Record& record);
  void register_model(const Record& record);
  void connect(const std::string& to);
  void note(std::uint64_t bytes);
  template <class Body>
  void leave_out_if_refused(const std::string& what, const Body& body);

  Journal& journal_;
  int attempts_;
  std::function<void(const std::string&)> warn_;
  std::unique_ptr<Mlflow> mlflow_;
  MlflowRun run_;
  std::string to_;
  std::uint64_t bytes_ = 0;
  double settle_s_ = 0;
  bool uncertain_ = false;  // whether a call that makes the run was executed is not known
  bool complete_ = false;
  std::set<std::string> warned_of_;
};

/// A run whose records wait.
struct WaitingRun {
  std::string id, name, to;
  std::filesystem::path folder;
  std::int64_t records = 0;
  bool live = false;    ///< its process lives, and sends them itself
  std::string problem;  ///< why they were not sent, or cannot be
  bool away = false;    ///< the server cannot be reached, or refuses the login
};

/// The runs whose records wait in a folder, oldest first.
/// @param parent  only those that belong to this run; empty = all
std::vector<WaitingRun> list_waiting(const std::filesystem::path& queue, const std::string& parent = {});

/// Sends the records of a run, and deletes them here when the server has all. A run whose process died before
/// its end is ended as KILLED.
/// @return the run, with `records` still waiting
WaitingRun send_waiting(const std::filesystem::path& queue, const WaitingRun& run,
                        const std::function<void(const std::string&)>& warn);
/// The same for several runs, which may refer to each other.
std::vector<WaitingRun> send_waiting(const std::filesystem::path& queue, std::vector<WaitingRun> runs,
                                     const std::function<void(const std::string&)>& warn);

/// Deletes the records of a run unsent. @throws core::UsageError if there is none, or its process lives
void drop_waiting(const std::filesystem::path& queue, const std::string& id);

}  // namespace tracking
