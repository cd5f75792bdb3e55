#include "tune/study.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <mutex>
#include <random>
#include <tuple>

#include "core/clock.h"
#include "core/error.h"
#include "core/liveness.h"
#include "core/sqlite/sqlite.h"

namespace tune {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// `ended` numbers the trials in the order in which they ended, on which the algorithms' proposals depend.
constexpr const char* kSchema = R"sql(
CREATE TABLE study (definition TEXT NOT NULL);
CREATE TABLE workers (name TEXT NOT NULL UNIQUE, host TEXT NOT NULL, pid INTEGER NOT NULL, start INTEGER NOT NULL,
  seen_s REAL NOT NULL);
CREATE TABLE trials (
  number INTEGER PRIMARY KEY, state TEXT NOT NULL, parameters TEXT NOT NULL, note TEXT NOT NULL,
  results TEXT NOT NULL, worker TEXT NOT NULL, attempt INTEGER NOT NULL, run TEXT NOT NULL, report TEXT NOT NULL,
  error TEXT NOT NULL, exit_code INTEGER NOT NULL, started_s REAL NOT NULL, finished_s REAL NOT NULL,
  ended INTEGER NOT NULL, deaths INTEGER NOT NULL
);
CREATE TABLE curves (trial INTEGER NOT NULL REFERENCES trials(number), epoch INTEGER NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (trial, epoch));
PRAGMA application_id = 0x63747564;
PRAGMA user_version = 1;
)sql";

const core::SqliteFormat kFormat = {
    .name = "study", .records = "trial", .application_id = 0x63747564, .version = 1, .schema = kSchema};

constexpr std::array<std::pair<TrialState, const char*>, 5> kStates = {{{TrialState::kWaiting, "waiting"},
                                                                        {TrialState::kRunning, "running"},
                                                                        {TrialState::kDone, "done"},
                                                                        {TrialState::kFailed, "failed"},
                                                                        {TrialState::kStopped, "stopped"}}};

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// Numbers that are not finite become null.
json results_json(const Trial& trial) {
  const auto list = [](const std::vector<double>& values) {
    json out = json::array();
    for (const double value : values) out.push_back(std::isfinite(value) ? json(value) : json());
    return out;
  };
  return {{"values", list(trial.values)}, {"errors", list(trial.errors)}};
}

std::vector<double> numbers(const json& list) {
  std::vector<double> values;
  for (const json& one : list)
    values.push_back(one.is_null() ? std::numeric_limits<double>::quiet_NaN() : one.get<double>());
  return values;
}

class SqliteStudy final : public Study {
 public:
  explicit SqliteStudy(const fs::path& file)
      : database_(file, kFormat, core::sqlite_journal_for(fs::absolute(file).parent_path())) {}

  void define(const json& definition) {
    core::SqliteTransaction transaction(database_);
    if (core::SqliteRows rows = database_.query("SELECT 1 FROM study"); rows.next())
      throw core::UsageError(
          {.message = "the study exists already", .file = file(), .hint = "--resume continues it"});
    database_.execute("INSERT INTO study VALUES (?)", definition.dump());
    transaction.commit();
  }

  const fs::path& file() const override { return database_.file(); }

  json definition() const override {
    const std::lock_guard lock(mutex_);
    core::SqliteRows rows = database_.query("SELECT definition FROM study");
    if (!rows.next()) throw core::InputError({.message = "is a study without a definition", .file = file()});
    return parsed(rows.text(0));
  }

  std::vector<Trial> trials() const override {
    const std::lock_guard lock(mutex_);
    return read_trials();
  }

  std::string join() override {
    const std::lock_guard lock(mutex_);
    std::random_device random;
    std::string name = fmt::format("{}-{}-{:08x}", host_name(), ::getpid(), random());
    add_worker(name);
    return name;
  }

  void beat(const std::string& worker) override {
    const std::lock_guard lock(mutex_);
    // A worker that was taken for dead, because its machine slept, joins again; its trials are no longer its
    // own.
    if (database_.execute("UPDATE workers SET seen_s = ? WHERE name = ?", core::now_s(), worker) == 0)
      add_worker(worker);
  }

  void leave(const std::string& worker) override {
    const std::lock_guard lock(mutex_);
    core::SqliteTransaction transaction(database_);
    database_.execute("UPDATE trials SET state = 'waiting' WHERE state = 'running' AND worker = ?", worker);
    database_.execute("DELETE FROM workers WHERE name = ?", worker);
    transaction.commit();
  }

