#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace kfp {

/// Finds words of a command line that `app` does not know before it is parsed, because the parser complains
/// about the consequences of its guess. Values of options stay values, including negative numbers and strings
/// that begin with dashes, and so does everything after `--`.
/// @param arguments without the program's own name, which is `program` in messages
/// @throws core::UsageError naming the first unknown option, command or surplus word, with the nearest name
void check_arguments(const CLI::App& app, const std::vector<std::string>& arguments,
                     const std::string& program);

}  // namespace kfp
