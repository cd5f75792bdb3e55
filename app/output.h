#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace app {

/// Prints JSON to the standard output, indented; invalid UTF-8 is replaced.
void print(const nlohmann::json& value);

/// Text of a server as one line that is safe on a terminal (kfp::local::printable_line).
std::string shown(const std::string& text);

/// Number of columns of the terminal that the standard output is; 0 if it is none.
int terminal_width();

}  // namespace app
