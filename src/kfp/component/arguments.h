#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace kfp {

/// Looks for words of a command line that `app` does not know, before it is parsed: a parser complains first
/// of what its guess about them leads to. Values of options stay what they are, negative numbers and texts
/// that begin with dashes among them, and so does everything behind `--`.
/// @param arguments without the program's own name, which is `program` in messages
/// @throws core::UsageError naming the first unknown option, command or surplus word, with the nearest name
void check_arguments(const CLI::App& app, const std::vector<std::string>& arguments,
                     const std::string& program);

}  // namespace kfp
