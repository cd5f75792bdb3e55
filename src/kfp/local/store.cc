#include "kfp/local/store.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/liveness.h"
#include "kfp/component/field.h"
#include "kfp/local/detail/record_json.h"
#include "kfp/local/detail/sqlite_store.h"

namespace kfp::local {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr const char* kSchema = R"sql(
CREATE TABLE runs (
  id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
  created_s REAL, finished_s REAL, parameters TEXT NOT NULL, program_version TEXT NOT NULL,
  spec_sha256 TEXT NOT NULL, folder TEXT NOT NULL, runner_pid INTEGER NOT NULL, runner_start INTEGER NOT NULL,
  error TEXT NOT NULL, options TEXT NOT NULL
);
CREATE TABLE tasks (
  run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, path TEXT NOT NULL, name TEXT NOT NULL,
  component TEXT NOT NULL, is_dag INTEGER NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,
  started_s REAL, finished_s REAL, exit_code INTEGER, cache_key TEXT NOT NULL, cached_from TEXT NOT NULL,
  log TEXT NOT NULL, error TEXT NOT NULL, inputs TEXT NOT NULL, outputs TEXT NOT NULL, cpu_s REAL,
  peak_memory_bytes INTEGER NOT NULL,
  UNIQUE (run_id, path)
);
CREATE INDEX tasks_by_cache_key ON tasks (cache_key) WHERE cache_key <> '';
CREATE INDEX tasks_by_origin ON tasks (cached_from) WHERE cached_from <> '';
CREATE TABLE artifacts (
  run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, task_path TEXT NOT NULL,
  direction INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, path TEXT NOT NULL,
  sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, metadata TEXT NOT NULL, stamp TEXT NOT NULL,
  UNIQUE (run_id, task_path, direction, name)
);
CREATE INDEX artifacts_by_path ON artifacts (path);
CREATE TABLE trash (folder TEXT NOT NULL UNIQUE);
PRAGMA application_id = 0x63616c6f;
PRAGMA user_version = 1;
)sql";

const core::SqliteFormat kFormat = {
    .name = "store of runs", .records = "run", .application_id = 0x63616c6f, .version = 1, .schema = kSchema};

constexpr std::array<std::pair<State, const char*>, 7> kStates = {{{State::kPending, "PENDING"},
                                                                   {State::kRunning, "RUNNING"},
                                                                   {State::kSucceeded, "SUCCEEDED"},
                                                                   {State::kCached, "CACHED"},
                                                                   {State::kSkipped, "SKIPPED"},
                                                                   {State::kFailed, "FAILED"},
                                                                   {State::kCanceled, "CANCELED"}}};

// UTC, so that ids stay sortable in any time zone.
std::string new_id(double created_s) {
  std::random_device random;
  return fmt::format("{:%Y%m%d-%H%M%S}-{:04x}", fmt::gmtime(static_cast<std::time_t>(created_s)),
                     random() & 0xFFFF);
}

// True for "s3://bucket/key": artifacts of importers need not be in a file system.
bool is_uri(const std::string& text) {
  const std::size_t end = text.find("://");
  return end != std::string::npos && end > 0 && text.find('/') > end;
}

// A remote run is stored under this name in the options, so that the tables are those of version 1.
constexpr const char* kRemote = "remote";

json options_with_place(const RunRecord& record) {
  json options = record.options;
  if (record.remote)
    options[kRemote] = {{"context", record.remote->context},
                        {"server", record.remote->server},
                        {"state", record.remote->state},
                        {"seen_s", record.remote->seen_s}};
  return options;
}

void take_place(RunRecord& record, const fs::path& file) {
  if (!record.options.is_object() || !record.options.contains(kRemote)) return;
  try {
    const json& place = record.options.at(kRemote);
    record.remote = {.context = place.at("context"),
                     .server = place.at("server"),
                     .state = place.at("state"),
                     .seen_s = place.at("seen_s")};
  } catch (const json::exception&) {
    throw core::InputError(
        {.message = fmt::format("is damaged: run {} has no complete place", record.id), .file = file});
  }
  record.options.erase(kRemote);
}

// Ids of remote runs come from elsewhere and become the names of folders.
void check_remote_id(const std::string& id) {
  const bool plain =
      !id.empty() && id.size() <= 128 && id.front() != '-' &&
      std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
  if (!plain || id == "latest")
    throw core::InputError({.message = fmt::format("\"{}\" cannot be the id of a run", id),
                            .hint = "letters, digits and dashes"});
}

