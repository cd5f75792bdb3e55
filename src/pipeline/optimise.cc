#include "calo/optimise/optimise.h"

#include <spdlog/spdlog.h>

#include "calo/infer/generator.h"
#include "calo/model/model_folder.h"
#include "calo/preprocess/preprocess.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo Optimise::info() {
  return {
      .name = "optimise",
      .summary = "Finds the precision in which a converted model runs best without shifting the observables",
      .description =
          "Generates showers under the conditions of the full simulation in fp32, bf16, int8 and w8a8 "
          "(inputs of 8 bits too), from the same noise, and compares the means of every observable and "
          "layer of `calopipe validate`. A precision that shifts one of them by more than a share of the "
          "full sample's statistical error is refused. The best of the others is written, with a model "
          "card of the costs and gains of each. `calopipe-infer` and `calopipe generate` run the file in "
          "its precision (`doc/infer.md`).",
      .examples = {
          "calopipe optimise model.onnx --full prepared --out optimised.onnx --card model-card.md",
          "calopipe optimise par04.onnx --full prepared --weights float --objective throughput --out "
          "optimised.onnx"}};
}

void Optimise::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("onnx", onnx, {.type = ArtifactType::kModel, .help = "ONNX file (convert)"});
  v.input("full", full,
          {.type = ArtifactType::kDataset,
           .help = "Showers of the full simulation; from a prepared folder, the held-out ones"});
  reading.describe(v);
  v.parameter("precisions", precisions, {.help = "Precisions to try besides fp32: bf16, int8, w8a8"});
  v.parameter(
      "max_shift_sigma", max_shift_sigma,
      {.help =
           "Largest shift of an observable's mean from fp32's, in statistical errors of the full sample's "
           "mean",
       .min = 0});
  v.parameter(
      "objective", objective,
      {.help = "Quantity to optimise: size in memory (the same choice on every machine), latency of one "
               "shower, or throughput of a batch (both as measured on this machine)",
       .choices = {"size", "latency", "throughput"}});
  v.parameter(
      "weights", weights,
      {.help =
           "How the file stores large weights: narrow = in the precision (half or a quarter of the bytes), "
           "float = unchanged, to be narrowed when they are loaded (for Par04's onnxruntime, which would "
           "convert them to floats in every event); auto = float for Par04's contracts, else narrow",
       .choices = {"auto", "narrow", "float"}});
  foreign.describe(v);
  v.parameter("threshold_mev", threshold_mev,
              {.help = "Cells below this energy are left out", .unit = "MeV", .min = 0});
  v.parameter(
      "batch_size", batch_size,
      {.help = "Showers in a batch, for the throughput", .min = 1, .max = 65536, .operational = true});
  v.parameter("seed", seed, {.help = "Seed of the latent noise", .min = 0});
  v.output("optimised", optimised,
           {.type = ArtifactType::kModel, .help = "ONNX file", .file = "optimised.onnx"});
  v.output("metrics", metrics,
           {.type = ArtifactType::kMetrics, .help = "All numbers (JSON)", .file = "optimise.json"});
  v.output("card", card, {.type = ArtifactType::kMarkdown, .help = "Model card", .file = "model-card.md"});
}

void Optimise::run(kfp::RunContext& context) {
  bool narrow = weights == "narrow";
  const calo::infer::ForeignContract contract = foreign.contract_of_file();
  if (weights == "auto") narrow = calo::infer::Generator::load(onnx.path, {}, contract).contract() == "plain";
  note_model(context.provenance, "onnx", onnx.path, contract);
  const calo::OptimiseReport report = calo::optimise(onnx.path, calo::held_out_showers(full.path),
                                                     {.precisions = precisions,
                                                      .max_shift_sigma = max_shift_sigma,
                                                      .objective = calo::parse_objective(objective),
                                                      .narrow_weights = narrow,
                                                      .reading = reading.read_options(),
                                                      .batch_size = batch_size,
                                                      .threshold_mev = threshold_mev,
                                                      .seed = static_cast<std::uint64_t>(seed),
                                                      .contract = contract},
                                                     optimised.path, context.pool);
  nlohmann::json numbers = report.to_json();
  numbers["calopipe"] = context.provenance;
  core::write_file(metrics.path, numbers.dump(2) + "\n");
  core::write_file(card.path, calo::model_card(report, optimised.path, context.provenance));
  metrics.metadata = report.summary();
  optimised.metadata = {{"precision", report.to_json().at("chosen")}, {"contract", report.contract}};
  spdlog::info("optimised: {}", report.summary().dump());
}

}  // namespace pipeline
