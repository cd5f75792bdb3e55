#include "core/sqlite/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/statfs.h>

#include <chrono>
#include <thread>

#include "core/error.h"

namespace core {
namespace {

constexpr int kBusyTimeoutMs = 60'000;

}  // namespace

SqliteJournal sqlite_journal_for(const std::filesystem::path& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return SqliteJournal::kWriteAhead;
  // File systems in this list may be shared with other machines.
  switch (static_cast<std::uint32_t>(info.f_type)) {
    case 0x6969:      // NFS
    case 0x517B:      // SMB
    case 0xFE534D42:  // SMB 2
    case 0xFF534D42:  // CIFS
    case 0x5346414F:  // AFS
    case 0x6B414653:  // AFS of the kernel
    case 0x65735546:  // FUSE: EOS, CVMFS, sshfs
    case 0x00C36400:  // Ceph
    case 0x0BD00BD0:  // Lustre
    case 0x47504653:  // GPFS
    case 0x01021997:  // 9P
      return SqliteJournal::kRollback;
    default:
      return SqliteJournal::kWriteAhead;
  }
}

SqliteRows::SqliteRows(SqliteDatabase& database, sqlite3_stmt* statement)
    : database_(database), statement_(statement) {}

SqliteRows::~SqliteRows() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool SqliteRows::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code);
  return false;
}

std::string SqliteRows::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::int64_t SqliteRows::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double SqliteRows::real(int column) const {
  return sqlite3_column_double(statement_, column);
}

bool SqliteRows::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

void SqliteRows::bind(int place, std::string_view value) {
  // The pointer of an empty view may be null, which SQLite would read as NULL.
  const char* bytes = value.empty() ? "" : value.data();
  const int code = sqlite3_bind_text64(statement_, place, bytes, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) database_.fail(code);
}

void SqliteRows::bind(int place, std::int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_, place, value); code != SQLITE_OK) database_.fail(code);
}

void SqliteRows::bind(int place, double value) {
  if (const int code = sqlite3_bind_double(statement_, place, value); code != SQLITE_OK) database_.fail(code);
}

void SqliteRows::bind(int place, std::optional<int> value) {
  if (value)
    bind(place, *value);
  else if (const int code = sqlite3_bind_null(statement_, place); code != SQLITE_OK)
    database_.fail(code);
}

SqliteDatabase::SqliteDatabase(std::filesystem::path file, SqliteFormat format, SqliteJournal journal)
    : file_(std::move(file)), format_(std::move(format)) {
  const int code = sqlite3_open_v2(file_.c_str(), &connection_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  try {
    if (code != SQLITE_OK) fail(code);
    sqlite3_extended_result_codes(connection_, 1);
    sqlite3_busy_timeout(connection_, kBusyTimeoutMs);
    if (sqlite3_db_readonly(connection_, "main") == 1)
      throw UnavailableError(
          {.message = "is read-only", .file = file_, .hint = "choose another place that you may write to"});
    prepare(journal);
  } catch (...) {
    close();
    throw;
  }
}

SqliteDatabase::~SqliteDatabase() {
  close();
}

void SqliteDatabase::close() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(connection_);
}

bool SqliteDatabase::has_tables() {
  SqliteRows rows = query("SELECT count(*) FROM sqlite_master");
  return rows.next() && rows.integer(0) > 0;
}

void SqliteDatabase::check_version() {
  const auto number = [&](std::string_view pragma) {
    SqliteRows rows = query(pragma);
    return rows.next() ? rows.integer(0) : 0;
  };
  if (number("PRAGMA application_id") != format_.application_id)
    throw InputError({.message = "is a database of another program, not a " + format_.name,
                      .file = file_,
                      .hint = "choose another " + format_.name});
  const std::int64_t version = number("PRAGMA user_version");
  if (version != format_.version)
    throw InputError({.message = fmt::format("is a {} of version {}, but this calopipe knows version {}",
                                             format_.name, version, format_.version),
                      .file = file_,
                      .hint = "use the newer calopipe, or choose another " + format_.name});
}

void SqliteDatabase::prepare(SqliteJournal journal) {
  const bool is_new = !has_tables();
  // Check before writing: the file may belong to another program.
  if (!is_new) check_version();
  const char* wanted = journal == SqliteJournal::kWriteAhead ? "PRAGMA journal_mode = WAL"  //
                                                             : "PRAGMA journal_mode = DELETE";
  // The change of the mode does not wait for other processes that are opening the file.
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    try {
      execute(wanted);
      break;
    } catch (const SqliteBusyError&) {
      if (std::chrono::steady_clock::now() - begin > std::chrono::minutes(1)) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  // With a write-ahead log, nothing is lost when a process is killed. When the machine fails, at most the
  // last changes are lost, but not the database.
  if (journal == SqliteJournal::kWriteAhead) script("PRAGMA synchronous = NORMAL");
  script("PRAGMA foreign_keys = ON");
  if (!is_new) return;
  SqliteTransaction transaction(*this);
  if (!has_tables()) script(format_.schema);
  check_version();
  transaction.commit();
}

void SqliteDatabase::script(const char* sql) {
  if (const int code = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr); code != SQLITE_OK)
    fail(code);
}

sqlite3_stmt* SqliteDatabase::prepared(std::string_view sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) fail(code);
  statements_.emplace(sql, statement);
  return statement;
}

int SqliteDatabase::changes() const {
  return sqlite3_changes(connection_);
}

void SqliteDatabase::fail(int code) const {
  const std::string what = connection_ != nullptr ? sqlite3_errmsg(connection_) : sqlite3_errstr(code);
  const auto unavailable = [&](const std::string& message, const std::string& hint) {
    throw UnavailableError({.message = message, .file = file_, .hint = hint});
  };
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
      throw InputError({.message = "is not a " + format_.name + ", or is damaged: " + what,
                        .file = file_,
                        .hint = "move it away, or choose another " + format_.name});
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw SqliteBusyError({.message = "another process has held its lock for too long",
                             .file = file_,
                             .hint = "end that process, then try again"});
    case SQLITE_FULL:
      unavailable("the disk is full", "free some space, then try again");
      break;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      unavailable("cannot be opened for writing: " + what, "choose another place that you may write to");
      break;
    case SQLITE_IOERR:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
      unavailable("cannot be read or written: " + what,
                  "the disk may be full, or a network file system without locks; try a local disk");
      break;
    case SQLITE_CONSTRAINT:
      if (code != SQLITE_CONSTRAINT_FOREIGNKEY) break;
      throw UsageError({.message = "there is no such " + format_.records, .file = file_});
    case SQLITE_NOMEM:
      throw std::bad_alloc();
    default:
      break;
  }
  throw std::runtime_error(file_.string() + ": " + what);
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const std::exception&) {
    // SQLite has already rolled back (disk full, damaged); that error is being thrown.
  }
}

void SqliteTransaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace core
