#include "app/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "kfp/local/text_table.h"

namespace app {

void print(const nlohmann::json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string shown(const std::string& text) {
  return kfp::local::printable_line(text);
}

void confirm_deletion(const std::string& what, bool yes) {
  if (yes) return;
  if (isatty(STDIN_FILENO) == 0)
    throw core::UsageError(
        {.message = fmt::format("deleting {} must be confirmed, but there is no terminal to ask on", what),
         .hint = "--yes"});
  fmt::print(stderr, "delete {}? [y/N] ", what);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw core::UsageError({.message = "nothing was deleted"});
}

int terminal_width() {
  winsize size{};
  return isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace app
