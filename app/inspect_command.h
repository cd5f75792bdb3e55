#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/thread_pool.h"
#include "pipeline/reading_options.h"

namespace app {

/// `calopipe inspect PATH`: describes a file or folder of showers.
class InspectCommand {
 public:
  explicit InspectCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }
  void run(core::ThreadPool& pool, bool json);

 private:
  CLI::App* subcommand_;
  std::string path_;
  pipeline::ReadingOptions reading_;
};

}  // namespace app
