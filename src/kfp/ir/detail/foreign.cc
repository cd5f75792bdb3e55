#include "kfp/ir/detail/foreign.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>
#include <string_view>

#include "core/error.h"

namespace kfp::ir {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::filesystem::path& source, std::string message, std::string hint) {
  throw core::InputError({.message = std::move(message), .file = source, .hint = std::move(hint)});
}

struct Format {
  std::size_t offset;
  std::string_view magic;
  const char* what;
  const char* hint;
};

using namespace std::string_view_literals;

constexpr const char* kUnpack = "unpack it, and give the YAML file inside";
constexpr const char* kPipelineWanted = "a compiled pipeline (YAML or JSON) is expected";

constexpr std::array kFormats = {
    Format{0, "\x1F\x8B"sv, "is a gzip archive, as are packages of KFP SDK 1", kUnpack},
    Format{0, "PK\x03\x04"sv, "is a zip archive", kUnpack},
    Format{0, "PK\x05\x06"sv, "is an empty zip archive", kPipelineWanted},
    Format{257, "ustar"sv, "is a tar archive", kUnpack},
    Format{0, "BZh"sv, "is a bzip2 archive", kUnpack},
    Format{0, "\xFD\x37zXZ"sv, "is an xz archive", kUnpack},
    Format{0, "\x28\xB5\x2F\xFD"sv, "is a zstd archive", kUnpack},
    Format{0, "\x89HDF\r\n\x1A\n"sv, "is an HDF5 file", kPipelineWanted},
    Format{0, "SQLite format 3\0"sv, "is an SQLite database", kPipelineWanted},
    Format{0,
           "\x7F"
           "ELF"sv,
           "is a program", kPipelineWanted},
    Format{0, "%PDF-"sv, "is a PDF file", kPipelineWanted}};

// An object of Kubernetes, by its group and kind. Longer groups come first.
struct ObjectKind {
  std::string_view group;
  std::string_view kind;  ///< "" = any kind
  const char* what;       ///< message; "{}" is replaced by the kind
  const char* hint;
};

constexpr const char* kSubmit =
    "calopipe reads compiled pipelines of KFP SDK 2; kubectl reads this file directly";

constexpr std::array kKinds = {
    ObjectKind{"argoproj.io/", "", "is a {} of Argo, not a compiled pipeline of KFP",
               "calopipe reads compiled pipelines of KFP SDK 2; argo reads this file directly"},
    ObjectKind{"pipelines.kubeflow.org/", "PipelineVersion",
               "is a {} of Kubeflow, a Kubernetes object that contains a compiled pipeline",
               "extract the pipeline: yq .spec.pipelineSpec FILE > pipeline.yaml"},
    ObjectKind{"pipelines.kubeflow.org/", "",
               "is a {} of Kubeflow, a Kubernetes object without the pipeline's tasks",
               "its PipelineVersion has them, under spec.pipelineSpec"},
    ObjectKind{"trainer.kubeflow.org/", "", "is a {} of Kubeflow Trainer, not a compiled pipeline", kSubmit},
    ObjectKind{"kubeflow.org/", "Experiment", "is an {} of Katib, not a compiled pipeline", kSubmit},
    ObjectKind{"kubeflow.org/", "Trial", "is a {} of Katib, not a compiled pipeline", kSubmit},
    ObjectKind{"kubeflow.org/", "Suggestion", "is a {} of Katib, not a compiled pipeline", kSubmit},
    ObjectKind{"kubeflow.org/", "TrainJob", "is a {} of Kubeflow Trainer, not a compiled pipeline", kSubmit},
    ObjectKind{"kubeflow.org/", "ScheduledWorkflow", "is a {} of Kubeflow, not a compiled pipeline", kSubmit},
    ObjectKind{"kubeflow.org/", "", "is a {} of Kubeflow, not a compiled pipeline", kSubmit},
    ObjectKind{"serving.kserve.io/", "", "is an {} of KServe, not a compiled pipeline", kSubmit},
    ObjectKind{"tekton.dev/", "", "is a {} of Tekton, not a compiled pipeline of KFP",
               "compile it with KFP SDK 2 and without its Tekton backend"}};

std::string text_at(const json& object, const json::json_pointer& place) {
  return object.contains(place) && object[place].is_string() ? object[place].get<std::string>() : "";
}

// The version of the SDK that compiled a workflow; empty if it was not compiled by an SDK.
std::string sdk_version(const json& workflow) {
  for (const char* where : {"annotations", "labels"}) {
    if (!workflow.contains("metadata") || !workflow["metadata"].is_object()) continue;
    const json fields = workflow["metadata"].value(where, json());
    if (!fields.is_object()) continue;
    if (const json version = fields.value("pipelines.kubeflow.org/kfp_sdk_version", json());
        version.is_string())
      return version.get<std::string>();
    if (fields.contains("pipelines.kubeflow.org/pipeline_spec")) return "1";
  }
  return "";
}

