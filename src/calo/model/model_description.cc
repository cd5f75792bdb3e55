#include "calo/model/model_description.h"

#include <fmt/format.h>

#include <map>

#include "core/error.h"

namespace calo {
namespace {

constexpr const char* kAuto = "auto";
std::string with_own(const char* help, const char* value) {
  return fmt::format("{}; {} = the default of the architecture", help, value);
}

// Defaults of each architecture for values that the user leaves open. The keys are all architectures.
std::map<std::string, ModelDescription>& usual_descriptions() {
  static std::map<std::string, ModelDescription> all = {{"cascade",
                                                         {.optimizer = "adamw",
                                                          .lr = 3e-3,
                                                          .weight_decay = 1e-3,
                                                          .lr_schedule = "cosine",
                                                          .lr_decay = 0.01,
                                                          .ema = 0.999,
                                                          .batch_size = 16,
                                                          .epochs = 40}},
                                                        {"vae", {}}};
  return all;
}

}  // namespace

std::vector<std::string> ModelDescription::known_architectures() {
  std::vector<std::string> names;
  for (const auto& [name, usual] : usual_descriptions()) names.push_back(name);
  return names;
}

void ModelDescription::add_architecture(const std::string& name, const ModelDescription& usual) {
  usual_descriptions().insert_or_assign(name, usual);
}

ModelDescription ModelDescription::unsaid() {
  return {.architecture = "cascade",
          .optimizer = kAuto,
          .lr = 0,
          .weight_decay = -1,
          .lr_schedule = kAuto,
          .lr_decay = -1,
          .ema = -1,
          .batch_size = 0,
          .epochs = 0};
}

ModelDescription ModelDescription::resolved() const {
  const auto found = usual_descriptions().find(architecture);
  if (found == usual_descriptions().end()) return *this;  // validate() rejects it
  const ModelDescription& usual = found->second;
  ModelDescription result = *this;
  if (optimizer == kAuto) result.optimizer = usual.optimizer;
  if (lr == 0) result.lr = usual.lr;
  if (weight_decay == -1) result.weight_decay = usual.weight_decay;
  if (lr_schedule == kAuto) result.lr_schedule = usual.lr_schedule;
  if (lr_decay == -1) result.lr_decay = usual.lr_decay;
  if (ema == -1) result.ema = usual.ema;
  if (batch_size == 0) result.batch_size = usual.batch_size;
  if (epochs == 0) result.epochs = usual.epochs;
  return result;
}

void ModelDescription::describe(core::ParameterVisitor& v) {
  const std::vector<std::string> initializers = {"random_normal", "glorot_uniform", "glorot_normal",
                                                 "he_normal",     "he_uniform",     "zeros"};
  v.parameter("architecture", architecture,
              {.help = "Kind of model: the splitting cascade, or the variational autoencoder of Par04",
               .choices = known_architectures()});
  v.parameter("cascade_width", cascade_width,
              {.help = "Size of the hidden layers of a cascade's networks", .min = 8, .max = 4096});
  v.parameter("cascade_depth", cascade_depth,
              {.help = "Hidden layers of a cascade's networks", .min = 1, .max = 16});
  v.parameter("mirror_phi", mirror_phi,
              {.help = "Mirror and rotate each training shower of a cascade at random (at 90 degrees)"});
  v.parameter("intermediate_dims", intermediate_dims,
              {.help = "Sizes of the encoder's hidden layers; the decoder has them in reverse order",
               .min = 1,
               .max = 65536});
  v.parameter("latent_dim", latent_dim, {.help = "Size of the latent", .min = 1, .max = 65536});
  v.parameter("activation", activation,
              {.help = "Activation of hidden layers",
               .choices = {"leaky_relu", "relu", "elu", "selu", "gelu", "tanh", "sigmoid"}});
  v.parameter("activation_slope", activation_slope,
              {.help = "Slope of leaky_relu below 0, alpha of elu", .min = 0, .max = 1});
  v.parameter("out_activation", out_activation,
              {.help = "Activation of the output, and with it the reconstruction loss: cross-entropy for "
                       "sigmoid, squared error for the others",
               .choices = {"sigmoid", "relu", "softplus", "linear"}});
  v.parameter("batch_norm", batch_norm, {.help = "Batch normalisation after each hidden layer"});
  v.parameter("batch_norm_momentum", batch_norm_momentum,
              {.help = "Share of the old running statistics kept in each step", .min = 0, .max = 1});
  v.parameter("batch_norm_epsilon", batch_norm_epsilon,
              {.help = "Added to the variance", .min = 0, .max = 1, .above_min = true});
  v.parameter("kernel_initializer", kernel_initializer,
              {.help = "Initialiser of weights", .choices = initializers});
  v.parameter("bias_initializer", bias_initializer,
              {.help = "Initialiser of biases", .choices = initializers});
  v.parameter("output_bias", output_bias,
              {.help = "Initial bias of the output: like the others, or such that it gives the mean shower",
               .choices = {"bias_initializer", "data_mean"}});
  v.parameter("w_reco", w_reco, {.help = "Weight of the reconstruction in the loss", .min = 0, .max = 1e9});
  v.parameter("w_kl", w_kl,
              {.help = "Weight of the Kullback-Leibler divergence in the loss", .min = 0, .max = 1e9});
  v.parameter(
      "rotate_phi", rotate_phi,
      {.help = "Rotate each training shower at random around its axis (particles at 90 degrees only)"});
  v.parameter("optimizer", optimizer,
              {.help = with_own("Optimiser", kAuto),
               .choices = {kAuto, "sgd", "rmsprop", "adam", "adamw", "adagrad"}});
  v.parameter("lr", lr, {.help = with_own("Learning rate", "0"), .min = 0, .max = 1000});
  v.parameter("momentum", momentum, {.help = "Momentum of sgd and rmsprop", .min = 0, .max = 1});
  v.parameter("weight_decay", weight_decay,
              {.help = with_own("Weight decay (decoupled for adamw, else L2)", "-1"), .min = -1, .max = 1});
  v.parameter("lr_schedule", lr_schedule,
              {.help = with_own("Learning rate over the epochs", kAuto),
               .choices = {kAuto, "constant", "step", "exponential", "cosine"}});
  v.parameter(
      "lr_decay", lr_decay,
      {.help = with_own("Factor of each step, of the whole exponential, or minimum of the cosine", "-1"),
       .min = -1,
       .max = 1});
  v.parameter("lr_step_epochs", lr_step_epochs, {.help = "Epochs between steps", .min = 1, .max = 1e9});
  v.parameter("lr_warmup_epochs", lr_warmup_epochs,
              {.help = "Epochs of linear warm-up", .min = 0, .max = 1e9});
  v.parameter("ema", ema,
              {.help = with_own("Decay of the average of the weights over the steps, which is evaluated and "
                                "written (0.999); 0 = no average",
                                "-1"),
               .min = -1,
               .max = 1,
               .below_max = true});
  v.parameter("batch_size", batch_size,
              {.help = with_own("Showers in one step", "0"), .min = 0, .max = 1048576});
  v.parameter("epochs", epochs,
              {.help = with_own("Passes over the training showers", "0"), .min = 0, .max = 1e9});
  v.parameter("validation_split", validation_split,
              {.help = "Share of the prepared showers that is used only to evaluate the training",
               .min = 0,
               .max = 0.9});
  v.parameter("early_stop", early_stop,
              {.help = "Stop when the loss has not improved for `patience` epochs; each network of a cascade "
                       "stops by itself"});
  v.parameter("patience", patience,
              {.help = "Epochs without improvement before stopping", .min = 1, .max = 1e9});
  v.parameter("min_delta", min_delta,
              {.help = "Smallest improvement of the loss that counts", .min = 0, .max = 1e9});
  v.parameter("k_folds", k_folds,
              {.help = "Folds of a cross-validation before the training; 0 = none", .min = 0, .max = 1000});
  v.parameter(
      "save_best", save_best,
      {.help = "Keep the weights of the best epoch instead of the last, for each network of a cascade "
               "those of its own best epoch"});
  v.parameter("save_every", save_every,
              {.help = "Epochs between checkpoints that are kept; 0 = keep none", .min = 0, .max = 1e9});
  v.parameter("adapt_epochs", adapt_epochs,
              {.help = "With `train --from`: the first epochs, in which only the tables, biases and output "
                       "layers of a cascade are trained",
               .min = 0,
               .max = 1e9});
  v.parameter("adapt_lr", adapt_lr,
              {.help = "With `train --from`: share of the learning rate in the other epochs, in which "
                       "everything is trained",
               .min = 0,
               .max = 1,
               .above_min = true});
}

void ModelDescription::validate() const {
  ModelDescription copy = *this;  // a check has pointers that allow changes
  core::check(core::parameters_of(copy));
  if (intermediate_dims.empty() || intermediate_dims.size() > 16)
    throw core::UsageError({.message = "needs 1 to 16 layers", .field = "intermediate_dims"});
  // Between the allowed range and the value for the architecture's default.
  for (const auto& [field, value] :
       {std::pair{"weight_decay", weight_decay}, std::pair{"lr_decay", lr_decay}, std::pair{"ema", ema}})
    if (value < 0 && value != -1)
      throw core::UsageError({.message = fmt::format("cannot be {}", value),
                              .field = field,
                              .hint = "0 to 1, or -1 for the default of the architecture"});
  if (batch_size == 1)
    throw core::UsageError(
        {.message = "cannot be 1: a step needs at least two showers", .field = "batch_size"});
  if (lr_schedule == "exponential" && lr_decay == 0)
    throw core::UsageError({.message = "cannot be 0 with the exponential schedule", .field = "lr_decay"});
  if (k_folds == 1)
    throw core::UsageError({.message = "must be at least 2, or 0 for none", .field = "k_folds"});
}

nlohmann::json ModelDescription::to_json() const {
  ModelDescription copy = *this;
  return core::to_json(core::parameters_of(copy));
}

ModelDescription ModelDescription::from_json(const nlohmann::json& object) {
  ModelDescription description = unsaid();
  core::set_from_json(core::parameters_of(description), object, "a model description");
  return description.resolved();
}

}  // namespace calo
