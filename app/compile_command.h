#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/ir/pipeline_spec.h"

namespace app {

/// `calopipe pipeline list|compile NAME|FILE`: compiles the pipelines of this project, and compiled ones of
/// any origin, for Kubeflow or plain Argo. It is separate from PipelineCommand, which does not need the
/// components.
class CompileCommand {
 public:
  CompileCommand(CLI::App& pipeline_app, const kfp::Registry& registry);
  bool parsed() const { return list_->parsed() || compile_->parsed(); }
  /// @throws core::InputError (site), core::UsageError, core::UnavailableError
  int run();

 private:
  void check_image(const kfp::ir::Pipeline& compiled, const std::string& own) const;

  const kfp::Registry& registry_;
  CLI::App* list_;
  CLI::App* compile_;
  std::string name_, site_, image_, out_, config_;
  std::string target_ = "kfp";
  std::vector<std::string> settings_;
};

}  // namespace app
