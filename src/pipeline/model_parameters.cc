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
  const std::vector<std::string> initializers = {"random_normal", "glorot_uniform", "glorot_normal",
                                                 "he_normal",     "he_uniform",     "zeros"};
  v.parameter("architecture", model.architecture, {.help = "Kind of model", .choices = {"vae"}});
  v.parameter("intermediate_dims", model.intermediate_dims,
              {.help = "Sizes of the encoder's hidden layers; the decoder has them in reverse",
               .min = 1,
               .max = 65536});
  v.parameter("latent_dim", model.latent_dim, {.help = "Size of the latent", .min = 1, .max = 65536});
  v.parameter("activation", model.activation,
              {.help = "Activation of hidden layers",
               .choices = {"leaky_relu", "relu", "elu", "selu", "gelu", "tanh", "sigmoid"}});
  v.parameter("activation_slope", model.activation_slope,
              {.help = "Slope of leaky_relu below 0, alpha of elu", .min = 0, .max = 1});
  v.parameter("out_activation", model.out_activation,
              {.help = "Activation of the output, and with it the reconstruction loss: cross-entropy for "
                       "sigmoid, squared error for the others",
               .choices = {"sigmoid", "relu", "softplus", "linear"}});
  v.parameter("batch_norm", model.batch_norm, {.help = "Batch normalisation after each hidden layer"});
  v.parameter("batch_norm_momentum", model.batch_norm_momentum,
              {.help = "Share of the old running statistics kept in each step", .min = 0, .max = 1});
  v.parameter("batch_norm_epsilon", model.batch_norm_epsilon,
              {.help = "Added to the variance", .min = 0, .max = 1, .above_min = true});
  v.parameter("kernel_initializer", model.kernel_initializer,
              {.help = "Initialiser of weights", .choices = initializers});
  v.parameter("bias_initializer", model.bias_initializer,
              {.help = "Initialiser of biases", .choices = initializers});
  v.parameter("output_bias", model.output_bias,
              {.help = "First bias of the output: as the others, or such that it gives the mean shower",
               .choices = {"bias_initializer", "data_mean"}});
  v.parameter("w_reco", model.w_reco,
              {.help = "Weight of the reconstruction in the loss", .min = 0, .max = 1e9});
  v.parameter("w_kl", model.w_kl,
              {.help = "Weight of the Kullback-Leibler divergence in the loss", .min = 0, .max = 1e9});
  v.parameter("rotate_phi", model.rotate_phi,
              {.help = "Turn each training shower at random around its axis (particles at 90 degrees only)"});
  v.parameter("optimizer", model.optimizer,
              {.help = "Optimiser", .choices = {"sgd", "rmsprop", "adam", "adamw", "adagrad"}});
  v.parameter("lr", model.lr, {.help = "Learning rate", .min = 0, .max = 1000, .above_min = true});
  v.parameter("momentum", model.momentum, {.help = "Momentum of sgd and rmsprop", .min = 0, .max = 1});
  v.parameter("weight_decay", model.weight_decay,
              {.help = "Weight decay (decoupled for adamw, else L2)", .min = 0, .max = 1});
  v.parameter(
      "lr_schedule", model.lr_schedule,
      {.help = "Learning rate over the epochs", .choices = {"constant", "step", "exponential", "cosine"}});
  v.parameter(
      "lr_decay", model.lr_decay,
      {.help = "Factor of each step, of the whole exponential, or floor of the cosine", .min = 0, .max = 1});
  v.parameter("lr_step_epochs", model.lr_step_epochs, {.help = "Epochs between steps", .min = 1, .max = 1e9});
  v.parameter("lr_warmup_epochs", model.lr_warmup_epochs,
              {.help = "Epochs of linear warm-up", .min = 0, .max = 1e9});
  v.parameter("batch_size", model.batch_size, {.help = "Showers a step", .min = 2, .max = 1048576});
  v.parameter("epochs", model.epochs, {.help = "Passes over the training showers", .min = 1, .max = 1e9});
  v.parameter("validation_split", model.validation_split,
              {.help = "Share of the prepared showers that only judges the training", .min = 0, .max = 0.9});
  v.parameter("early_stop", model.early_stop,
              {.help = "Stop when the loss has not improved for `patience` epochs"});
  v.parameter("patience", model.patience,
              {.help = "Epochs without improvement before stopping", .min = 1, .max = 1e9});
  v.parameter("min_delta", model.min_delta,
              {.help = "Smallest improvement of the loss that counts", .min = 0, .max = 1e9});
  v.parameter("k_folds", model.k_folds,
              {.help = "Folds of a cross-validation before the training; 0 = none", .min = 0, .max = 1000});
  v.parameter("save_best", model.save_best,
              {.help = "Keep the weights of the best epoch rather than of the last"});
  v.parameter("save_every", model.save_every,
              {.help = "Epochs between checkpoints that are kept; 0 = none", .min = 0, .max = 1e9});
  v.output("description", description,
           {.help = "The model description (JSON)", .file = "model-parameters.json"});
}

void ModelParameters::run(kfp::RunContext&) {
  model.validate();
  core::write_file(description.path, model.to_json().dump(2) + "\n");
}

}  // namespace pipeline
