#include "calo/generate/generate.h"

#include "calo/io/layout.h"
#include "calo/preprocess/preprocess.h"
#include "core/staged_output.h"
#include "pipeline/components.h"
#include "pipeline/known_models.h"

namespace pipeline {

kfp::ComponentInfo Generate::info() {
  static constexpr const char* kOfOthers =
      "calopipe generate --model theirs.onnx --contract par04-vae --mesh SiW --geometry SiW --energy-gev 10 "
      "--out fast.h5";
  return {
      .name = "generate",
      .summary = "Generates showers with a trained model",
      .description =
          "The same model and seed give the same showers for any batch size and number of threads. Showers "
          "are written to disk as they are generated.",
      .examples = {
          "calopipe generate --model siw-lowgran --energy-gev 64 --events 1000 --out fast.h5",
          "calopipe generate --model model --geometry SiW --energy-gev 64 --events 10000 --out fast.h5",
          "calopipe generate --model model --min-energy-gev 1 --max-energy-gev 64 --out fast.h5",
          "calopipe generate --model optimised.onnx --geometry SiW --energy-gev 10 --out fast.h5", kOfOthers,
          "calopipe generate --model model --like prepared --out fast.h5 --performance generation.json"}};
}

void Generate::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("model", model,
          {.type = ArtifactType::kModel,
           .help = "Model folder (train), ONNX file (convert, optimise; from other authors with --contract), "
                   "or the name of a model that is part of calopipe (models/README.md)",
           .find = known_model});
  v.input("like", like,
          {.type = ArtifactType::kDataset,
           .help = "Showers to imitate: one shower is generated under the conditions of each. From a "
                   "prepared folder, the held-out showers are taken",
           .optional = true});
  reading.describe(v, ReadingOptions::Geometry::kElsewhere);
  v.parameter("geometry", geometry, {.help = "Geometry; none = the model's only geometry"});
  v.parameter("energy_gev", energy_gev,
              {.help = "Incident energies", .unit = "GeV", .min = 0, .above_min = true});
  v.parameter("angle_deg", angle_deg, {.help = "Polar angles", .unit = "deg", .min = 0, .max = 180});
  v.parameter("min_energy_gev", min_energy_gev,
              {.help = "Lower end of log-uniform energies", .unit = "GeV", .min = 0});
  v.parameter("max_energy_gev", max_energy_gev,
              {.help = "Upper end of log-uniform energies", .unit = "GeV", .min = 0});
  v.parameter("events", events,
              {.help = "Showers for each energy and angle (for each angle, if energies are a range)",
               .min = 1,
               .max = 1e12});
  v.parameter("layout", layout, {.help = "Layout of the file", .choices = calo::layout_names()});
  v.parameter("threshold_mev", threshold_mev,
              {.help = "Cells below this energy are set to zero (Par04: 0.5 keV)", .unit = "MeV", .min = 0});
  v.parameter("precision", precision,
              {.help = "Precision of the large layer; stored = as an ONNX file says (optimise), "
                       "fp32 for a model folder",
               .choices = {"stored", "fp32", "bf16", "int8", "w8a8"}});
  foreign.describe(v);
  v.parameter("seed", seed, {.help = "Seed of the latent noise", .min = 0});
  v.parameter("batch_size", batch_size,
              {.help = "Showers in a batch", .min = 1, .max = 65536, .operational = true});
  v.output("showers", showers,
           {.type = ArtifactType::kDataset, .help = "The generated showers", .file = "showers.h5"});
  v.output("performance", performance,
           {.type = ArtifactType::kMetrics,
            .help = "Time and memory that the generation took (JSON), for validate",
            .optional = true,
            .file = "generation.json"});
}

void Generate::run(kfp::RunContext& context) {
  std::optional<calo::infer::Precision> wanted;
  if (precision != "stored") wanted = calo::infer::parse_precision(precision);
  const calo::infer::ForeignContract contract = foreign.contract_of_file();
  auto source = calo::ShowerSource::open(model.path, wanted, contract);
  note_model(context.provenance, "model", model.path, contract);
  const calo::GenerateReport report = calo::generate(source,
                                                     {.geometry = geometry,
                                                      .energies_gev = energy_gev,
                                                      .angles_deg = angle_deg,
                                                      .events = events,
                                                      .min_energy_gev = min_energy_gev,
                                                      .max_energy_gev = max_energy_gev,
                                                      .like = like ? calo::held_out_showers(like.path) : "",
                                                      .reading = reading.read_options(),
                                                      .seed = static_cast<std::uint64_t>(seed),
                                                      .batch_size = batch_size,
                                                      .threshold_mev = threshold_mev,
                                                      .layout = calo::parse_layout(layout),
                                                      .provenance = context.provenance},
                                                     showers.path, context.pool);
  showers.metadata = {{"showers", report.showers}, {"precision", report.precision}};
  if (!report.outside_training.empty())
    showers.metadata["outside_training"] = report.to_json().at("outside_training");
  if (!performance) return;
  nlohmann::json figures = report.to_json();
  for (const auto& [name, value] : figures.items())
    if (value.is_number()) performance.metadata[name] = value;
  figures["calopipe"] = context.provenance;
  core::write_file(performance.path, figures.dump(2) + "\n");
}

}  // namespace pipeline