void complete_runner(RunRecord& record) {
  if (record.remote) return;
  if (record.state == State::kRunning && record.runner_pid == 0) record.runner_pid = ::getpid();
  if (record.runner_pid != 0 && record.runner_start == 0)
    record.runner_start = core::process_start(record.runner_pid);
}

[[noreturn]] void no_such_run(const std::string& id, const fs::path& folder,
                              const std::vector<std::string>& ids) {
  const std::string near = nearest(id, ids);
  throw core::UsageError({.message = fmt::format("there is no run \"{}\"", id),
                          .file = folder,
                          .hint = ids.empty()    ? "the store has no runs yet"
                                  : near.empty() ? "calopipe runs list lists them"
                                                 : fmt::format("did you mean {}?", near)});
}

}  // namespace

std::string to_string(State state) {
  for (const auto& [known, text] : kStates)
    if (known == state) return text;
  return "UNKNOWN";
}

State parse_state(const std::string& text) {
  for (const auto& [state, known] : kStates)
    if (text == known) return state;
  throw core::InputError({.message = fmt::format("\"{}\" is not a state of a run or task", text),
                          .hint = "PENDING, RUNNING, SUCCEEDED, CACHED, SKIPPED, FAILED or CANCELED"});
}

bool is_final(State state) {
  return state != State::kPending && state != State::kRunning;
}

fs::path default_store_folder() {
  const char* folder = std::getenv("CALOPIPE_STORE");
  return folder != nullptr && *folder != '\0' ? folder : ".calopipe";
}

std::unique_ptr<Store> Store::open(const fs::path& folder) {
  if (folder.empty()) throw core::UsageError({.message = "a store needs a folder"});
  fs::path absolute = fs::absolute(folder).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  std::error_code error;
  if (fs::exists(absolute, error) && !fs::is_directory(absolute, error))
    throw core::InputError(
        {.message = "is a file, but a store is a folder", .file = absolute, .hint = "choose another store"});
  fs::create_directories(absolute / "runs", error);
  if (error)
    throw core::UnavailableError({.message = "the folder of the store cannot be created: " + error.message(),
                                  .file = absolute,
                                  .hint = "choose a store that you may write to"});
  return std::make_unique<SqliteStore>(absolute, core::sqlite_journal_for(absolute));
}

SqliteStore::SqliteStore(fs::path folder, core::SqliteJournal journal)
    : folder_(std::move(folder)), database_(folder_ / "runs.db", kFormat, journal) {}

std::string SqliteStore::stored(const fs::path& path) const {
  if (path.empty() || is_uri(path.string())) return path.string();
  const fs::path absolute = fs::absolute(path).lexically_normal();
  const fs::path relative = absolute.lexically_relative(folder_);
  if (relative.empty() || *relative.begin() == "..") return absolute.string();
  return relative.string();
}

fs::path SqliteStore::restored(const std::string& text) const {
  return text.empty() || is_uri(text) ? fs::path(text) : folder_ / text;
}

RunRecord SqliteStore::read_run(const SqliteRows& rows) const {
  RunRecord record{.id = rows.text(0),
                   .pipeline = rows.text(1),
                   .name = rows.text(2),
                   .state = parse_state(rows.text(3)),
                   .created_s = rows.real(4),
                   .finished_s = rows.real(5),
                   .parameters = json_from_text(rows.text(6), database_.file()),
                   .program_version = rows.text(7),
                   .spec_sha256 = rows.text(8),
                   .folder = restored(rows.text(9)),
                   .runner_pid = rows.integer(10),
                   .runner_start = rows.integer(11),
                   .error = rows.text(12),
                   .options = json_from_text(rows.text(13), database_.file())};
  take_place(record, database_.file());
  if (record.remote) return record;
  const bool dead = record.runner_pid != 0 ? !core::process_lives(record.runner_pid, record.runner_start)
                                           : record.state == State::kRunning;
  if (!is_final(record.state) && dead) record.state = State::kCanceled;
  return record;
}

