#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "app/runs_command.h"
#include "kfp/component/component.h"
#include "pipeline/local_run.h"

namespace app {

/// `calopipe run`: runs a pipeline on this machine, each task as a process; with --on, on Kubeflow.
class RunCommand {
 public:
  RunCommand(CLI::App& app, const kfp::Registry& registry);
  CLI::App* subcommand() const { return subcommand_; }
  /// @param threads_given true if --threads was given on the command line, not only by $CALOPIPE_THREADS
  void run(int threads, bool threads_given, bool quiet, bool json);

 private:
  void run_on_kubeflow(bool threads_given, bool quiet, bool json);
  std::unique_ptr<kfp::local::Store> open_store() const;

  const kfp::Registry& registry_;
  CLI::App* subcommand_;
  CLI::Option* on_;
  std::vector<CLI::Option*> local_only_;
  std::string context_, name_;
  bool detach_ = false;
  pipeline::LocalRunOptions options_;
  std::string store_;
  std::vector<std::string> print_;
  bool no_cache_ = false;
  double memory_gib_ = 0;
};

/// `calopipe runs resume`. @throws what pipeline::resume_locally() throws
void resume_run(const RunsCommand::ResumeRequest& request, int threads, bool quiet);

}  // namespace app
