#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace core {

/// Another process held the lock for too long.
class SqliteBusyError : public UnavailableError {
 public:
  using UnavailableError::UnavailableError;
};

/// One use of a prepared statement: binds values and reads rows one after another. Its destructor frees the
/// statement for the next use. Column numbers begin at 0.
class SqliteRows {
 public:
  ~SqliteRows();
  SqliteRows(SqliteRows&& other) noexcept
      : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}
  SqliteRows(const SqliteRows&) = delete;
  SqliteRows& operator=(const SqliteRows&) = delete;

  /// Moves to the next row (the first one in the first call). @return false if there is none
  bool next();

  std::string text(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  bool is_null(int column) const;

 private:
  friend class SqliteDatabase;
  SqliteRows(class SqliteDatabase& database, sqlite3_stmt* statement);

  void bind(int place, std::string_view value);
  void bind(int place, const std::string& value) { bind(place, std::string_view(value)); }
  void bind(int place, const char* value) { bind(place, std::string_view(value)); }
  void bind(int place, std::int64_t value);
  void bind(int place, int value) { bind(place, static_cast<std::int64_t>(value)); }
  void bind(int place, bool value) { bind(place, static_cast<std::int64_t>(value)); }
  void bind(int place, double value);
  void bind(int place, std::optional<int> value);

  class SqliteDatabase& database_;
  sqlite3_stmt* statement_;
};

/// Kind of SQLite's journal. A write-ahead log needs shared memory, which network file systems do not
/// provide; a rollback journal needs only locks.
enum class SqliteJournal { kWriteAhead, kRollback };
/// The journal that suits the file system of a folder.
SqliteJournal sqlite_journal_for(const std::filesystem::path& folder);

/// What a database contains.
struct SqliteFormat {
  std::string name;     ///< for messages: "store of runs"
  std::string records;  ///< what its tables are about, in the singular: "run"
  int application_id;   ///< distinguishes our files from other SQLite files
  int version;          ///< of the tables
  const char* schema;   ///< makes the tables, and sets PRAGMA application_id and user_version
};

/// A connection to one SQLite file. Statements are prepared once and kept. Only one thread may use it at a
/// time. Every function throws core::UnavailableError (no permission, disk full, locked for too long) or
/// core::InputError (not a database, damaged), naming the file; core::UsageError if a foreign key refers to
/// nothing.
class SqliteDatabase {
 public:
  /// Opens the file, or creates it with its tables. Waits for locks of other processes.
  /// @throws core::InputError also if it is a database of another program or version
  SqliteDatabase(std::filesystem::path file, SqliteFormat format, SqliteJournal journal);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  /// Begins a statement; each `?` in it gets the next value. `sql` must be a literal.
  template <class... Values>
  SqliteRows query(std::string_view sql, const Values&... values) {
    SqliteRows rows(*this, prepared(sql));
    [[maybe_unused]] int place = 0;
    (rows.bind(++place, values), ...);
    return rows;
  }
  /// Runs a statement to its end. @return number of rows that it changed
  template <class... Values>
  int execute(std::string_view sql, const Values&... values) {
    SqliteRows rows = query(sql, values...);
    while (rows.next()) {
    }
    return changes();
  }
  /// Runs several statements without values.
  void script(const char* sql);

  const std::filesystem::path& file() const { return file_; }

 private:
  friend class SqliteRows;
  sqlite3_stmt* prepared(std::string_view sql);
  int changes() const;
  void close();
  bool has_tables();
  void check_version();
  void prepare(SqliteJournal journal);
  [[noreturn]] void fail(int code) const;

  std::filesystem::path file_;
  SqliteFormat format_;
  sqlite3* connection_ = nullptr;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;
};

/// A transaction that has the right to write from its beginning; rolled back unless committed.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDatabase& database);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  void commit();

 private:
  SqliteDatabase& database_;
  bool open_ = true;
};

}  // namespace core
