#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/local/runner.h"
#include "kfp/local/store.h"
#include "pipeline/logging.h"
#include "pipeline/pipelines.h"

namespace pipeline {

/// Section of a configuration that describes a search (tune.h); a run ignores it.
inline constexpr const char* kTuneSection = "tune";

/// Options of `calopipe run`.
struct LocalRunOptions {
  std::string pipeline = "training";  ///< name of a pipeline of this project, or the file of a compiled one
  std::filesystem::path config;  ///< YAML: parameters under the name of their component (for a file: by name)
  std::vector<std::string> settings;  ///< "component.parameter=value" (for a file: "parameter=value")
  std::filesystem::path out;          ///< folder for the products; empty = none
  std::filesystem::path site;         ///< site settings; empty = none
  bool quiet = false;                 ///< only failures
  LogOptions log;                     ///< where to record the run; empty = nowhere
  kfp::local::RunnerOptions runner;   ///< budget, cache, force
};

/// A pipeline with the user's values, ready to run on this machine or elsewhere.
struct PreparedPipeline {
  kfp::ir::Pipeline compiled;  ///< without the settings of a site
  nlohmann::json parameters;   ///< values by name
  std::string image;           ///< image that represents this program; empty for a compiled file
  std::vector<ProjectPipeline::Product> products;
};

/// Where the products of a run go, stored next to its record for those who resume or attach to it.
struct Delivery {
  std::filesystem::path out;  ///< folder or URL; empty = nowhere
  std::vector<ProjectPipeline::Product> products;
  LogOptions log;      ///< where the run is recorded
  std::string log_id;  ///< our id of that record

  Delivery() = default;
  Delivery(const std::filesystem::path& folder, std::vector<ProjectPipeline::Product> files);
  /// @param folder that of the run's record @throws core::UnavailableError
  void write(const std::filesystem::path& folder) const;
  /// Nowhere if nothing is stored there. @throws core::InputError
  static Delivery read(const std::filesystem::path& folder);
};

/// Compiles a pipeline of this project, or reads a compiled one.
/// @param name     name of a pipeline of this project, or a file
/// @param config   YAML file with parameters; empty = none
/// @param settings "component.parameter=value" (for a file: "parameter=value")
/// @throws core::UsageError, core::InputError naming file and field
PreparedPipeline prepare_pipeline(const kfp::Registry& registry, const std::string& name,
                                  const std::filesystem::path& config,
                                  const std::vector<std::string>& settings);

/// Sets up a runner for tasks of this program: `calopipe` in commands is this executable.
void use_this_program(kfp::local::RunnerOptions& runner, int threads);

/// Runs a pipeline on this machine, each task as a process, and puts its products into the folder `out` (as
/// hard links if the disk is the same).
/// @return run (id), state, report, model, metrics … of the result
/// @throws core::Error with the exit code of the first task that failed, and what run() throws
nlohmann::json run_locally(const kfp::Registry& registry, const LocalRunOptions& options,
                           kfp::local::Store& store);

/// Throws the error of the first failed task of a run, with its exit code.
[[noreturn]] void throw_failure(const kfp::local::RunRecord& run, const kfp::local::Store& store);

/// Paths of the products of a run in its store, by the names of their files.
std::map<std::string, std::filesystem::path> products_of(
    const std::string& run_id, const std::vector<ProjectPipeline::Product>& products,
    const kfp::local::Store& store);

/// Resumes a run that failed, was interrupted or killed; its products go to the folder that the run was
/// started with.
nlohmann::json resume_locally(const std::string& run_id, kfp::local::RunnerOptions runner, bool quiet,
                              kfp::local::Store& store);

/// True if `name` means the file of a compiled pipeline, not a pipeline of this project: the file exists, or
/// the name has a "/" or a ".".
/// @throws core::InputError if such a file does not exist
bool names_a_file(const std::string& name);

/// Values for a compiled pipeline from a file and settings; strings are converted to the declared types.
/// @throws core::UsageError, core::InputError
nlohmann::json file_parameters(const kfp::ir::Pipeline& pipeline, const std::filesystem::path& config,
                               const std::vector<std::string>& settings);

/// Parameters of a pipeline of this project from a file and settings, checked as the components check them.
/// @param parameters maps each parameter of the pipeline to the component parameter that it sets
/// @throws core::UsageError, core::InputError naming file and field
nlohmann::json pipeline_parameters(const kfp::Registry& registry, const std::filesystem::path& config,
                                   const std::vector<std::string>& settings,
                                   const ProjectPipeline::Parameters& parameters);

}  // namespace pipeline
