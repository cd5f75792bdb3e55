#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "pipeline/reading_options.h"

namespace app {

/// `calopipe showers convert IN OUT --layout NAME`: writes showers again in another layout.
class ShowersCommand {
 public:
  explicit ShowersCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }
  CLI::App* convert_subcommand() const { return convert_; }
  /// @param json print the result as JSON
  void run(core::ThreadPool& pool, bool json);

 private:
  CLI::App *subcommand_, *convert_;
  std::string in_, out_, layout_;
  std::vector<std::string> drop_, geometries_;
  std::vector<double> energies_gev_, angles_deg_;
  pipeline::ReadingOptions reading_;
};

}  // namespace app
