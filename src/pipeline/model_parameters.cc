#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo ModelParameters::info() {
  return {.name = "model-parameters",
          .summary = "Checks the parameters of the model and its training and writes them as one file",
          .description =
              "The default is a splitting cascade (`doc/cascade.md`), whose loss is the negative logarithm "
              "of its likelihood. `--architecture vae` is the variational autoencoder of Geant4's example "
              "Par04 (MLFastSim); its loss is `w_reco` x number of cells x binary cross-entropy + `w_kl` x "
              "Kullback-Leibler divergence. Parameters of the optimisation that are not given get the "
              "values that suit the architecture, as the file says.",
          .examples = {"calopipe model-parameters --epochs 60 --out description.json",
                       "calopipe model-parameters --architecture vae --intermediate-dims 200,100 --out "
                       "description.json"}};
}

void ModelParameters::describe(kfp::Visitor& v) {
  model.describe(v);
  v.output("description", description,
           {.help = "The model description (JSON)", .file = "model-parameters.json"});
}

void ModelParameters::run(kfp::RunContext&) {
  model.validate();
  model = model.resolved();
  core::write_file(description.path, model.to_json().dump(2) + "\n");
}

}  // namespace pipeline
