#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace app {

/// Prints JSON to the standard output, indented; invalid UTF-8 is replaced.
void print(const nlohmann::json& value);

/// Text of a server as one line that is safe on a terminal (kfp::local::printable_line).
std::string shown(const std::string& text);

/// Asks on the terminal before something is deleted, unless `yes`.
/// @throws core::UsageError if the answer is no, or there is no terminal to ask on
void confirm_deletion(const std::string& what, bool yes);

/// Number of columns of the terminal that the standard output is; 0 if it is none.
int terminal_width();

}  // namespace app
