#include "core/error.h"

namespace core {
namespace {

std::string one_line(const ErrorDetails& details) {
  std::string text;
  if (!details.file.empty()) text += details.file.string() + ": ";
  if (!details.field.empty()) text += details.field + ": ";
  text += details.message;
  if (!details.hint.empty()) text += " (" + details.hint + ")";
  return text;
}

}  // namespace

Error::Error(ExitCode code, ErrorDetails details)
    : std::runtime_error(one_line(details)), code_(code), details_(std::move(details)) {}

}  // namespace core
