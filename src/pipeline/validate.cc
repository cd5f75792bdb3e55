#include <fmt/format.h>

#include "calo/classify/network_classifier.h"
#include "calo/classify/tree_classifier.h"
#include "calo/generate/generate.h"
#include "calo/preprocess/preprocess.h"
#include "calo/report/html_report.h"
#include "calo/report/page_data.h"
#include "calo/validate/validation.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {
namespace {

constexpr std::pair<const char*, calo::NetworkKind> kNetworks[] = {
    {"features", calo::NetworkKind::kHighLevel},
    {"voxels", calo::NetworkKind::kVoxels},
    {"normalised-voxels", calo::NetworkKind::kNormalisedVoxels},
    {"cnn", calo::NetworkKind::kCnn},
};

calo::NetworkKind network_of(const std::string& name) {
  for (const auto& [known, kind] : kNetworks)
    if (name == known) return kind;
  throw core::UsageError({.message = fmt::format("\"{}\" is not a classifier", name),
                          .field = "classifiers",
                          .hint = "known: features, trees, voxels, normalised-voxels, cnn"});
}

}  // namespace

kfp::ComponentInfo Validate::info() {
  return {
      .name = "validate",
      .summary = "Compares fast with full simulation: metrics and an HTML report",
      .description =
          "For each geometry, energy and angle: profiles, moments, containment, cell energies and the "
          "CaloChallenge's numbers of each layer, with Jensen-Shannon divergence, separation power, "
          "Wasserstein distance, Kolmogorov-Smirnov and chi-squared tests, their errors, and the same for "
          "two halves of the full simulation. For the samples as a whole: FPD, KPD, precision, recall, "
          "density, coverage, separation powers, resolution and linearity, and classifiers of fast against "
          "full showers (`doc/validation.md`, `doc/classifiers.md`).",
      .examples = {
          "calopipe validate --full prepared --fast fast.h5 --performance generation.json --out validation",
          "calopipe validate --full geant4.h5 --fast fast.h5 --classifiers features,voxels,cnn "
          "--out validation"}};
}

void Validate::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("full", full,
          {.type = ArtifactType::kDataset,
           .help = "Showers of the full simulation; from a prepared folder, the held-out ones"});
  v.input("fast", fast, {.type = ArtifactType::kDataset, .help = "Showers of the fast simulation"});
  v.input("performance", performance,
          {.type = ArtifactType::kMetrics,
           .help = "Time and memory that the generation took (generate), for the report",
           .optional = true});
  reading.describe(v);
  v.parameter("threshold_mev", threshold_mev,
              {.help = "Cells below this energy are left out in both samples", .unit = "MeV", .min = 0});
  v.parameter("label", label, {.help = "Name of the model in the report and in comparisons"});
  v.parameter(
      "classifiers", classifiers,
      {.help =
           "Classifiers of fast against full showers, besides the logistic regression: trees (boosted, on "
           "high-level features), and neural networks: features, voxels, normalised-voxels, cnn"});
  v.parameter("classifier_trainings", classifier_trainings,
              {.help = "Largest number of trainings of each classifier; their spread is the error of its AUC",
               .min = 1});
  v.parameter("classifier_epochs", classifier_epochs,
              {.help = "Largest number of epochs of each training", .min = 1});
  v.parameter(
      "classifier_showers", classifier_showers,
      {.help = "Largest number of showers of each sample for networks on cells, which keep them in memory",
       .min = 1});
  v.parameter("replicas", replicas, {.help = "Bootstrap replicas for the errors; 0 = no errors", .min = 0});
  v.parameter("seed", seed, {.help = "Seed of resampling and classifiers"});
  v.output("metrics", metrics,
           {.type = ArtifactType::kMetrics, .help = "All numbers (JSON)", .file = "metrics.json"});
  v.output("classification", classification,
           {.type = ArtifactType::kClassificationMetrics,
            .help = "ROC curve and confusion matrix of a classifier of fast against full showers",
            .file = "classification.json"});
  v.output("plots", plots,
           {.help = "All data of the report (JSON), for `calopipe compare`", .file = "plots.json"});
  v.output("report", report,
           {.type = ArtifactType::kHtml, .help = "Report in one file", .file = "report.html"});
}

void Validate::run(kfp::RunContext& context) {
  calo::ValidateOptions options{.threshold_mev = threshold_mev, .geometry = reading.geometry};
  options.classifier.seed = options.comparison.seed = options.distances.seed =
      static_cast<std::uint64_t>(seed);
  options.comparison.replicas = static_cast<std::size_t>(replicas);
  options.most_in_memory = classifier_showers;
  const calo::NetworkOptions network{.seed = static_cast<std::uint64_t>(seed),
                                     .max_epochs = static_cast<int>(classifier_epochs),
                                     .trainings = static_cast<int>(classifier_trainings)};
  for (const std::string& name : classifiers) {
    if (name == "trees") {
      options.extra_classifiers.push_back(
          {.needs_showers = false, .classify = [&](const calo::ClassifiedShowers& showers) {
             return calo::classify_with_trees(showers.full_features, showers.fast_features,
                                              {.seed = static_cast<std::uint64_t>(seed),
                                               .trainings = static_cast<int>(classifier_trainings)},
                                              context.pool);
           }});
      continue;
    }
    const calo::NetworkKind kind = network_of(name);
    options.extra_classifiers.push_back({.needs_showers = kind != calo::NetworkKind::kHighLevel,
                                         .classify = [&, kind](const calo::ClassifiedShowers& showers) {
                                           return calo::classify_with_network(
                                               kind,
                                               {.features = showers.full_features, .showers = showers.full},
                                               {.features = showers.fast_features, .showers = showers.fast},
                                               showers.mesh, threshold_mev, network, context.pool);
                                         }});
  }
  calo::ReadOptions read = reading.read_options();
  read.geometry.clear();  // the sides get their geometries below
  const auto full_reader = calo::ShowerReader::open(calo::held_out_showers(full.path), read, context.pool);
  const auto fast_reader = calo::ShowerReader::open(fast.path, read, context.pool);
  calo::warn_of_remarks(full_reader->info());
  calo::warn_of_remarks(fast_reader->info());
  // Read before the work, so that a wrong file is reported at once.
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