  Claim claim(const std::string& worker, const Limits& limits, const Propose& propose,
              const Promote& promote) override {
    const std::lock_guard lock(mutex_);
    for (;;) {
      std::vector<Trial> known;
      {
        core::SqliteTransaction transaction(database_);
        release_dead(limits);
        known = read_trials();
        std::int64_t number = first_waiting(known);
        if (number < 0 && promote) number = promote(known);
        if (number >= 0) {
          start(number, worker);
          Trial trial = read_trials().at(static_cast<std::size_t>(number));
          transaction.commit();
          return {.kind = Claim::Kind::kTrial, .trial = std::move(trial)};
        }
        transaction.commit();
      }
      const auto next = static_cast<std::int64_t>(known.size());
      std::optional<Proposal> proposal;
      // Outside of the transaction, because an algorithm may take seconds.
      if (next < limits.trials) proposal = propose(known, next);
      if (!proposal) {
        const bool others = std::any_of(known.begin(), known.end(),
                                        [](const Trial& one) { return one.state == TrialState::kRunning; });
        return {.kind = others ? Claim::Kind::kWait : Claim::Kind::kEnd};
      }
      core::SqliteTransaction transaction(database_);
      core::SqliteRows count = database_.query("SELECT count(*) FROM trials");
      if (count.next() && count.integer(0) != next) continue;  // another worker was faster
      Trial trial{.number = next, .parameters = proposal->parameters, .note = proposal->note};
      database_.execute(
          "INSERT INTO trials VALUES (?, 'waiting', ?, ?, ?, '', 0, '', '', '', 0, 0.0, 0.0, 0, 0)", next,
          trial.parameters.dump(), trial.note.dump(), results_json(trial).dump());
      start(next, worker);
      trial = read_trials().at(static_cast<std::size_t>(next));
      transaction.commit();
      return {.kind = Claim::Kind::kTrial, .trial = std::move(trial)};
    }
  }

  bool record(const Trial& trial) override {
    const std::lock_guard lock(mutex_);
    core::SqliteTransaction transaction(database_);
    if (!is_owned(trial)) return false;
    const bool has_ended = trial.state != TrialState::kWaiting && trial.state != TrialState::kRunning;
    database_.execute(
        "UPDATE trials SET state = ?, results = ?, run = ?, report = ?, error = ?, exit_code = ?, finished_s "
        "= ?, "
        "ended = CASE WHEN ? THEN (SELECT max(ended) + 1 FROM trials) ELSE ended END WHERE number = ?",
        to_string(trial.state), results_json(trial).dump(), trial.run, trial.report, trial.error,
        trial.exit_code, has_ended ? core::now_s() : 0.0, has_ended, trial.number);
    transaction.commit();
    return true;
  }

  bool add_to_curve(const Trial& trial, std::int64_t epoch, double value) override {
    const std::lock_guard lock(mutex_);
    core::SqliteTransaction transaction(database_);
    if (!is_owned(trial)) return false;
    database_.execute("INSERT OR REPLACE INTO curves VALUES (?, ?, ?)", trial.number, epoch, value);
    transaction.commit();
    return true;
  }

 private:
  json parsed(const std::string& text) const {
    json value = json::parse(text, nullptr, false);
    if (value.is_discarded())
      throw core::InputError({.message = "is damaged: a record is not JSON", .file = file()});
    return value;
  }

  // Trials that ended come in the order of their numbers, too: history_of() sorts them by `ended`.
  std::vector<Trial> read_trials() const {
    std::vector<Trial> trials;
    core::SqliteRows rows = database_.query(
        "SELECT number, state, parameters, note, results, worker, attempt, run, report, error, exit_code, "
        "started_s, "
        "finished_s, ended FROM trials ORDER BY number");
    while (rows.next()) {
      Trial trial{
          .number = rows.integer(0), .parameters = parsed(rows.text(2)), .note = parsed(rows.text(3))};
      const std::string state = rows.text(1);
      const auto found =
          std::find_if(kStates.begin(), kStates.end(), [&](const auto& one) { return state == one.second; });
      if (found == kStates.end() || trial.number != static_cast<std::int64_t>(trials.size()))
        throw core::InputError(
            {.message = fmt::format("is damaged: trial {}", trial.number), .file = file()});
      trial.state = found->first;
      const json results = parsed(rows.text(4));
      trial.values = numbers(results.at("values"));
      trial.errors = numbers(results.at("errors"));
      trial.worker = rows.text(5);
      trial.attempt = rows.integer(6);
      trial.run = rows.text(7);
      trial.report = rows.text(8);
      trial.error = rows.text(9);
      trial.exit_code = static_cast<int>(rows.integer(10));
      trial.started_s = rows.real(11);
      trial.finished_s = rows.real(12);
      trial.ended = rows.integer(13);
      trials.push_back(std::move(trial));
    }
    core::SqliteRows points = database_.query("SELECT trial, epoch, value FROM curves");
    while (points.next())
      trials.at(static_cast<std::size_t>(points.integer(0))).curve[points.integer(1)] = points.real(2);
    return trials;
  }

