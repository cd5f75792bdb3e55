#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace app {

/// `calopipe compare A B …`: compares several validations against one full simulation, as a table and a
/// report.
class CompareCommand {
 public:
  explicit CompareCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }
  /// @param json print the scores as JSON
  void run(bool json);

 private:
  CLI::App* subcommand_;
  std::vector<std::string> paths_, labels_;
  std::string out_ = "comparison";
};

}  // namespace app
