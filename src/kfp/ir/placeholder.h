#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kfp::ir {

/// One `{{$…}}` in a command, an argument or a constant.
struct Placeholder {
  enum class Kind {
    kExecutorInput,    ///< `{{$}}`
    kInputParameter,   ///< `{{$.inputs.parameters['x']}}`
    kInputArtifact,    ///< `{{$.inputs.artifacts['x'].uri}}`
    kOutputParameter,  ///< `{{$.outputs.parameters['x'].output_file}}`
    kOutputArtifact,   ///< `{{$.outputs.artifacts['x'].path}}`
    kOutputFile,       ///< `{{$.outputs.output_file}}`, which the backend does not replace
    kRun,              ///< `{{$.pipeline_job_name}}` and similar ones
    kWorkspacePath,    ///< `{{$.workspace_path}}`
    kUnknown
  };

  Kind kind = Kind::kUnknown;
  std::string name;    ///< name of the input or output, or of the run's property
  std::string access;  ///< the rest after the name: ".path", "" for parameters
  std::string text;    ///< the whole placeholder, with braces

  /// True for `{{$.inputs.parameters["x"]}}`, which the backend does not replace.
  bool in_double_quotes() const { return text.find("[\"") != std::string::npos; }
  /// True if it begins like a placeholder for inputs or outputs, even if it is malformed.
  bool is_of_task() const { return text.starts_with("{{$.inputs") || text.starts_with("{{$.outputs"); }
};

/// All placeholders in a string, in order.
std::vector<Placeholder> placeholders_in(std::string_view text);

/// The first `{{channel:…}}` in a string: the SDK's mark for a value inside a string, which remains where the
/// SDK does not resolve it (items of loops, conditions, environment). Empty if there is none.
std::string unresolved_channel(std::string_view text);

}  // namespace kfp::ir
