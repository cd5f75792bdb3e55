#include "kfp/ir/placeholder.h"

#include <algorithm>
#include <array>

namespace kfp::ir {
namespace {

// Returns the x of `['x']` or `["x"]` at the beginning of `text` and removes it there; empty if there is
// none.
std::string take_name(std::string_view& text) {
  if (text.size() < 4 || text[0] != '[' || (text[1] != '\'' && text[1] != '"')) return "";
  const std::string_view closing = text[1] == '\'' ? "']" : "\"]";
  const std::size_t end = text.find(closing, 2);
  if (end == std::string_view::npos) return "";
  std::string name(text.substr(2, end - 2));
  text.remove_prefix(end + 2);
  return name;
}

Placeholder parse(std::string_view text) {
  using Kind = Placeholder::Kind;
  Placeholder placeholder{.text = std::string(text)};
  std::string_view inner = text.substr(3, text.size() - 5);  // without {{$ and }}
  if (inner.empty()) {
    placeholder.kind = Kind::kExecutorInput;
    return placeholder;
  }
  static constexpr std::array<std::pair<std::string_view, Kind>, 4> kNamed = {
      {{".inputs.parameters", Kind::kInputParameter},
       {".inputs.artifacts", Kind::kInputArtifact},
       {".outputs.parameters", Kind::kOutputParameter},
       {".outputs.artifacts", Kind::kOutputArtifact}}};
  for (const auto& [prefix, kind] : kNamed) {
    if (!inner.starts_with(prefix)) continue;
    inner.remove_prefix(prefix.size());
    placeholder.name = take_name(inner);
    placeholder.access = inner;
    // A parameter has no parts, as in the backend.
    if (!placeholder.name.empty() && (kind != Kind::kInputParameter || inner.empty()))
      placeholder.kind = kind;
    return placeholder;
  }
  static constexpr std::array<std::string_view, 8> kRun = {
      ".pipeline_job_name",  ".pipeline_job_resource_name",
      ".pipeline_job_uuid",  ".pipeline_task_name",
      ".pipeline_task_uuid", ".pipeline_job_create_time_utc",
      ".pipeline_root",      ".pipeline_job_schedule_time_utc"};
  if (inner == ".outputs.output_file") placeholder.kind = Kind::kOutputFile;
  if (inner == ".workspace_path") placeholder.kind = Kind::kWorkspacePath;
  if (std::find(kRun.begin(), kRun.end(), inner) != kRun.end()) placeholder.kind = Kind::kRun;
  placeholder.name = inner.substr(1);
  return placeholder;
}

}  // namespace

std::vector<Placeholder> placeholders_in(std::string_view text) {
  std::vector<Placeholder> found;
  while (true) {
    const std::size_t begin = text.find("{{$");
    if (begin == std::string_view::npos) return found;
    const std::size_t end = text.find("}}", begin);
    if (end == std::string_view::npos) return found;
    found.push_back(parse(text.substr(begin, end + 2 - begin)));
    text.remove_prefix(end + 2);
  }
}

std::string unresolved_channel(std::string_view text) {
  const std::size_t begin = text.find("{{channel:");
  if (begin == std::string_view::npos) return "";
  const std::size_t end = text.find("}}", begin);
  return std::string(text.substr(begin, end == std::string_view::npos ? end : end + 2 - begin));
}

}  // namespace kfp::ir