void refuse_objects(const json& document, const std::filesystem::path& source) {
  const std::string version = text_at(document, json::json_pointer("/apiVersion"));
  const std::string kind = text_at(document, json::json_pointer("/kind"));
  if (kind.empty()) return;
  if (version.starts_with("argoproj.io/") || version.starts_with("tekton.dev/"))
    if (const std::string sdk = sdk_version(document); !sdk.empty())
      refuse(source,
             fmt::format("is a {} of {} (compiled by KFP SDK {}), not a compiled v2 pipeline", kind,
                         version.starts_with("argo") ? "Argo" : "Tekton", sdk),
             "compile it with SDK 2");
  for (const ObjectKind& known : kKinds)
    if (version.starts_with(known.group) && (known.kind.empty() || known.kind == kind))
      refuse(source, fmt::format(fmt::runtime(known.what), kind), known.hint);
  refuse(source,
         fmt::format("is a {} of Kubernetes ({}), not a compiled pipeline", kind,
                     version.empty() ? "without apiVersion" : version),
         kPipelineWanted);
}

bool is_pipeline_like(const json& document) {
  static constexpr std::array<std::string_view, 14> kFields = {
      "pipelineInfo",  "pipeline_info",  "deploymentSpec",      "deployment_spec",
      "schemaVersion", "schema_version", "sdkVersion",          "sdk_version",
      "components",    "root",           "defaultPipelineRoot", "default_pipeline_root",
      "platforms",     "pipeline_spec"};
  return std::any_of(document.items().begin(), document.items().end(), [](const auto& item) {
    return std::find(kFields.begin(), kFields.end(), item.key()) != kFields.end();
  });
}

bool is_python(const std::string& text, const std::filesystem::path& source) {
  if (source.extension() == ".py") return true;
  // Lines that never occur in YAML.
  static const std::regex kLine(
      R"((^|\n)(from [A-Za-z_.]+ import [^\n:]+|import [A-Za-z_.]+( as [a-z_]+)?|@(dsl|kfp|component)\b[^\n]*|def [a-z_]+\(.*\).*:)(\n|$))");
  const std::string head = text.substr(0, 4096);
  return std::regex_search(head, kLine) && head.find("schemaVersion:") == std::string::npos;
}

}  // namespace

void refuse_other_formats(const std::string& text, const std::filesystem::path& source) {
  for (const Format& format : kFormats)
    if (text.size() >= format.offset + format.magic.size() &&
        std::string_view(text).substr(format.offset, format.magic.size()) == format.magic)
      refuse(source, format.what, format.hint);
  const std::size_t first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string::npos) return;
  // "<<" is a YAML key.
  if (text[first] == '<' && first + 1 < text.size() && text[first + 1] != '<')
    refuse(source, "is XML or HTML", kPipelineWanted);
  if (text[first] != '{' && is_python(text, source))
    refuse(source, "is a Python program, not a compiled pipeline",
           "kfp.compiler.Compiler().compile writes the YAML file");
}

void refuse_other_kinds(const json& document, const std::filesystem::path& source) {
  if (!document.is_object()) return;
  if (document.contains("kind") && (document.contains("apiVersion") || !is_pipeline_like(document)))
    refuse_objects(document, source);
  if (document.contains("implementation") && !document.contains("root"))
    refuse(source, "is a component of KFP SDK 1 (component YAML), not a compiled pipeline",
           "load it with kfp.components.load_component_from_file of SDK 2, and compile that");
  if (document.contains("pipelineSpec") && !document.contains("root"))
    refuse(source,
           "is a job (PipelineJob) that contains a compiled pipeline, as written by SDK 1.8 and Vertex AI",
           document["pipelineSpec"].is_object()
               ? "extract the pipeline: yq .pipelineSpec FILE > pipeline.yaml"
               : "compile it with SDK 2");
  if (document.contains("nbformat")) refuse(source, "is a notebook", kPipelineWanted);
  if (document.contains("swagger") || document.contains("openapi"))
    refuse(source, "is an OpenAPI description", kPipelineWanted);
  if (document.empty() || is_pipeline_like(document)) return;
  std::string names;
  std::size_t count = 0;
  for (const auto& [name, value] : document.items())
    if (++count <= 4) names += (names.empty() ? "" : ", ") + name;
  refuse(source,
         fmt::format("has none of the fields of a compiled pipeline, but {}{}", names, count > 4 ? " …" : ""),
         "a compiled pipeline has pipelineInfo, components and root; parameters are given with --config");
}

}  // namespace kfp::ir
