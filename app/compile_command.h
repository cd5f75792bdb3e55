#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "kfp/component/component.h"

namespace app {

/// `calopipe pipeline list|compile NAME`: the pipelines of this project, compiled for Kubeflow or plain Argo.
/// Apart from PipelineCommand, which needs none of the components.
class CompileCommand {
 public:
  CompileCommand(CLI::App& pipeline_app, const kfp::Registry& registry);
  bool parsed() const { return list_->parsed() || compile_->parsed(); }
  /// @throws core::InputError (site), core::UsageError, core::UnavailableError
  int run();

 private:
  const kfp::Registry& registry_;
  CLI::App* list_;
  CLI::App* compile_;
  std::string name_, site_, image_, out_, config_;
  std::string target_ = "kfp";
  std::vector<std::string> settings_;
};

}  // namespace app
