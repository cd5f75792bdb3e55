#include "calo/preprocess/preprocess.h"
#include "calo/report/html_report.h"
#include "calo/validate/validation.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo Validate::info() {
  return {
      .name = "validate",
      .summary = "Compares fast with full simulation: metrics and a report to look at",
      .description =
          "For each geometry, energy and angle: profiles, their moments, response and cell energies, with "
          "Jensen-Shannon divergence, Kolmogorov-Smirnov and Wasserstein distance; and a classifier of fast "
          "against full showers by their high-level features (`doc/validation.md`).",
      .examples = {"calopipe validate --full prepared --fast fast.h5 --out validation"}};
}

void Validate::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("full", full,
          {.type = ArtifactType::kDataset,
           .help = "Showers of the full simulation; of a prepared folder, the held-out ones"});
  v.input("fast", fast, {.type = ArtifactType::kDataset, .help = "Showers of the fast simulation"});
  v.parameter("geometry", full_geometry, {.help = "Geometry of files that do not name it"});
  v.parameter("threshold_mev", threshold_mev,
              {.help = "Cells below are left out on both sides", .unit = "MeV", .min = 0});
  v.output("metrics", metrics,
           {.type = ArtifactType::kMetrics, .help = "All numbers (JSON)", .file = "metrics.json"});
  v.output("classification", classification,
           {.type = ArtifactType::kClassificationMetrics,
            .help = "How well a classifier tells fast from full showers: ROC curve, confusion matrix",
            .file = "classification.json"});
  v.output("report", report,
           {.type = ArtifactType::kHtml, .help = "Report, one file", .file = "report.html"});
}

void Validate::run(kfp::RunContext& context) {
  const auto full_reader =
      calo::ShowerReader::open(calo::held_out_showers(full.path), {.geometry = full_geometry}, context.pool);
  const auto fast_reader = calo::ShowerReader::open(fast.path, {.geometry = full_geometry}, context.pool);
  const calo::Validation validation =
      calo::validate(*full_reader, *fast_reader, {.threshold_mev = threshold_mev}, context.pool);
  nlohmann::json numbers = validation.to_json();
  numbers["calopipe"] = context.provenance;
  calo::write_report(report.path, validation, context.provenance);
  core::write_file(metrics.path, numbers.dump(2) + "\n");
  metrics.metadata = validation.summary();
  nlohmann::json judged = {{"calopipe", context.provenance}};
  if (validation.classifiers.empty()) {
    judged["not_made"] = validation.no_classifier_reason();
  } else {
    const calo::Classification& result = validation.classifiers.front().classification;
    classification.metadata = result.kubeflow_metadata();
    judged.update(result.to_json());
    judged.update(classification.metadata);
  }
  core::write_file(classification.path, judged.dump(2) + "\n");
}

}  // namespace pipeline
