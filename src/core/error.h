#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace core {

/// Exit codes of the calopipe command, the same for every component.
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kInput = 3,
  kUnavailable = 4,
  kInterrupted = 130,
};

/// Cause of an error, its place, and advice. Fill it by designated initialisers; leave empty what does not
/// apply.
struct ErrorDetails {
  std::string message;         ///< cause, in one sentence without a full stop
  std::filesystem::path file;  ///< file or folder concerned
  std::string field;           ///< dataset, parameter, row … inside it
  std::string hint;            ///< advice to the user
};

/// Base of every exception that the project throws on purpose. `what()` is the whole message on one line:
/// "file: field: message (hint)".
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, ErrorDetails details);

  ExitCode exit_code() const { return code_; }
  const ErrorDetails& details() const { return details_; }

 private:
  ExitCode code_;
  ErrorDetails details_;
};

/// The command line or a parameter is wrong (exit code 2).
class UsageError : public Error {
 public:
  explicit UsageError(ErrorDetails details) : Error(ExitCode::kUsage, std::move(details)) {}
};

/// A file or its content is wrong (exit code 3).
class InputError : public Error {
 public:
  explicit InputError(ErrorDetails details) : Error(ExitCode::kInput, std::move(details)) {}
  /// The same error, found in `file`.
  InputError(const Error& error, const std::filesystem::path& file)
      : InputError({.message = error.details().message,
                    .file = file,
                    .field = error.details().field,
                    .hint = error.details().hint}) {}
};

/// Something outside the program is missing or fails: disk, network, device (exit code 4).
class UnavailableError : public Error {
 public:
  explicit UnavailableError(ErrorDetails details) : Error(ExitCode::kUnavailable, std::move(details)) {}
};

/// SIGINT or SIGTERM arrived; the state needed to resume has been saved (exit code 130).
class Interrupted : public Error {
 public:
  explicit Interrupted(ErrorDetails details) : Error(ExitCode::kInterrupted, std::move(details)) {}
};

}  // namespace core