RunRecord SqliteStore::create_run(RunRecord record) {
  const std::lock_guard lock(mutex_);
  if (record.created_s == 0) record.created_s = core::now_s();
  complete_runner(record);
  const std::string parameters = to_text(record.parameters, "parameters");
  const std::string options = to_text(options_with_place(record), "options");
  if (record.remote) check_remote_id(record.id);
  for (int attempt = 0;; ++attempt) {
    if (!record.remote) record.id = new_id(record.created_s);
    record.folder = folder_ / "runs" / record.id;
    // Creating the folder decides: only one process can do that, even if a deleted run left something.
    std::error_code error;
    if (fs::create_directory(record.folder, error)) break;
    if (error)
      throw core::UnavailableError(
          {.message = "the folder of the run cannot be created: " + error.message(), .file = record.folder});
    if (record.remote)
      throw core::UsageError(
          {.message = fmt::format("run {} is already recorded", record.id), .file = folder_});
    if (attempt == 1000)
      throw core::UnavailableError({.message = "there is no unused id for a run", .file = folder_});
  }
  try {
    database_.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", record.id,
                      record.pipeline, record.name, to_string(record.state), record.created_s,
                      record.finished_s, parameters, record.program_version, record.spec_sha256,
                      stored(record.folder), record.runner_pid, record.runner_start, record.error, options);
  } catch (const std::exception&) {
    std::error_code ignored;
    fs::remove(record.folder, ignored);
    throw;
  }
  return record;
}

void SqliteStore::write_run(const RunRecord& record) {
  const int changed = database_.execute(
      "UPDATE runs SET pipeline = ?, name = ?, state = ?, created_s = ?, finished_s = ?, parameters = ?, "
      "program_version = ?, spec_sha256 = ?, folder = ?, runner_pid = ?, runner_start = ?, error = ?, "
      "options = ? WHERE id = ?",
      record.pipeline, record.name, to_string(record.state), record.created_s, record.finished_s,
      to_text(record.parameters, "parameters"), record.program_version, record.spec_sha256,
      stored(record.folder), record.runner_pid, record.runner_start, record.error,
      to_text(options_with_place(record), "options"), record.id);
  if (changed == 0) no_such_run(record.id, folder_, {});
}

void SqliteStore::update_run(const RunRecord& record) {
  const std::lock_guard lock(mutex_);
  RunRecord complete = record;
  complete_runner(complete);
  write_run(complete);
}

RunRecord SqliteStore::claim_run(const std::string& id) {
  const std::lock_guard lock(mutex_);
  SqliteTransaction transaction(database_);
  RunRecord record = find_run(id);
  if (record.remote)
    throw core::UsageError(
        {.message = fmt::format("run {} is on {}, not on this machine", record.id, record.remote->server)});
  const bool live = record.runner_pid != 0 && core::process_lives(record.runner_pid, record.runner_start);
  if (live && !is_final(record.state) && record.runner_pid != ::getpid())
    throw core::UsageError(
        {.message = fmt::format("run {} is running: process {}", record.id, record.runner_pid),
         .hint = "wait for it, or end the process, then try again"});
  record.runner_pid = ::getpid();
  record.runner_start = core::process_start(record.runner_pid);
  record.state = State::kRunning;
  record.finished_s = 0;
  record.error.clear();
  write_run(record);
  transaction.commit();
  return record;
}

RunRecord SqliteStore::find_run(const std::string& id) const {
  std::vector<RunRecord> found;
  const auto collect = [&](SqliteRows rows) {
    while (rows.next()) found.push_back(read_run(rows));
  };
  if (id == "latest")
    collect(database_.query("SELECT * FROM runs ORDER BY created_s DESC, rowid DESC LIMIT 1"));
  else
    collect(database_.query("SELECT * FROM runs WHERE id = ?", id));
  if (found.empty() && !id.empty() && id != "latest")
    collect(
        database_.query("SELECT * FROM runs WHERE substr(id, 1, length(?)) = ? ORDER BY id LIMIT 6", id, id));
  if (found.size() == 1) return std::move(found.front());
  std::vector<std::string> ids;
  if (found.empty()) {
    SqliteRows rows = database_.query("SELECT id FROM runs ORDER BY created_s DESC");
    while (rows.next()) ids.push_back(rows.text(0));
    no_such_run(id, folder_, ids);
  }
  for (const RunRecord& record : found) ids.push_back(record.id);
  if (ids.size() > 5) ids.back() = "…";
  throw core::UsageError({.message = fmt::format("several runs begin with \"{}\"", id),
                          .hint = fmt::format("{}", fmt::join(ids, ", "))});
}

RunRecord SqliteStore::run(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return find_run(id);
}

std::vector<RunRecord> SqliteStore::runs() const {
  const std::lock_guard lock(mutex_);
  std::vector<RunRecord> found;
  SqliteRows rows = database_.query("SELECT * FROM runs ORDER BY created_s DESC, rowid DESC");
  while (rows.next()) found.push_back(read_run(rows));
  return found;
}

}  // namespace kfp::local
