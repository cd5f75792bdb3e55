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
  std::string name;    ///< of the input or output, or of the run's property
  std::string access;  ///< what follows the name: ".path", "" for parameters
  std::string text;    ///< the whole, with braces

  /// True for `{{$.inputs.parameters["x"]}}`, which the backend leaves as it is.
  bool in_double_quotes() const { return text.find("[\"") != std::string::npos; }
  /// True where it begins as one of inputs or outputs, whether it is one or not.
  bool is_of_task() const { return text.starts_with("{{$.inputs") || text.starts_with("{{$.outputs"); }
};

/// All placeholders of a text, in order.
std::vector<Placeholder> placeholders_in(std::string_view text);

/// The first `{{channel:…}}` of a text: the SDK's own mark of a value inside a text, which it leaves where it
/// does not resolve it (items of loops, conditions, environment). Empty where there is none.
std::string unresolved_channel(std::string_view text);

}  // namespace kfp::ir
