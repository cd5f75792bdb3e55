#pragma once

#include <string>

#include "kfp/ir/pipeline_spec.h"
#include "kfp/local/artifact.h"

namespace kfp::local {

/// What decides the outputs of a task, as a hash: interface, image, command, arguments and environment, input
/// parameters, content and metadata of input artifacts, and the version of the programs. A `cacheKey` of the
/// task takes the place of inputs and version.
std::string cache_key(const ir::Task& task, const ir::ComponentSpec& component, const ir::Executor& executor,
                      const Values& inputs, const std::string& program_version);

}  // namespace kfp::local
