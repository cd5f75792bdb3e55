#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace app {

/// Tells (stderr) the values of a pipeline's file that readers of YAML take differently.
void warn_of_readings(const kfp::ir::Pipeline& pipeline);

/// `calopipe pipeline show|validate|format FILE`: compiled Kubeflow pipelines, whoever wrote them.
class PipelineCommand {
 public:
  explicit PipelineCommand(CLI::App& app);
  CLI::App* subcommand() const { return subcommand_; }

  /// Prints to stdout. The exit code: 0, or 3 where `validate` finds errors.
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
