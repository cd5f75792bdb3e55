#include <chrono>
#include <thread>

#include "core/interrupt.h"
#include "core/postgres/postgres.h"
#include "tune/detail/sql_study.h"
#include "tune/detail/studies.h"

namespace tune {
namespace {

// Each study has a schema of its own, so that its tables and statements are those of a file, several studies
// share a database, and DROP SCHEMA deletes one.
constexpr const char* kPrefix = "calopipe_study_";

core::PostgresUrl read_url(const std::string& url) {
  return {url, {"study"}};
}

// What SqlStudy needs, from PostgreSQL.
class PostgresBase {
 public:
  using Rows = core::PostgresRows;

  // All that write to a study hold the lock of its only definition, so that they follow each other.
  class Transaction {
   public:
    explicit Transaction(PostgresBase& base) : base_(base) {
      base_.database_.script("BEGIN");
      open_ = true;
      base_.query("SELECT 1 FROM study FOR UPDATE");
    }
    ~Transaction() {
      if (!open_) return;
      try {
        base_.database_.script("ROLLBACK");
      } catch (const std::exception&) {
        // The connection broke, so the server rolls back; that error is being thrown.
      }
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit() {
      open_ = false;
      base_.database_.script("COMMIT");
    }

   private:
    PostgresBase& base_;
    bool open_ = false;
  };

  PostgresBase(const std::string& url, double patience_s)
      : database_(read_url(url)), name_(database_.url().own("study")), patience_s_(patience_s) {
    const bool is_good =
        !name_.empty() && name_.size() <= 40 &&
        name_.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
            std::string::npos;
    if (!is_good)
      throw core::UsageError(
          {.message = name_.empty() ? "the URL names no study" : "this cannot be the name of a study",
           .file = shown(),
           .hint = "add ?study=NAME: at most 40 letters, digits, dots, _ and -"});
    connect();
  }

  std::string shown() const { return database_.url().shown(); }
  const std::string& name() const { return name_; }
  std::string schema() const { return kPrefix + name_; }

  template <class... Values>
  Rows query(std::string_view sql, const Values&... values) {
    return database_.query(sql, values...);
  }
  template <class... Values>
  int execute(std::string_view sql, const Values&... values) {
    return database_.execute(sql, values...);
  }
  void script(const std::string& sql) { database_.script(sql); }

  double now_s() { return number("SELECT extract(epoch FROM clock_timestamp())::float8"); }
  double available_since_s() {
    return number("SELECT extract(epoch FROM pg_postmaster_start_time())::float8");
  }

  bool exists() {
    Rows rows = query("SELECT 1 FROM pg_namespace WHERE nspname = ?", schema());
    return rows.next();
  }

  // Repeats what failed because the server was away.
  template <class Body>
  auto persist(const Body& body) {
    const auto begin = std::chrono::steady_clock::now();
    for (bool again = false;; again = true) {
      try {
        if (again) connect();
        return body(again);
      } catch (const core::PostgresAwayError& error) {
        const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
        if (waited.count() >= patience_s_ || core::interrupt_requested()) throw;
        if (!again) fmt::print(stderr, "{}; trying again for {:.0f} s\n", error.what(), patience_s_);
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
      }
    }
  }

 private:
  void connect() {
    database_.connect();
    database_.script(fmt::format("SET search_path = \"{}\"", schema()));
  }
  double number(std::string_view sql) {
    Rows rows = query(sql);
    return rows.next() ? rows.real(0) : 0;
  }

  core::PostgresDatabase database_;
  std::string name_;
  double patience_s_;
};

[[noreturn]] void throw_exists(const PostgresBase& database) {
  throw core::UsageError({.message = "the study exists already",
                          .file = database.shown(),
                          .field = database.name(),
                          .hint = "--resume continues it"});
}

// The lock of Transaction needs a row, so the tables and the definition appear at once.
void make_tables(PostgresBase& database, const nlohmann::json& definition) {
  database.script("BEGIN");
  try {
    database.script(fmt::format("CREATE SCHEMA \"{}\"", database.schema()));
    database.script(kStudyTables);
    database.script("CREATE TABLE format (version BIGINT NOT NULL)");
    database.execute("INSERT INTO format VALUES (?)", kStudyVersion);
    database.execute("INSERT INTO study VALUES (?)", definition.dump());
  } catch (const core::PostgresRefusal& error) {
    database.script("ROLLBACK");
    // Another process was faster.
    if (error.state() == "42P06" || error.state() == "23505") throw_exists(database);
    throw;
  }
  database.script("COMMIT");
}

void check_version(PostgresBase& database) {
  std::int64_t version = 0;
  try {
    core::PostgresRows rows =
        database.query(fmt::format("SELECT version FROM \"{}\".format", database.schema()));
    if (rows.next()) version = rows.integer(0);
  } catch (const core::PostgresRefusal& error) {
    if (error.state() != "42P01") throw;  // undefined table
    throw core::InputError({.message = "is not a study, but a schema of another program",
                            .file = database.shown(),
                            .field = database.schema()});
  }
  if (version != kStudyVersion)
    throw core::InputError(
        {.message = fmt::format("is a study of version {}, but this calopipe knows version {}", version,
                                kStudyVersion),
         .file = database.shown(),
         .field = database.name(),
         .hint = "use the newer calopipe, or choose another study"});
}

}  // namespace

std::unique_ptr<Study> create_postgres_study(const std::string& url, const nlohmann::json& definition,
                                             double patience_s) {
  auto study = std::make_unique<SqlStudy<PostgresBase>>(url, patience_s);
  if (study->database().exists()) throw_exists(study->database());
  make_tables(study->database(), definition);
  return study;
}

std::unique_ptr<Study> open_postgres_study(const std::string& url, double patience_s) {
  auto study = std::make_unique<SqlStudy<PostgresBase>>(url, patience_s);
  if (!study->database().exists())
    throw core::InputError(
        {.message = "there is no such study",
         .file = study->file(),
         .field = study->name(),
         .hint = "calopipe tune --space FILE --study URL makes one; calopipe tune list URL"});
  check_version(study->database());
  return study;
}

std::vector<std::string> list_postgres_studies(const std::string& url) {
  core::PostgresDatabase database(read_url(url));
  database.connect();
  core::PostgresRows rows = database.query(
      "SELECT substr(nspname, length(?::text) + 1) FROM pg_namespace WHERE starts_with(nspname::text, ?) "
      "ORDER BY 1",
      kPrefix, kPrefix);
  std::vector<std::string> names;
  while (rows.next()) names.push_back(rows.text(0));
  return names;
}

}  // namespace tune
