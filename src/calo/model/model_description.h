#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/parameter_field.h"

namespace calo {

/// Everything that defines a model and its training. Knows nothing of LibTorch.
///
/// Initialisers are the Par04 VAE of MLFastSim (`core/model.py`, `core/constants.py`). What users leave open
/// is another matter: unsaid() is a cascade, whose optimisation is what suits it.
struct ModelDescription {  // NOLINT(clang-analyzer-optin.performance.Padding): ordered by meaning
  // architecture
  /// Kind of model: vae, the variational autoencoder of Par04; cascade, the splitting cascade
  /// (doc/cascade.md).
  std::string architecture = "vae";
  // of the cascade
  std::int64_t cascade_width = 128;  ///< size of the hidden layers of each network
  std::int64_t cascade_depth = 2;    ///< hidden layers of each network
  /// Mirrors and half-turns of each training shower, anew in each epoch. Showers at 90 degrees only: others
  /// are taken as they are.
  bool mirror_phi = true;
  // of the variational autoencoder, down to rotate_phi
  std::vector<std::int64_t> intermediate_dims = {100, 50, 20,
                                                 14};  ///< encoder's hidden layers; the decoder's reversed
  std::int64_t latent_dim = 10;
  std::string activation = "leaky_relu";  ///< leaky_relu | relu | elu | selu | gelu | tanh | sigmoid
  double activation_slope = 0.3;          ///< of leaky_relu (Keras before 3: 0.3), alpha of elu
  std::string out_activation =
      "sigmoid";  ///< sigmoid (with cross-entropy) | relu | softplus | linear (with squared error)
  bool batch_norm = true;
  double batch_norm_momentum = 0.99;  ///< Keras' sense: share of the old running value
  double batch_norm_epsilon = 1e-3;
  std::string kernel_initializer =
      "random_normal";  ///< random_normal | glorot_uniform | glorot_normal | he_normal | he_uniform | zeros
  std::string bias_initializer = "zeros";  ///< the same names
  /// zeros-like `bias_initializer` for the output layer too, or `data_mean`: the bias whose output is the
  /// mean of the training showers, which saves the first epochs.
  std::string output_bias = "bias_initializer";
  // loss
  double w_reco = 1.0;  ///< weight of number_of_cells x cross-entropy
  double w_kl = 1.0;    ///< weight of the Kullback-Leibler term
  /// Turns each training shower by a random number of cells in phi, anew in each epoch. True to physics only
  /// where showers are symmetric around their axis: particles at 90 degrees.
  bool rotate_phi = false;
  // optimisation
  std::string optimizer = "adam";  ///< sgd | rmsprop | adam | adamw | adagrad
  double lr = 1e-3;
  double momentum = 0.0;                 ///< sgd, rmsprop
  double weight_decay = 0.0;             ///< adamw: decoupled; others: L2
  std::string lr_schedule = "constant";  ///< constant | step | exponential | cosine
  double lr_decay = 0.1;  ///< factor of step (each lr_step_epochs) and exponential (over the whole training);
                          ///< floor of cosine, as a share of lr
  std::int64_t lr_step_epochs = 100;
  std::int64_t lr_warmup_epochs = 0;  ///< linear from 0
  std::int64_t batch_size = 128;
  std::int64_t epochs = 100;
  double validation_split = 0.05;
  bool early_stop = false;
  std::int64_t patience = 20;  ///< epochs
  double min_delta = 0.01;     ///< in units of the loss
  std::int64_t k_folds = 0;    ///< 0 or 1 = no cross-validation
  bool save_best = true;
  std::int64_t save_every = 0;  ///< epochs between kept checkpoints; 0 = none kept

  /// Names of all architectures, in alphabetical order (architectures() of calo/models has the same).
  static std::vector<std::string> known_architectures();
  /// Adds an architecture with what is usual for it where the user says nothing (see resolved()).
  static void add_architecture(const std::string& name, const ModelDescription& usual);
  /// What nobody has said anything of: a cascade, and of the optimisation what resolved() fills in.
  static ModelDescription unsaid();
  /// With what is usual for the architecture where optimizer or lr_schedule is "auto", lr, batch_size or
  /// epochs is 0, or weight_decay or lr_decay is -1.
  ModelDescription resolved() const;

  /// Declares every field: help, range and choices.
  void describe(core::ParameterVisitor& v);
  /// Checks each field, and what they ask for together.
  /// @throws core::UsageError naming the field, its value and what is allowed
  void validate() const;
  nlohmann::json to_json() const;
  /// Missing fields are those of unsaid(), and what is open is resolved().
  /// @throws core::InputError on unknown fields, wrong types and values out of range
  static ModelDescription from_json(const nlohmann::json& json);
};

}  // namespace calo
