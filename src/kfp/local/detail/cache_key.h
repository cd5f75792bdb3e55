#pragma once

#include <string>

#include "kfp/ir/pipeline_spec.h"
#include "kfp/local/artifact.h"

namespace kfp::local {

/// Hash of everything that determines the outputs of a task: interface, image, command, arguments and
/// environment, input parameters, content and metadata of input artifacts, and the version of the programs. A
/// `cacheKey` of the task replaces inputs and version.
std::string cache_key(const ir::Task& task, const ir::ComponentSpec& component, const ir::Executor& executor,
                      const Values& inputs, const std::string& program_version);

}  // namespace kfp::local
