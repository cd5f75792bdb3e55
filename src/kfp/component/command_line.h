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
/// Options are `--name-with-dashes`. Parameters come, in this order, from the declaration's defaults,
/// `--parameters FILE`, and options. `--out PATH` is the path of the only output artifact, or the folder for
/// several, which have their own file names; `--<output> PATH` sets the path of one of them. In a container
/// of Kubeflow Pipelines all of this comes from one argument, `--executor-input {{$}}` (executor.h).
class CommandLine {
 public:
  /// Adds options to `app`, which becomes the component's subcommand. Both must live until apply().
  CommandLine(CLI::App& app, Component& component);

  /// Passes the parsed values to the component, checks it, runs it and stores its results.
  /// @throws core::UsageError, core::InputError, and what the component throws
  void run(core::ThreadPool& pool, RunObserver* observer = nullptr);

  /// The first half of run(): passes the parsed values to the component, and checks it.
  /// @throws core::UsageError, core::InputError
  /// @param inputs_are_here false = the paths of inputs are of another machine, and are not looked for
  void apply(bool inputs_are_here = true);

 private:
  Component& component_;
  std::filesystem::path parameters_file_;
  std::filesystem::path out_;
  std::string executor_input_text_;
  nlohmann::json executor_input_;
  std::map<std::string, std::vector<std::string>> texts_;  // by name of the field
};

/// The examples, which `--help` shows after the options.
std::string examples_text(const ComponentInfo& info);

}  // namespace kfp
