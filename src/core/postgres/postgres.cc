#include "core/postgres/postgres.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <regex>

#include "core/system_library.h"

namespace core {
namespace {

constexpr std::chrono::seconds kConnectTimeout{10};

struct Libpq {
  decltype(&::PQconninfoParse) conninfo_parse;
  decltype(&::PQconninfoFree) conninfo_free;
  decltype(&::PQfreemem) freemem;
  decltype(&::PQconnectStartParams) connect_start_params;
  decltype(&::PQconnectPoll) connect_poll;
  decltype(&::PQsocket) socket;
  decltype(&::PQstatus) status;
  decltype(&::PQsetErrorVerbosity) set_error_verbosity;
  decltype(&::PQsetNoticeProcessor) set_notice_processor;
  decltype(&::PQconnectionNeedsPassword) connection_needs_password;
  decltype(&::PQerrorMessage) error_message;
  decltype(&::PQfinish) finish;
  decltype(&::PQexec) exec;
  decltype(&::PQexecParams) exec_params;
  decltype(&::PQresultStatus) result_status;
  decltype(&::PQresultErrorField) result_error_field;
  decltype(&::PQntuples) ntuples;
  decltype(&::PQgetvalue) getvalue;
  decltype(&::PQgetlength) getlength;
  decltype(&::PQcmdTuples) cmd_tuples;
  decltype(&::PQclear) clear;
};

Libpq load() {
  const SystemLibrary library({.name = "libpq",
                               .file = "libpq.so.5",
                               .hint = "install it (Debian: libpq5)",
                               .newer = "install libpq of PostgreSQL 13 or newer (Debian: libpq5)"});
  Libpq pq{};
  library.find("PQconninfoParse", pq.conninfo_parse);
  library.find("PQconninfoFree", pq.conninfo_free);
  library.find("PQfreemem", pq.freemem);
  library.find("PQconnectStartParams", pq.connect_start_params);
  library.find("PQconnectPoll", pq.connect_poll);
  library.find("PQsocket", pq.socket);
  library.find("PQstatus", pq.status);
  library.find("PQsetErrorVerbosity", pq.set_error_verbosity);
  library.find("PQsetNoticeProcessor", pq.set_notice_processor);
  library.find("PQconnectionNeedsPassword", pq.connection_needs_password);
  library.find("PQerrorMessage", pq.error_message);
  library.find("PQfinish", pq.finish);
  library.find("PQexec", pq.exec);
  library.find("PQexecParams", pq.exec_params);
  library.find("PQresultStatus", pq.result_status);
  library.find("PQresultErrorField", pq.result_error_field);
  library.find("PQntuples", pq.ntuples);
  library.find("PQgetvalue", pq.getvalue);
  library.find("PQgetlength", pq.getlength);
  library.find("PQcmdTuples", pq.cmd_tuples);
  library.find("PQclear", pq.clear);
  return pq;
}

const Libpq& libpq() {
  static const Libpq library = load();
  return library;
}

PGconn* connection_of(void* connection) {
  return static_cast<PGconn*>(connection);
}
PGresult* result_of(const std::shared_ptr<void>& result) {
  return static_cast<PGresult*>(result.get());
}

// The first line of libpq's message.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// Statements number their values $1, $2 …
std::string numbered(std::string_view sql) {
  std::string out;
  int place = 0;
  for (const char c : sql)
    if (c == '?')
      out += fmt::format("${}", ++place);
    else
      out += c;
  return out;
}

}  // namespace

bool PostgresUrl::is_one(std::string_view text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

PostgresUrl::PostgresUrl(const std::string& text, const std::vector<std::string>& own) {
  const std::size_t query = text.find('?');
  secret_ = text.substr(0, query);
  char separator = '?';
  for (std::size_t begin = query; begin < text.size();) {
    const std::size_t end = std::min(text.find('&', begin + 1), text.size());
    const std::string part = text.substr(begin + 1, end - begin - 1);
    const std::string name = part.substr(0, part.find('='));
    if (std::find(own.begin(), own.end(), name) != own.end()) {
      own_[name] = part.substr(std::min(part.size(), name.size() + 1));
    } else if (!part.empty()) {
      secret_ += separator + part;
      separator = '&';
    }
    begin = end;
  }
  // libpq's own message may quote a password.
  char* message = nullptr;
  PQconninfoOption* const options = libpq().conninfo_parse(secret_.c_str(), &message);
  if (message != nullptr) libpq().freemem(message);
  if (options == nullptr)
    throw UsageError({.message = "the URL of the database cannot be read",
                      .hint = "postgresql://USER@HOST:PORT/DATABASE; special characters as %XX"});
  std::map<std::string, std::string> values;
  for (const PQconninfoOption* one = options; one->keyword != nullptr; ++one)
    if (one->val != nullptr) values[one->keyword] = one->val;
  libpq().conninfo_free(options);
  const std::string user = values["user"], host = values["host"], port = values["port"];
  const bool is_socket = host.starts_with('/');
  shown_ = fmt::format("postgresql://{}{}{}{}/{}", user, user.empty() ? "" : "@", is_socket ? "" : host,
                       port.empty() || is_socket ? "" : ":" + port, values["dbname"]);
  separator = '?';
  const auto show = [&](const std::string& name, const std::string& value) {
    shown_ += fmt::format("{}{}={}", separator, name, value);
    separator = '&';
  };
  if (is_socket) {
    show("host", host);
    if (!port.empty()) show("port", port);
  }
  for (const auto& [name, value] : own_) show(name, value);
}

std::string PostgresUrl::own(const std::string& name) const {
  const auto found = own_.find(name);
  return found == own_.end() ? "" : found->second;
}

bool PostgresRows::next() {
  return ++row_ < libpq().ntuples(result_of(result_));
}

std::string PostgresRows::text(int column) const {
  return {libpq().getvalue(result_of(result_), row_, column),
          static_cast<std::size_t>(libpq().getlength(result_of(result_), row_, column))};
}

std::int64_t PostgresRows::integer(int column) const {
  const std::string digits = text(column);
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

double PostgresRows::real(int column) const {
  const std::string digits = text(column);
  double value = std::numeric_limits<double>::quiet_NaN();
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::string PostgresDatabase::text_of(double value) {
  return std::isfinite(value) ? fmt::format("{}", value)
         : std::isnan(value)  ? "NaN"
         : value > 0          ? "Infinity"
                              : "-Infinity";
}

PostgresDatabase::~PostgresDatabase() {
  close();
}

void PostgresDatabase::close() {
  if (connection_ != nullptr) libpq().finish(connection_of(connection_));
  connection_ = nullptr;
}

void PostgresDatabase::connect() {
  close();
  // A machine that vanishes must not keep its locks; what the URL says comes later, and wins.
  const char* const names[] = {
      "client_encoding",     "application_name", "tcp_user_timeout", "keepalives_idle",
      "keepalives_interval", "keepalives_count", "dbname",           nullptr};
  const char* const values[] = {"UTF8", "calopipe", "30000", "10", "10", "3", url_.secret().c_str(), nullptr};
  PGconn* const connection = libpq().connect_start_params(names, values, 1);
  if (connection == nullptr) throw std::bad_alloc();
  connection_ = connection;
  // With the SQLSTATE, because the text depends on the server's language.
  libpq().set_error_verbosity(connection, PQERRORS_VERBOSE);
  libpq().set_notice_processor(
      connection, [](void*, const char*) {}, nullptr);
  const auto end = std::chrono::steady_clock::now() + kConnectTimeout;
  PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
  while (libpq().status(connection) != CONNECTION_BAD && wanted != PGRES_POLLING_OK &&
         wanted != PGRES_POLLING_FAILED) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd socket{.fd = libpq().socket(connection),
                  .events = static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                  .revents = 0};
    if (left.count() <= 0 || ::poll(&socket, 1, static_cast<int>(left.count())) == 0)
      throw PostgresAwayError({.message = "the server does not answer", .file = url_.shown()});
    wanted = libpq().connect_poll(connection);
  }
  if (libpq().status(connection) != CONNECTION_OK) fail_connect();
  libpq().set_error_verbosity(connection, PQERRORS_DEFAULT);
  script("SET idle_in_transaction_session_timeout = '60s'; SET lock_timeout = '120s'");
}

void PostgresDatabase::fail_connect() {
  const std::string message = libpq().error_message(connection_of(connection_));
  std::smatch found;
  const std::string state =
      std::regex_search(message, found, std::regex(":  ([0-9A-Z]{5}): ")) ? found[1].str() : "";
  const auto details = [&](std::string text, std::string hint) {
    return ErrorDetails{.message = std::move(text), .file = url_.shown(), .hint = std::move(hint)};
  };
  constexpr const char* kPassword = "set PGPASSWORD, or add a line to ~/.pgpass that only you can read";
  if (state == "28P01")
    throw UnavailableError(details("the server refuses the user or the password", kPassword));
  if (libpq().connection_needs_password(connection_of(connection_)) != 0)
    throw UnavailableError(details("the server asks for a password", kPassword));
  if (state == "28000")
    throw UnavailableError(
        details("the server refuses this user from this machine", "ask who runs the server (pg_hba.conf)"));
  if (state == "3D000")
    throw InputError(details("there is no such database", "who runs the server makes one: createdb NAME"));
  if (state == "42501")
    throw UnavailableError(details("this user must not connect to the database", "ask who runs the server"));
  const bool is_refusal = !state.empty() && !state.starts_with("57P") && !state.starts_with("53");
  const std::string text = first_line(message);
  if (is_refusal) throw UnavailableError(details("the server refuses the connection: " + text, ""));
  throw PostgresAwayError(details("the server cannot be reached: " + text, "is it running?"));
}

PostgresRows PostgresDatabase::checked(void* raw) {
  if (raw == nullptr && libpq().status(connection_of(connection_)) == CONNECTION_OK) throw std::bad_alloc();
  const std::shared_ptr<void> result(raw, [](void* one) { libpq().clear(static_cast<PGresult*>(one)); });
  const ExecStatusType status = libpq().result_status(result_of(result));
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return PostgresRows(result);
  const char* const code = libpq().result_error_field(result_of(result), PG_DIAG_SQLSTATE);
  const std::string state = code != nullptr ? code : "";
  const char* const primary = libpq().result_error_field(result_of(result), PG_DIAG_MESSAGE_PRIMARY);
  const std::string text =
      primary != nullptr ? primary : first_line(libpq().error_message(connection_of(connection_)));
  if (libpq().status(connection_of(connection_)) != CONNECTION_OK || state.starts_with("57P") ||
      state.starts_with("08"))
    throw PostgresAwayError({.message = "the connection to the server broke: " + text, .file = url_.shown()});
  if (state == "42501")
    throw PostgresRefusal(state, {.message = "this user lacks a permission: " + text,
                                  .file = url_.shown(),
                                  .hint = "ask who runs the server (GRANT)"});
  throw PostgresRefusal(
      state, {.message = fmt::format("the server reports: {} ({})", text, state), .file = url_.shown()});
}

PostgresRows PostgresDatabase::run(std::string_view sql, const std::vector<std::string>& values) {
  if (connection_ == nullptr) connect();
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  return checked(libpq().exec_params(connection_of(connection_), numbered(sql).c_str(),
                                     static_cast<int>(pointers.size()), nullptr, pointers.data(), nullptr,
                                     nullptr, 0));
}

int PostgresDatabase::changes(const PostgresRows& rows) {
  return std::atoi(libpq().cmd_tuples(result_of(rows.result_)));
}

void PostgresDatabase::script(const std::string& sql) {
  if (connection_ == nullptr) connect();
  checked(libpq().exec(connection_of(connection_), sql.c_str()));
}

}  // namespace core
