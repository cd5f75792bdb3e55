#include "kfp/local/detail/constant.h"

#include <fmt/format.h>

#include "core/error.h"
#include "kfp/local/detail/launcher.h"

namespace kfp::local {
using nlohmann::json;
using Kind = ir::Placeholder::Kind;
namespace {

std::string shortened(const std::string& text) {
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

class Resolution {
 public:
  Resolution(const ConstantScope& scope, bool whole) : scope_(scope), whole_(whole) {}

  std::string operator()(const std::string& text) const {
    if (const std::string channel = ir::unresolved_channel(text); !channel.empty())
      refuse(text, fmt::format("{}, which the SDK that compiled the pipeline left unresolved", channel),
             "pass the value as an input of the task, and join the strings there");
    return substitute(text, [&](const ir::Placeholder& placeholder) { return value_of(placeholder, text); });
  }

 private:
  [[noreturn]] static void refuse(const std::string& text, const std::string& why,
                                  const std::string& hint = "") {
    throw core::InputError({.message = fmt::format("\"{}\" has {}", shortened(text), why), .hint = hint});
  }

  std::optional<std::string> value_of(const ir::Placeholder& placeholder, const std::string& text) const {
    switch (placeholder.kind) {
      case Kind::kInputParameter: {
        const std::optional<json> value = scope_.parameter(placeholder.name);
        if (!value) refuse(text, fmt::format("{}, an input that the task does not have", placeholder.text));
        if (value->is_null()) refuse(text, fmt::format("{}, which has no value", placeholder.text));
        if (placeholder.in_double_quotes())
          scope_.warn(fmt::format("{} is resolved here; the cluster resolves it only with single quotes",
                                  placeholder.text));
        return parameter_text(*value);
      }
      case Kind::kInputArtifact:
        if (std::optional<std::string> value = scope_.artifact(placeholder)) return value;
        refuse(text, fmt::format("{}, an artifact that the task does not receive", placeholder.text));
      case Kind::kRun:
      case Kind::kWorkspacePath: {
        const bool known = whole_ && (placeholder.kind == Kind::kWorkspacePath || placeholder.text == text);
        if (known)
          if (std::optional<std::string> value = scope_.run(placeholder)) return value;
        stays(placeholder, placeholder.kind == Kind::kRun
                               ? "the cluster replaces it only if it is the whole constant"
                               : "the cluster does not replace it inside lists and structs");
        return std::nullopt;
      }
      case Kind::kUnknown:
        if (!placeholder.is_of_task()) {
          stays(placeholder, "it is not a known placeholder");
          return std::nullopt;
        }
        [[fallthrough]];
      default:
        refuse(text, fmt::format("{}, which cannot be resolved in a constant", placeholder.text),
               "use {{$.inputs.parameters['name']}}; others belong in the command");
    }
  }

  void stays(const ir::Placeholder& placeholder, const char* why) const {
    scope_.warn(fmt::format("{} is not replaced: {}", placeholder.text, why));
  }

  const ConstantScope& scope_;
  bool whole_;
};

}  // namespace

json resolve_constant(const json& value, const ConstantScope& scope) {
  return map_texts(value, Resolution(scope, value.is_string()));
}

bool mentions_parameter(const json& value, const std::string& name) {
  bool found = false;
  map_texts(value, [&](const std::string& text) {
    for (const ir::Placeholder& placeholder : ir::placeholders_in(text))
      found = found || (placeholder.kind == Kind::kInputParameter && placeholder.name == name);
    return text;
  });
  return found;
}

}  // namespace kfp::local
