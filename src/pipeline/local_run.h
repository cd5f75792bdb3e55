#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/local/runner.h"
#include "kfp/local/store.h"
#include "pipeline/pipelines.h"

namespace pipeline {

/// What `calopipe run` was asked for.
struct LocalRunOptions {
  std::string pipeline = "training";  ///< a pipeline of this project, or a compiled one (file)
  std::filesystem::path config;       ///< YAML: parameters, under their component's name (of a file: by name)
  std::vector<std::string> settings;  ///< "component.parameter=value" (of a file: "parameter=value")
  std::filesystem::path out;          ///< folder for the products; empty = none
  std::filesystem::path site;         ///< site settings; empty = none
  bool quiet = false;                 ///< failures only
  kfp::local::RunnerOptions runner;   ///< budget, cache, force
};

/// A pipeline with the values that a user gives it, ready to run here or elsewhere.
struct PreparedPipeline {
  kfp::ir::Pipeline compiled;  ///< without a site's settings
  nlohmann::json parameters;   ///< by name
  std::string image;           ///< that stands for this program's; empty: a file of others
  std::vector<ProjectPipeline::Product> products;
};

/// Compiles a pipeline of this project, or reads a compiled one.
/// @param name     a pipeline of this project, or a file
/// @param config   YAML file with parameters; empty = none
/// @param settings "component.parameter=value" (of a file: "parameter=value")
/// @throws core::UsageError, core::InputError naming file and field
PreparedPipeline prepare_pipeline(const kfp::Registry& registry, const std::string& name,
                                  const std::filesystem::path& config,
                                  const std::vector<std::string>& settings);

/// What the program that runs the tasks needs: `calopipe` in commands is this executable.
void use_this_program(kfp::local::RunnerOptions& runner, int threads);

/// Runs a pipeline on this machine, each task as a process, and puts its products into the folder `out` (as
/// hard links where the disk is the same).
/// @return run (id), state, report, model, metrics … of what came out
/// @throws core::Error with the exit code of the first task that failed, and what run() throws
nlohmann::json run_locally(const kfp::Registry& registry, const LocalRunOptions& options,
                           kfp::local::Store& store);

/// Goes on with a run that failed, was interrupted or killed; its products go where they were to go.
nlohmann::json resume_locally(const std::string& run_id, kfp::local::RunnerOptions runner, bool quiet,
                              kfp::local::Store& store);

/// Whether a user means a compiled pipeline in a file, not a pipeline of this project: something is there, or
/// the name has a "/" or a ".".
/// @throws core::InputError if such a file does not exist
bool names_a_file(const std::string& name);

/// Values for a compiled pipeline from a file and settings; texts are read as its declared types say.
/// @throws core::UsageError, core::InputError
nlohmann::json file_parameters(const kfp::ir::Pipeline& pipeline, const std::filesystem::path& config,
                               const std::vector<std::string>& settings);

/// Parameters of a pipeline of this project from a file and settings, checked as the components check them.
/// @param parameters which parameter of which component each parameter of the pipeline is
/// @throws core::UsageError, core::InputError naming file and field
nlohmann::json pipeline_parameters(const kfp::Registry& registry, const std::filesystem::path& config,
                                   const std::vector<std::string>& settings,
                                   const ProjectPipeline::Parameters& parameters);

}  // namespace pipeline
