#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tune/algorithm.h"

namespace tune {

/// State of a trial.
enum class TrialState {
  kWaiting,  ///< proposed, and to be run (again): its worker died or was interrupted
  kRunning,
  kDone,
  kFailed,
  kStopped  ///< by early stopping; may be continued
};
/// "waiting" …
std::string to_string(TrialState state);

/// One point of a study, and what came out.
struct Trial {
  std::int64_t number = 0;
  TrialState state = TrialState::kWaiting;
  Parameters parameters;
  nlohmann::json note;                   ///< of the algorithm
  std::vector<double> values, errors;    ///< of each objective, in its own direction; an error may be NaN
  std::string worker;                    ///< that runs it, or ran it last
  std::int64_t attempt = 0;              ///< number of times that it was started
  std::string run;                       ///< id of its run in the worker's store
  std::string report;                    ///< path of its report
  std::string error;                     ///< in one line
  int exit_code = 0;                     ///< of a failed trial
  double started_s = 0, finished_s = 0;  ///< seconds since 1970; 0 = not yet
  std::int64_t ended = 0;                ///< place among the trials that ended, from 1; 0 = none yet
  std::map<std::int64_t, double> curve;  ///< values by epoch, for early stopping; smaller is better
};

/// Name of the machine of a worker, on which the folder and the report of its trials are; "" for no worker.
std::string machine_of(const std::string& worker);
/// Name of this machine, as in machine_of().
std::string this_machine();

/// What to do next.
struct Claim {
  enum class Kind { kTrial, kWait, kEnd };
  Kind kind = Kind::kEnd;  ///< kWait: others run the last trials, and might die
  Trial trial;             ///< for kTrial
};

/// A study in a file of SQLite or in a database of PostgreSQL, which several processes share. A trial belongs
/// to the worker that claimed it, as long as that gives a sign of life; then another worker continues it, and
/// what the first one says later is ignored. So no trial is lost, and none is counted twice. One object is
/// used by one thread at a time, and by several through its own lock.
///
/// A place is the path of a file, or "postgresql://[user@]host[:port]/database?study=NAME". If the server
/// goes away, every function waits for it as long as `patience_s` says, then throws core::UnavailableError;
/// trials are not given to others because of a time in which the server was not there.
class Study {
 public:
  static constexpr double kPatienceS = 600;
  /// Makes a study. @param definition what the study searches, for and how; kept as it is
  /// @throws core::UsageError if it exists
  static std::unique_ptr<Study> create(const std::string& place, const nlohmann::json& definition,
                                       double patience_s = kPatienceS);
  /// @throws core::InputError if it is missing, or is no study
  static std::unique_ptr<Study> open(const std::string& place, double patience_s = kPatienceS);
  /// Names of the studies in a database, or in a folder, in the order of the alphabet.
  /// @param place  a folder, or a URL, whose `study` is ignored
  static std::vector<std::string> list(const std::string& place);
  virtual ~Study() = default;

  /// The place for people: a URL has no password.
  virtual std::string file() const = 0;
  /// Name of the file, or of the study in its database.
  virtual std::string name() const = 0;
  virtual nlohmann::json definition() const = 0;
  /// In the order of their numbers.
  virtual std::vector<Trial> trials() const = 0;

  struct Limits {
    std::int64_t trials = 0;  ///< of the study
    double lease_s = 60;      ///< time without a sign of life after which a worker is dead
    std::int64_t deaths = 3;  ///< a trial whose workers died so often fails
  };
  /// Proposes the next point; nullopt if there are no more.
  using Propose =
      std::function<std::optional<Proposal>(const std::vector<Trial>& trials, std::int64_t number)>;
  /// Selects a stopped trial that shall go on; negative = none.
  using Promote = std::function<std::int64_t(const std::vector<Trial>& trials)>;

  /// Registers this process as a worker. @return its name
  virtual std::string join() = 0;
  /// A sign of life, in time before the lease ends.
  virtual void beat(const std::string& worker) = 0;
  /// Gives up the worker's trials, which others can claim at once.
  virtual void leave(const std::string& worker) = 0;
  /// Claims a waiting trial, else a stopped one that goes on, else a new one.
  virtual Claim claim(const std::string& worker, const Limits& limits, const Propose& propose,
                      const Promote& promote) = 0;
  /// Records what a trial has come to: state, values, errors, run, report, error.
  /// @return false if the trial no longer belongs to its worker, so that nothing was recorded
  virtual bool record(const Trial& trial) = 0;
  /// Adds to the curve of a trial. @return as record()
  virtual bool add_to_curve(const Trial& trial, std::int64_t epoch, double value) = 0;
};

/// The trials as algorithms take them. @param losses smaller is better, from the values of a done trial
History history_of(const std::vector<Trial>& trials,
                   const std::function<std::vector<double>(const Trial&)>& losses);

}  // namespace tune
