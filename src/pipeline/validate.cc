#include <fmt/format.h>

#include "calo/classify/classifiers.h"
#include "calo/generate/generate.h"
#include "calo/preprocess/preprocess.h"
#include "calo/report/html_report.h"
#include "calo/report/page_data.h"
#include "calo/validate/validation.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo Validate::info() {
  return {
      .name = "validate",
      .summary = "Compares fast with full simulation: metrics and a report to look at",
      .description =
          "For each geometry, energy and angle: profiles, moments, containment, cell energies and the "
          "CaloChallenge's "
          "numbers of each layer, with Jensen-Shannon divergence, separation power, Wasserstein distance, "
          "Kolmogorov-Smirnov and chi-squared tests, their errors, and what two halves of the full "
          "simulation reach. Of the "
          "samples as a whole: FPD, KPD, precision, recall, density, coverage, separation powers, resolution "
          "and linearity, "
          "and classifiers of fast against full showers (`doc/validation.md`, `doc/classifiers.md`).",
      .examples = {
          "calopipe validate --full prepared --fast fast.h5 --performance generation.json --out validation",
          "calopipe validate --full geant4.h5 --fast fast.h5 --classifiers features,voxels,cnn "
          "--out validation"}};
}

void Validate::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("full", full,
          {.type = ArtifactType::kDataset,
           .help = "Showers of the full simulation; of a prepared folder, the held-out ones"});
  v.input("fast", fast, {.type = ArtifactType::kDataset, .help = "Showers of the fast simulation"});
  v.input("performance", performance,
          {.type = ArtifactType::kMetrics,
           .help = "What making the fast showers took (generate), for the report",
           .optional = true});
  reading.describe(v);
  v.parameter("threshold_mev", threshold_mev,
              {.help = "Cells below are left out on both sides", .unit = "MeV", .min = 0});
  v.parameter("label", label, {.help = "Name of the model in the report and in comparisons"});
  v.parameter(
      "classifiers", classifiers,
      {.help = fmt::format("What tries to tell fast from full showers, beside the logistic regression: {}",
                           calo::classifiers_help()),
       .choices = calo::classifier_names()});
  v.parameter("classifier_trainings", classifier_trainings,
              {.help = "How often each classifier is trained, at most: the spread is the error of its AUC",
               .min = 1});
  v.parameter("classifier_epochs", classifier_epochs, {.help = "Epochs of each training, at most", .min = 1});
  v.parameter("classifier_showers", classifier_showers,
              {.help = "Showers of each side that networks of cells see, at most: they are kept in memory",
               .min = 1});
  v.parameter("replicas", replicas, {.help = "Bootstrap replicas for the errors; 0 = no errors", .min = 0});
  v.parameter("seed", seed, {.help = "Seed of resampling and classifiers"});
  v.output("metrics", metrics,
           {.type = ArtifactType::kMetrics, .help = "All numbers (JSON)", .file = "metrics.json"});
  v.output("classification", classification,
           {.type = ArtifactType::kClassificationMetrics,
            .help = "How well a classifier tells fast from full showers: ROC curve, confusion matrix",
            .file = "classification.json"});
  v.output("plots", plots,
           {.help = "Everything that the report shows (JSON), for `calopipe compare`", .file = "plots.json"});
  v.output("report", report,
           {.type = ArtifactType::kHtml, .help = "Report, one file", .file = "report.html"});
}

void Validate::run(kfp::RunContext& context) {
  calo::ValidateOptions options{.threshold_mev = threshold_mev, .geometry = reading.geometry};
  const auto unsigned_seed = static_cast<std::uint64_t>(seed);
  options.classifiers.seed = options.comparison.seed = options.distances.seed = unsigned_seed;
  options.comparison.replicas = static_cast<std::size_t>(replicas);
  options.classifiers.most_in_memory = classifier_showers;
  for (const std::string& name : classifiers)
    options.classifiers.others.push_back(
        calo::make_classifier(name, {.seed = unsigned_seed,
                                     .trainings = static_cast<int>(classifier_trainings),
                                     .epochs = static_cast<int>(classifier_epochs),
                                     .threshold_mev = threshold_mev}));
  calo::ReadOptions read = reading.read_options();
  read.geometry.clear();  // names both sides as they need it
  const auto full_reader = calo::ShowerReader::open(calo::held_out_showers(full.path), read, context.pool);
  const auto fast_reader = calo::ShowerReader::open(fast.path, read, context.pool);
  calo::warn_of_remarks(full_reader->info());
  calo::warn_of_remarks(fast_reader->info());
  // Before the work, so that a wrong file is known at once.
  std::optional<calo::GenerateReport> generation;
  if (performance) generation = calo::GenerateReport::read(performance.path);
  calo::Validation validation = calo::validate(*full_reader, *fast_reader, options, context.pool);
  if (generation)
    validation.fast_cost = {.seconds_per_shower = generation->seconds_per_shower(),
                            .peak_memory_bytes = static_cast<double>(generation->peak_memory_bytes),
                            .memory_per_shower_bytes = generation->memory_per_shower_bytes()};
  nlohmann::json numbers = validation.to_json();
  numbers["calopipe"] = context.provenance;
  nlohmann::json shown = calo::plot_data(validation, label);
  calo::write_report(report.path, validation, shown, context.provenance);
  shown["calopipe"] = context.provenance;
  core::write_file(plots.path, shown.dump() + "\n");
  core::write_file(metrics.path, numbers.dump(2) + "\n");
  metrics.metadata = validation.summary();
  nlohmann::json judged = {{"calopipe", context.provenance}};
  if (validation.classifiers.empty()) {
    judged["not_made"] = validation.no_classifier_reason();
  } else {
    const calo::Classification& result = validation.classifiers.front();
    classification.metadata = result.kubeflow_metadata();
    judged.update(result.to_json());
    judged.update(classification.metadata);
  }
  core::write_file(classification.path, judged.dump(2) + "\n");
}

}  // namespace pipeline
