#include "calo/convert/convert.h"

#include <spdlog/spdlog.h>

#include "calo/models/stored_model.h"
#include "core/staged_output.h"
#include "pipeline/components.h"
#include "pipeline/known_models.h"

namespace pipeline {

kfp::ComponentInfo Convert::info() {
  return {
      .name = "convert",
      .summary = "Writes a model's generator as ONNX, checked against the model",
      .description =
          "The ONNX file has the generator with the preprocessing inverted; mesh, conditions, units and "
          "provenance are in its properties. Contracts: `plain` takes inputs by name, in batches of any "
          "size, and returns MeV; `par04-vae` and `par04-calodit` load into the unmodified Geant4 example "
          "Par04. Showers from random noise are compared with those of the model before anything is "
          "written. See `doc/onnx.md`.",
      .examples = {
          "calopipe convert --model model --out model.onnx",
          "calopipe convert --model model --contract par04-vae --out model.onnx --par04-macro "
          "par04.mac --energy-gev 1,10,100",
          "calopipe convert --model model --contract par04-calodit --geometry SciPb --out model.onnx"}};
}

void Convert::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("model", model,
          {.type = ArtifactType::kModel,
           .help = "Model folder (train), or the name of a model that is part of calopipe (models/README.md)",
           .find = known_model});
  v.parameter("contract", contract,
              {.help = "Inputs and outputs of the graph, as the program that loads it expects them",
               .choices = {"plain", "par04-vae", "par04-calodit", "par04-calodit2"}});
  v.parameter("geometry", geometry,
              {.help = "Geometry at the one-hot index that Par04 always sets; none = SiW"});
  v.parameter("energy_gev", energy_gev,
              {.help = "Energies in the macro; none = 10 GeV, or the nearest energy of the training",
               .unit = "GeV",
               .min = 0,
               .above_min = true});
  v.parameter("angle_deg", angle_deg,
              {.help = "Polar angles in the macro",
               .unit = "deg",
               .min = 0,
               .max = 180,
               .above_min = true,
               .below_max = true});
  v.parameter("events", events,
              {.help = "Events for each energy and angle in the macro", .min = 1, .max = 1e9});
  v.parameter("model_path", model_path,
              {.help = "Path of the ONNX file in the macro; none = relative to the macro's folder",
               .operational = true});
  v.parameter("check_showers", check_showers,
              {.help = "Number of showers that are compared with those of the model", .min = 1, .max = 1e6});
  v.parameter("seed", seed, {.help = "Seed of the compared showers", .min = 0});
  v.output("onnx", onnx, {.type = ArtifactType::kModel, .help = "ONNX file", .file = "model.onnx"});
  v.output("par04_macro", par04_macro,
           {.help = "Macro that runs the model in Par04", .optional = true, .file = "par04.mac"});
}

void Convert::run(kfp::RunContext& context) {
  const calo::Contract wanted = calo::parse_contract(contract);
  const bool has_macro = wanted != calo::Contract::kPlain;
  const calo::ModelFolder folder = calo::read_model(model.path);
  const calo::ConvertReport report = calo::convert(folder,
                                                   {.contract = wanted,
                                                    .geometry = geometry,
                                                    .check_showers = check_showers,
                                                    .seed = static_cast<std::uint64_t>(seed),
                                                    .macro_file = has_macro ? par04_macro.path : "",
                                                    .macro = {.energies_gev = energy_gev,
                                                              .angles_deg = angle_deg,
                                                              .events = events,
                                                              .model_path = model_path},
                                                    .provenance = context.provenance},
                                                   onnx.path);
  if (par04_macro && !has_macro) {  // a pipeline gives every output a path and expects a file there
    spdlog::warn(
        "Par04 cannot run a model of the contract plain: the macro is empty (use --contract par04-vae)");
    core::write_file(par04_macro.path, "# Par04 cannot run a model of the contract plain.\n");
  }
  spdlog::info(
      "converted: {} bytes; {} of {} showers agree with the model within {:.1e} of their largest cell",
      report.bytes, report.check.same, report.check.showers, report.check.largest_difference);
  onnx.metadata = {{"contract", calo::to_string(wanted)},
                   {"bytes", report.bytes},
                   {"largest_difference", report.check.largest_difference},
                   {"showers_compared", report.check.showers},
                   {"showers_same", report.check.same}};
}

}  // namespace pipeline
