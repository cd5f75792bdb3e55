#include "kfp/component/field.h"

namespace kfp {

std::string to_string(ArtifactType type) {
  switch (type) {
    case ArtifactType::kArtifact:
      return "Artifact";
    case ArtifactType::kDataset:
      return "Dataset";
    case ArtifactType::kModel:
      return "Model";
    case ArtifactType::kMetrics:
      return "Metrics";
    case ArtifactType::kClassificationMetrics:
      return "ClassificationMetrics";
    case ArtifactType::kHtml:
      return "HTML";
    case ArtifactType::kMarkdown:
      return "Markdown";
  }
  return "Artifact";
}

std::string Field::type_name() const {
  if (kind == Kind::kInput || kind == Kind::kOutput) return to_string(artifact_spec.type);
  return core::ParameterField::type_name();
}

std::string Field::kfp_type() const {
  static constexpr const char* kNames[] = {"STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN",
                                           "LIST",   "LIST",           "LIST",          "STRUCT"};
  return kNames[parameter.index()];
}

}  // namespace kfp
