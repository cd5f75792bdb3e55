#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace app {

/// Warns (on stderr) of values in a pipeline's file that YAML readers interpret differently.
void warn_of_readings(const kfp::ir::Pipeline& pipeline);

/// `calopipe pipeline show|validate|format FILE`: works on compiled Kubeflow pipelines of any origin.
class PipelineCommand {
 public:
  explicit PipelineCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }

  /// Prints to stdout.
  /// @return the exit code: 0, or 3 if `validate` finds errors
  /// @throws core::InputError, core::UnavailableError, core::UsageError
  int run();

 private:
  int validate() const;

  CLI::App* subcommand_;
  CLI::App* show_;
  CLI::App* validate_;
  CLI::App* format_;
  std::string file_, out_;
  bool json_ = false;
};

}  // namespace app
