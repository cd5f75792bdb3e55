#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace app {

/// What can stand at the end of a command line.
struct Completions {
  std::vector<std::string> words;
  bool files = false;  ///< names of files, too
};

/// @param words the words behind the program's name; the last one is incomplete, and may be empty
/// @throws core::Error if names of contexts or runs cannot be read
Completions complete(const CLI::App& app, const std::vector<std::string>& words);

/// `calopipe completion SHELL`: prints the script that makes a shell ask this program for completions.
class CompletionCommand {
 public:
  explicit CompletionCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }
  void run() const;

 private:
  CLI::App* subcommand_;
  std::string shell_;
};

}  // namespace app
