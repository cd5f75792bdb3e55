#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/parameter_field.h"

namespace calo {

/// Everything that defines a model and its training. Independent of LibTorch.
///
/// The initial values are the Par04 VAE of MLFastSim (`core/model.py`, `core/constants.py`). The defaults for
/// users are different: unsaid() is a cascade, with its own optimisation.
struct ModelDescription {  // NOLINT(clang-analyzer-optin.performance.Padding): ordered by meaning
  // architecture
  /// Kind of model: vae, the variational autoencoder of Par04; cascade, the splitting cascade
  /// (doc/cascade.md).
  std::string architecture = "vae";
  // options of the cascade
  std::int64_t cascade_width = 128;  ///< size of the hidden layers of each network
  std::int64_t cascade_depth = 2;    ///< hidden layers of each network
  /// Mirrors and rotates by half a turn each training shower, again in each epoch. Only for showers at 90
  /// degrees: others are used as they are.
  bool mirror_phi = true;
  // options of the variational autoencoder, down to rotate_phi
  std::vector<std::int64_t> intermediate_dims = {
      100, 50, 20, 14};  ///< hidden layers of the encoder; the decoder has them in reverse order
  std::int64_t latent_dim = 10;
  std::string activation = "leaky_relu";  ///< leaky_relu | relu | elu | selu | gelu | tanh | sigmoid
  double activation_slope = 0.3;          ///< slope of leaky_relu (Keras before 3: 0.3), alpha of elu
  std::string out_activation =
      "sigmoid";  ///< sigmoid (with cross-entropy) | relu | softplus | linear (with squared error)
  bool batch_norm = true;
  double batch_norm_momentum = 0.99;  ///< share of the old running value, as in Keras
  double batch_norm_epsilon = 1e-3;
  std::string kernel_initializer =
      "random_normal";  ///< random_normal | glorot_uniform | glorot_normal | he_normal | he_uniform | zeros
  std::string bias_initializer = "zeros";  ///< the same names
  /// `bias_initializer`: the initialiser of that name for the output layer too. `data_mean`: the bias whose
  /// output is the mean of the training showers, which saves the first epochs.
  std::string output_bias = "bias_initializer";
  // loss
  double w_reco = 1.0;  ///< weight of number_of_cells x cross-entropy
  double w_kl = 1.0;    ///< weight of the Kullback-Leibler term
  /// Rotates each training shower by a random number of cells in phi, again in each epoch. Physically correct
  /// only if showers are symmetric around their axis: particles at 90 degrees.
  bool rotate_phi = false;
  // optimisation
  std::string optimizer = "adam";  ///< sgd | rmsprop | adam | adamw | adagrad
  double lr = 1e-3;
  double momentum = 0.0;                 ///< sgd, rmsprop
  double weight_decay = 0.0;             ///< adamw: decoupled; others: L2
  std::string lr_schedule = "constant";  ///< constant | step | exponential | cosine
  double lr_decay = 0.1;  ///< factor of step (each lr_step_epochs) and exponential (over the whole training);
                          ///< minimum of cosine, as a share of lr
  std::int64_t lr_step_epochs = 100;
  std::int64_t lr_warmup_epochs = 0;  ///< linear from 0
  /// Decay of the exponential average of the weights over the steps, which is evaluated and written; 0 = the
  /// weights themselves. In step t (from 1) at most (1 + t) / (10 + t), so that the first weights are soon
  /// forgotten.
  double ema = 0;
  std::int64_t batch_size = 128;
  std::int64_t epochs = 100;
  double validation_split = 0.05;
  bool early_stop = false;
  std::int64_t patience = 20;   ///< epochs; of each network by itself if their losses are independent
  double min_delta = 0.01;      ///< in units of the loss
  std::int64_t k_folds = 0;     ///< 0 or 1 = no cross-validation
  bool save_best = true;        ///< the same
  std::int64_t save_every = 0;  ///< epochs between kept checkpoints; 0 = keep none
  // adaptation of a trained model (TrainOptions::start)
  std::int64_t adapt_epochs = 5;  ///< the first epochs, which train only tables, biases and output layers
  double adapt_lr = 0.1;          ///< share of `lr` in the other epochs, which train everything

  /// Names of all architectures in alphabetical order (the same as architectures() of calo/models).
  static std::vector<std::string> known_architectures();
  /// Adds an architecture with its defaults for values that the user leaves open (see resolved()).
  static void add_architecture(const std::string& name, const ModelDescription& usual);
  /// The description if the user gives no value: a cascade, whose optimisation resolved() fills in.
  static ModelDescription unsaid();
  /// Fills in the architecture's defaults: for optimizer and lr_schedule if they are "auto", for lr,
  /// batch_size and epochs if they are 0, for weight_decay, lr_decay and ema if they are -1.
  ModelDescription resolved() const;

  /// Declares every field: help, range and choices.
  void describe(core::ParameterVisitor& v);
  /// Checks each field and the combination of fields.
  /// @throws core::UsageError with the field, its value and the allowed values
  void validate() const;
  nlohmann::json to_json() const;
  /// Missing fields come from unsaid(), and open values from resolved().
  /// @throws core::InputError on unknown fields, wrong types and values out of range
  static ModelDescription from_json(const nlohmann::json& json);
};

}  // namespace calo
