#include "pipeline/foreign_models.h"

#include "calo/generate/shower_source.h"

namespace pipeline {

calo::infer::ForeignContract foreign_contract(const std::string& contract, const std::string& mesh,
                                              double energy_scale_gev) {
  return {.contract = contract == "file" ? "" : contract, .mesh = mesh, .energy_scale_gev = energy_scale_gev};
}

// These parameters are not in the provenance by themselves: files that need none of them stay as they were.
void note_model(nlohmann::json& provenance, const std::string& input, const std::filesystem::path& model,
                const calo::infer::ForeignContract& contract) {
  provenance["inputs"][input] = calo::sha256_of_model(model);
  if (contract.contract.empty()) return;
  provenance["parameters"]["contract"] = contract.contract;
  provenance["parameters"]["mesh"] = contract.mesh;
  provenance["parameters"]["energy_scale_gev"] = contract.energy_scale_gev;
}

}  // namespace pipeline
