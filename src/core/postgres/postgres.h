#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace core {

/// The server cannot be reached, or the connection broke: the same may succeed later.
class PostgresAwayError : public UnavailableError {
 public:
  using UnavailableError::UnavailableError;
};

/// The server refused a statement. @see state()
class PostgresRefusal : public UnavailableError {
 public:
  PostgresRefusal(std::string state, ErrorDetails details)
      : UnavailableError(std::move(details)), state_(std::move(state)) {}
  /// SQLSTATE: five characters, https://www.postgresql.org/docs/15/errcodes-appendix.html
  const std::string& state() const { return state_; }

 private:
  std::string state_;
};

/// Address of a database: "postgresql://[user[:password]@][host][:port][/database][?name=value&…]".
class PostgresUrl {
 public:
  /// True for postgresql:// and postgres://.
  static bool is_one(std::string_view text);
  /// @param own  names of parameters that are not libpq's; they are taken out of the URL
  /// @throws UsageError if libpq does not understand it; the message has no part of the URL.
  ///         UnavailableError if libpq is not installed
  PostgresUrl(const std::string& text, const std::vector<std::string>& own);

  /// For libpq, with a password if there is one: not for people.
  const std::string& secret() const { return secret_; }
  /// For people: without password, and only with the parameters `own`.
  const std::string& shown() const { return shown_; }
  /// Value of one of the parameters `own`; "" if it is missing.
  std::string own(const std::string& name) const;

 private:
  std::string secret_, shown_;
  std::map<std::string, std::string> own_;
};

/// The rows of a result. Column numbers begin at 0.
class PostgresRows {
 public:
  /// Moves to the next row (the first one in the first call). @return false if there is none
  bool next();
  std::string text(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;

 private:
  friend class PostgresDatabase;
  explicit PostgresRows(std::shared_ptr<void> result) : result_(std::move(result)) {}

  std::shared_ptr<void> result_;
  int row_ = -1;
};

/// A connection to a database of PostgreSQL. Only one thread may use it at a time. Every function throws
/// PostgresAwayError, after which connect() may be tried again, or PostgresRefusal; both name the URL without
/// its password.
class PostgresDatabase {
 public:
  /// Does not connect yet.
  explicit PostgresDatabase(PostgresUrl url) : url_(std::move(url)) {}
  ~PostgresDatabase();
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  /// Connects, again if it was connected; waits for at most 10 s.
  /// @throws InputError if there is no such database; UnavailableError for a wrong password
  void connect();

  /// Runs a statement; each `?` in it gets the next value.
  template <class... Values>
  PostgresRows query(std::string_view sql, const Values&... values) {
    return run(sql, {text_of(values)...});
  }
  /// @return number of rows that the statement changed
  template <class... Values>
  int execute(std::string_view sql, const Values&... values) {
    return changes(run(sql, {text_of(values)...}));
  }
  /// Runs several statements without values.
  void script(const std::string& sql);

  const PostgresUrl& url() const { return url_; }

 private:
  static std::string text_of(std::string_view value) { return std::string(value); }
  static std::string text_of(const std::string& value) { return value; }
  static std::string text_of(const char* value) { return value; }
  static std::string text_of(std::int64_t value) { return std::to_string(value); }
  static std::string text_of(int value) { return std::to_string(value); }
  static std::string text_of(double value);
  PostgresRows run(std::string_view sql, const std::vector<std::string>& values);
  static int changes(const PostgresRows& rows);
  PostgresRows checked(void* result);
  [[noreturn]] void fail_connect();
  void close();

  PostgresUrl url_;
  void* connection_ = nullptr;
};

}  // namespace core
