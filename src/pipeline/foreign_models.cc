#include "pipeline/foreign_models.h"

#include "calo/generate/shower_source.h"

namespace pipeline {

void ForeignModelOptions::describe(kfp::Visitor& v) {
  v.parameter("contract", contract,
              {.help = "How to call an ONNX file of other authors; file = as its properties say "
                       "(doc/onnx.md)",
               .choices = {"file", "par04-vae", "par04-calodit2", "par04-calodit"},
               .operational = true});
  v.parameter(
      "mesh", mesh,
      {.help = "Mesh of such a model: SiW, SciPb, SiW-lowgran, or cells and their sizes in mm (r x phi x z : "
               "r x z) as in 18x50x45:2.325x3.4",
       .operational = true});
  v.parameter("energy_scale_gev", energy_scale_gev,
              {.help = "Energy by which such a model of par04-vae divides energies; 0 = 1024, as in Par04",
               .unit = "GeV",
               .min = 0,
               .operational = true});
}

calo::infer::ForeignContract ForeignModelOptions::contract_of_file() const {
  return {.contract = contract == "file" ? "" : contract, .mesh = mesh, .energy_scale_gev = energy_scale_gev};
}

// These parameters are not part of the provenance by default, so that files that do not need them keep their
// bytes.
void note_model(nlohmann::json& provenance, const std::string& input, const std::filesystem::path& model,
                const calo::infer::ForeignContract& contract) {
  provenance["inputs"][input] = calo::sha256_of_model(model);
  if (contract.contract.empty()) return;
  provenance["parameters"]["contract"] = contract.contract;
  provenance["parameters"]["mesh"] = contract.mesh;
  provenance["parameters"]["energy_scale_gev"] = contract.energy_scale_gev;
}

}  // namespace pipeline