  static std::int64_t first_waiting(const std::vector<Trial>& trials) {
    for (const Trial& one : trials)
      if (one.state == TrialState::kWaiting) return one.number;
    return -1;
  }

  void start(std::int64_t number, const std::string& worker) {
    database_.execute(
        "UPDATE trials SET state = 'running', worker = ?, attempt = attempt + 1, finished_s = 0.0, "
        "started_s = CASE WHEN started_s > 0 THEN started_s ELSE ? END WHERE number = ?",
        worker, core::now_s(), number);
  }

  bool is_owned(const Trial& trial) {
    core::SqliteRows rows = database_.query(
        "SELECT 1 FROM trials WHERE number = ? AND state = 'running' AND worker = ? AND attempt = ?",
        trial.number, trial.worker, trial.attempt);
    return rows.next();
  }

  void add_worker(const std::string& name) {
    database_.execute("INSERT INTO workers VALUES (?, ?, ?, ?, ?)", name, host_name(),
                      static_cast<std::int64_t>(::getpid()), core::process_start(::getpid()), core::now_s());
  }

  // Trials of workers that gave no sign of life, or whose process is known to have ended, wait for another
  // one.
  void release_dead(const Limits& limits) {
    std::vector<std::string> dead;
    core::SqliteRows rows = database_.query("SELECT name, host, pid, start, seen_s FROM workers");
    while (rows.next()) {
      const bool is_silent = rows.real(4) < core::now_s() - limits.lease_s;
      const bool has_ended =
          rows.text(1) == host_name() && !core::process_lives(rows.integer(2), rows.integer(3));
      if (is_silent || has_ended) dead.push_back(rows.text(0));
    }
    for (const std::string& name : dead) database_.execute("DELETE FROM workers WHERE name = ?", name);
    database_.execute(
        "UPDATE trials SET state = 'waiting', deaths = deaths + 1 "
        "WHERE state = 'running' AND worker NOT IN (SELECT name FROM workers)");
    database_.execute(
        "UPDATE trials SET state = 'failed', error = 'its workers died', exit_code = 1, finished_s = ?, "
        "ended = (SELECT max(ended) + 1 FROM trials) WHERE state = 'waiting' AND deaths >= ?",
        core::now_s(), limits.deaths);
  }

  mutable std::mutex mutex_;
  mutable core::SqliteDatabase database_;
};

}  // namespace

std::string to_string(TrialState state) {
  for (const auto& [one, name] : kStates)
    if (one == state) return name;
  return "unknown";
}

std::unique_ptr<Study> Study::create(const fs::path& file, const json& definition) {
  auto study = std::make_unique<SqliteStudy>(file);
  study->define(definition);
  return study;
}

std::unique_ptr<Study> Study::open(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error))
    throw core::InputError({.message = "there is no such study",
                            .file = file,
                            .hint = "calopipe tune --space FILE --study FILE makes one"});
  return std::make_unique<SqliteStudy>(file);
}

History history_of(const std::vector<Trial>& trials,
                   const std::function<std::vector<double>(const Trial&)>& losses) {
  std::vector<const Trial*> ended, others;
  for (const Trial& trial : trials)
    (trial.state == TrialState::kWaiting || trial.state == TrialState::kRunning ? others : ended)
        .push_back(&trial);
  std::sort(ended.begin(), ended.end(), [](const Trial* a, const Trial* b) {
    return std::tie(a->ended, a->number) < std::tie(b->ended, b->number);
  });
  History history;
  const auto add = [&](const Trial& trial) {
    Observation one{.number = trial.number, .parameters = trial.parameters, .note = trial.note};
    using State = Observation::State;
    switch (trial.state) {
      case TrialState::kDone:
        one.state = State::kDone;
        one.losses = losses(trial);
        break;
      case TrialState::kFailed:
        one.state = State::kFailed;
        break;
      case TrialState::kStopped:
        one.state = State::kStopped;
        break;
      default:
        one.state = State::kRunning;
    }
    history.push_back(std::move(one));
  };
  for (const Trial* trial : ended) add(*trial);
  for (const Trial* trial : others) add(*trial);
  return history;
}

}  // namespace tune
