#pragma once

#include <nlohmann/json_fwd.hpp>

namespace app {

/// Prints JSON to the standard output, indented; invalid UTF-8 is replaced.
void print(const nlohmann::json& value);

/// Number of columns of the terminal that the standard output is; 0 if it is none.
int terminal_width();

}  // namespace app
