#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kfp/component/component.h"

namespace kfp {

/// The command line of one component: options, help and parameter file, all from its declaration.
///
/// Options are `--name-with-dashes`. Parameters come from, in this order, the declaration's defaults,
/// `--parameters FILE`, and options. `--out PATH` is the path of the only output artifact, or the folder in
/// which several take their own file names; `--<output> PATH` places one of them. In a container of Kubeflow
/// Pipelines all of that comes from one argument, `--executor-input {{$}}` (executor.h).
class CommandLine {
 public:
  /// Adds options to `app`, which becomes the component's subcommand. Both must live until apply().
  CommandLine(CLI::App& app, Component& component);

  /// Carries what was parsed over to the component, checks it, runs it and hands its results over.
  /// @throws core::UsageError, core::InputError, and what the component throws
  void run(core::ThreadPool& pool);

  /// The first half of run(): carries what was parsed over, and checks it.
  /// @throws core::UsageError, core::InputError
  void apply();

 private:
  Component& component_;
  std::filesystem::path parameters_file_;
  std::filesystem::path out_;
  std::string executor_input_text_;
  nlohmann::json executor_input_;
  std::map<std::string, std::vector<std::string>> texts_;  // by field
};

/// The text behind the options in `--help`: examples.
std::string examples_text(const ComponentInfo& info);

}  // namespace kfp
