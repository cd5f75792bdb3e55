#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/liveness.h"
#include "tune/study.h"

namespace tune {

// The tables of a study, for every database. `ended` numbers the trials in the order in which they ended, on
// which the algorithms' proposals depend.
constexpr const char* kStudyTables = R"sql(
CREATE TABLE study (definition TEXT NOT NULL);
CREATE TABLE workers (name TEXT NOT NULL UNIQUE, host TEXT NOT NULL, pid BIGINT NOT NULL, start BIGINT NOT NULL,
  seen_s DOUBLE PRECISION NOT NULL);
CREATE TABLE trials (
  number BIGINT PRIMARY KEY, state TEXT NOT NULL, parameters TEXT NOT NULL, note TEXT NOT NULL,
  results TEXT NOT NULL, worker TEXT NOT NULL, attempt BIGINT NOT NULL, run TEXT NOT NULL, report TEXT NOT NULL,
  error TEXT NOT NULL, exit_code BIGINT NOT NULL, started_s DOUBLE PRECISION NOT NULL,
  finished_s DOUBLE PRECISION NOT NULL, ended BIGINT NOT NULL, deaths BIGINT NOT NULL
);
CREATE TABLE curves (trial BIGINT NOT NULL REFERENCES trials(number), epoch BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL, PRIMARY KEY (trial, epoch));
)sql";
constexpr int kStudyVersion = 1;

// Identifies this machine, since its last start, and its space of process ids.
std::string machine_id();
// Name of a new worker: host, process and a random number.
std::string new_worker_name();
std::int64_t own_pid();
// Values and errors of a trial; numbers that are not finite become null.
std::string results_text(const Trial& trial);
// Reads results_text().
void read_results(Trial& trial, const nlohmann::json& results);
// The text with U+FFFD for bytes that are not UTF-8, which PostgreSQL and JSON refuse: an error may quote a
// file.
std::string as_utf8(const std::string& text);
// Reads what to_string() wrote; nullopt = unknown.
std::optional<TrialState> trial_state(const std::string& text);

// A study in a database of SQL: the statements are those that SQLite and PostgreSQL understand alike.
// `Database` has query() and execute(), with `?` for each value; Rows and Transaction, in which no other
// process writes to the study; now_s(), the clock of all workers; available_since_s(), before which no worker
// could give a sign of life; and persist(body), which calls body(bool again) until the database was there.
template <class Database>
class SqlStudy : public Study {
 public:
  template <class... Args>
  explicit SqlStudy(Args&&... args) : database_(std::forward<Args>(args)...) {}

  std::string file() const override { return database_.shown(); }
  std::string name() const override { return database_.name(); }

  nlohmann::json definition() const override {
    return guarded([&](bool) {
      Rows rows = database_.query("SELECT definition FROM study");
      if (!rows.next())
        throw core::InputError({.message = "is a study without a definition", .file = file()});
      return parsed(rows.text(0));
    });
  }

  std::vector<Trial> trials() const override {
    return guarded([&](bool) { return read_trials(); });
  }

  std::string join() override {
    std::string name = new_worker_name();
    guarded([&](bool) { add_worker(name); });
    return name;
  }

  void beat(const std::string& worker) override {
    guarded([&](bool) {
      // A worker that was taken for dead, because its machine slept, joins again; its trials are no longer
      // its own.
      if (database_.execute("UPDATE workers SET seen_s = ? WHERE name = ?", database_.now_s(), worker) == 0)
        add_worker(worker);
    });
  }

  void leave(const std::string& worker) override {
    guarded([&](bool) {
      Transaction transaction(database_);
      database_.execute("UPDATE trials SET state = 'waiting' WHERE state = 'running' AND worker = ?", worker);
      database_.execute("DELETE FROM workers WHERE name = ?", worker);
      transaction.commit();
    });
  }

