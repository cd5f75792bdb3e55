#pragma once

#include <filesystem>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace kfp::local {

/// Paths in the folder of a run. `task` is the path of a task ("for-loop-1[2]/train").
struct RunFolder {
  std::filesystem::path root;

  std::filesystem::path pipeline() const { return root / "pipeline.yaml"; }
  std::filesystem::path artifacts(const std::string& task) const { return root / "artifacts" / task; }
  std::filesystem::path task(const std::string& task) const { return root / "tasks" / task; }
  std::filesystem::path log(const std::string& task) const { return this->task(task) / "log.txt"; }
  /// Folder kept across retries and resumes: $KFP_TASK_SCRATCH.
  std::filesystem::path scratch(const std::string& task) const { return this->task(task) / "scratch"; }
  /// Folder for `{{$.workspace_path}}`.
  std::filesystem::path workspace() const { return root / "workspace"; }
};

/// Checks that the names of tasks and outputs, which become file names, do not leave the folder.
/// @throws core::InputError for "../x", hidden and overlong names, and control characters
void check_names(const ir::PipelineSpec& spec);

}  // namespace kfp::local
