#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "kfp/component/component.h"

namespace app {

/// `calopipe run`: the whole fast-simulation pipeline on this machine.
class RunCommand {
 public:
  RunCommand(CLI::App& app, const kfp::Registry& registry);
  CLI::App* subcommand() const { return subcommand_; }
  void run(core::ThreadPool& pool, bool json);

 private:
  const kfp::Registry& registry_;
  CLI::App* subcommand_;
  std::string config_, out_;
  std::vector<std::string> settings_;
  bool resume_ = false;
};

}  // namespace app