  Claim claim(const std::string& worker, const Limits& limits, const Propose& propose,
              const Promote& promote) override {
    return guarded([&](bool) { return try_claim(worker, limits, propose, promote); });
  }

  bool record(const Trial& trial) override {
    return guarded([&](bool again) {
      Transaction transaction(database_);
      // The connection may have broken after the first try was recorded.
      if (!is_owned(trial, "running")) return again && is_owned(trial, to_string(trial.state));
      const bool has_ended = trial.state != TrialState::kWaiting && trial.state != TrialState::kRunning;
      database_.execute(
          "UPDATE trials SET state = ?, results = ?, run = ?, report = ?, error = ?, exit_code = ?, "
          "finished_s = ?, ended = CASE WHEN ? > 0 THEN (SELECT max(ended) + 1 FROM trials) ELSE ended END "
          "WHERE number = ?",
          to_string(trial.state), results_text(trial), trial.run, trial.report, as_utf8(trial.error),
          trial.exit_code, has_ended ? database_.now_s() : 0.0, has_ended ? 1 : 0, trial.number);
      transaction.commit();
      return true;
    });
  }

  bool add_to_curve(const Trial& trial, std::int64_t epoch, double value) override {
    return guarded([&](bool) {
      Transaction transaction(database_);
      if (!is_owned(trial, "running")) return false;
      database_.execute(
          "INSERT INTO curves VALUES (?, ?, ?) ON CONFLICT (trial, epoch) DO UPDATE SET value = "
          "excluded.value",
          trial.number, epoch, value);
      transaction.commit();
      return true;
    });
  }

  Database& database() { return database_; }

 protected:
  using Rows = typename Database::Rows;
  using Transaction = typename Database::Transaction;

 private:
  template <class Body>
  auto guarded(const Body& body) const {
    const std::lock_guard lock(mutex_);
    return database_.persist(body);
  }

