#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo ModelParameters::info() {
  return {.name = "model-parameters",
          .summary = "Checks the parameters of the model and its training and writes them as one file",
          .description =
              "Defaults are the variational autoencoder of Geant4's example Par04 (MLFastSim). The loss is "
              "`w_reco` x number of cells x binary cross-entropy + `w_kl` x Kullback-Leibler divergence.",
          .examples = {"calopipe model-parameters --epochs 200 --lr 0.001 --out description.json",
                       "calopipe model-parameters --parameters model.yaml --intermediate-dims 200,100 --out "
                       "description.json"}};
}

void ModelParameters::describe(kfp::Visitor& v) {
  model.describe(v);
  v.output("description", description,
           {.help = "The model description (JSON)", .file = "model-parameters.json"});
}

void ModelParameters::run(kfp::RunContext&) {
  model.validate();
  core::write_file(description.path, model.to_json().dump(2) + "\n");
}

}  // namespace pipeline
