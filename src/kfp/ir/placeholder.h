#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kfp::ir {

/// One `{{$…}}` of a command, an argument or a constant.
struct Placeholder {
  enum class Kind {
    kExecutorInput,    ///< `{{$}}`
    kInputParameter,   ///< `{{$.inputs.parameters['x']}}`
    kInputArtifact,    ///< `{{$.inputs.artifacts['x'].uri}}`
    kOutputParameter,  ///< `{{$.outputs.parameters['x'].output_file}}`
    kOutputArtifact,   ///< `{{$.outputs.artifacts['x'].path}}`
    kOutputFile,       ///< `{{$.outputs.output_file}}`, which the backend leaves as it is
    kRun,              ///< `{{$.pipeline_job_name}}` and the like
    kWorkspacePath,    ///< `{{$.workspace_path}}`
    kUnknown
  };

  Kind kind = Kind::kUnknown;
  std::string name;  ///< of the input or output, or of the run's property
  std::string text;  ///< the whole, with braces
};

/// All placeholders of a text, in order.
std::vector<Placeholder> placeholders_in(std::string_view text);

}  // namespace kfp::ir