  Claim try_claim(const std::string& worker, const Limits& limits, const Propose& propose,
                  const Promote& promote) {
    for (;;) {
      std::vector<Trial> known;
      {
        Transaction transaction(database_);
        release_dead(limits);
        known = read_trials();
        std::int64_t number = first_waiting(known, worker);
        if (number < 0 && promote) number = promote(known);
        if (number >= 0) {
          Trial trial = start(number, worker);
          transaction.commit();
          return claimed(std::move(trial));
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
      Transaction transaction(database_);
      {
        Rows count = database_.query("SELECT count(*) FROM trials");
        if (count.next() && count.integer(0) != next) continue;  // another worker was faster
      }
      Trial trial{.number = next, .parameters = proposal->parameters, .note = proposal->note};
      database_.execute(
          "INSERT INTO trials VALUES (?, 'waiting', ?, ?, ?, '', 0, '', '', '', 0, 0.0, 0.0, 0, 0)", next,
          trial.parameters.dump(), trial.note.dump(), results_text(trial));
      trial = start(next, worker);
      transaction.commit();
      return claimed(std::move(trial));
    }
  }

  Claim claimed(Trial trial) {
    claimed_.emplace(trial.number, trial.attempt);
    return {.kind = Claim::Kind::kTrial, .trial = std::move(trial)};
  }

  nlohmann::json parsed(const std::string& text) const {
    nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
    if (value.is_discarded())
      throw core::InputError({.message = "is damaged: a record is not JSON", .file = file()});
    return value;
  }

  // Trials that ended come in the order of their numbers, too: history_of() sorts them by `ended`.
  std::vector<Trial> read_trials() const {
    // The curves come first: what is added meanwhile belongs to trials that the second statement reads.
    std::map<std::int64_t, std::map<std::int64_t, double>> curves;
    Rows points = database_.query("SELECT trial, epoch, value FROM curves");
    while (points.next()) curves[points.integer(0)][points.integer(1)] = points.real(2);
    std::vector<Trial> trials;
    Rows rows = database_.query(
        "SELECT number, state, parameters, note, results, worker, attempt, run, report, error, exit_code, "
        "started_s, finished_s, ended FROM trials ORDER BY number");
    while (rows.next()) {
      Trial trial{
          .number = rows.integer(0), .parameters = parsed(rows.text(2)), .note = parsed(rows.text(3))};
      const auto state = trial_state(rows.text(1));
      if (!state || trial.number != static_cast<std::int64_t>(trials.size()))
        throw core::InputError(
            {.message = fmt::format("is damaged: trial {}", trial.number), .file = file()});
      trial.state = *state;
      read_results(trial, parsed(rows.text(4)));
      trial.worker = rows.text(5);
      trial.attempt = rows.integer(6);
      trial.run = rows.text(7);
      trial.report = rows.text(8);
      trial.error = rows.text(9);
      trial.exit_code = static_cast<int>(rows.integer(10));
      trial.started_s = rows.real(11);
      trial.finished_s = rows.real(12);
      trial.ended = rows.integer(13);
      trial.curve = std::move(curves[trial.number]);
      trials.push_back(std::move(trial));
    }
    return trials;
  }

  // A trial that this worker has started without knowing, because the connection broke after the commit,
  // waits as well.
  std::int64_t first_waiting(const std::vector<Trial>& trials, const std::string& worker) const {
    for (const Trial& one : trials)
      if (one.state == TrialState::kWaiting || (one.state == TrialState::kRunning && one.worker == worker &&
                                                !claimed_.contains({one.number, one.attempt})))
        return one.number;
    return -1;
  }

  Trial start(std::int64_t number, const std::string& worker) {
    database_.execute(
        "UPDATE trials SET state = 'running', worker = ?, attempt = attempt + 1, finished_s = 0.0, "
        "started_s = CASE WHEN started_s > 0 THEN started_s ELSE ? END WHERE number = ?",
        worker, database_.now_s(), number);
    return read_trials().at(static_cast<std::size_t>(number));
  }

  bool is_owned(const Trial& trial, const std::string& state) {
    Rows rows =
        database_.query("SELECT 1 FROM trials WHERE number = ? AND state = ? AND worker = ? AND attempt = ?",
                        trial.number, state, trial.worker, trial.attempt);
    return rows.next();
  }

  void add_worker(const std::string& name) {
    database_.execute("INSERT INTO workers VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING", name,
                      machine_id(), own_pid(), core::process_start(own_pid()), database_.now_s());
  }

  // Trials of workers that gave no sign of life, or whose process is known to have ended, wait for another
  // one.
  void release_dead(const Limits& limits) {
    const double now_s = database_.now_s(), since_s = database_.available_since_s();
    std::vector<std::string> dead;
    {
      Rows rows = database_.query("SELECT name, host, pid, start, seen_s FROM workers");
      while (rows.next()) {
        const bool is_silent = std::max(rows.real(4), since_s) < now_s - limits.lease_s;
        const bool has_ended =
            rows.text(1) == machine_id() && !core::process_lives(rows.integer(2), rows.integer(3));
        if (is_silent || has_ended) dead.push_back(rows.text(0));
      }
    }
    for (const std::string& name : dead) database_.execute("DELETE FROM workers WHERE name = ?", name);
    database_.execute(
        "UPDATE trials SET state = 'waiting', deaths = deaths + 1 "
        "WHERE state = 'running' AND worker NOT IN (SELECT name FROM workers)");
    database_.execute(
        "UPDATE trials SET state = 'failed', error = 'its workers died', exit_code = 1, finished_s = ?, "
        "ended = (SELECT max(ended) + 1 FROM trials) WHERE state = 'waiting' AND deaths >= ?",
        now_s, limits.deaths);
  }

  mutable std::mutex mutex_;
  mutable Database database_;
  std::set<std::pair<std::int64_t, std::int64_t>> claimed_;  // numbers and attempts
};

}  // namespace tune
