#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace app {

/// `calopipe compare A B …`: several validations against one full simulation in one table and one report.
class CompareCommand {
 public:
  explicit CompareCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }
  /// @param json prints the scores as JSON
  void run(bool json);

 private:
  CLI::App* subcommand_;
  std::vector<std::string> paths_, labels_;
  std::string out_ = "comparison";
};

}  // namespace app
