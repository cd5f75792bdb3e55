#include "core/error.h"

#include "core/remote.h"

namespace core {
namespace {

// Without the query of a URL, which may contain a signature.
std::string shown_file(const std::filesystem::path& file) {
  const std::string text = file.string();
  return text.find("://") == std::string::npos ? text : text.substr(0, text.find('?'));
}

std::string one_line(const ErrorDetails& details) {
  std::string text;
  if (!details.file.empty()) text += shown_file(details.file) + ": ";
  if (!details.field.empty()) text += details.field + ": ";
  text += details.message;
  if (!details.hint.empty()) text += " (" + details.hint + ")";
  return text;
}

}  // namespace

Error::Error(ExitCode code, ErrorDetails details)
    : std::runtime_error(one_line(details)), code_(code), details_(std::move(details)) {}

}  // namespace core
