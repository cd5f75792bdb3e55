#include "calo/model/model_description.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace calo {
namespace {

using nlohmann::json;

// One list of the fields for reading and writing.
template <class Description, class Visit>
void visit_fields(Description& d, const Visit& visit) {
  visit("architecture", d.architecture);
  visit("intermediate_dims", d.intermediate_dims);
  visit("latent_dim", d.latent_dim);
  visit("activation", d.activation);
  visit("activation_slope", d.activation_slope);
  visit("out_activation", d.out_activation);
  visit("batch_norm", d.batch_norm);
  visit("batch_norm_momentum", d.batch_norm_momentum);
  visit("batch_norm_epsilon", d.batch_norm_epsilon);
  visit("kernel_initializer", d.kernel_initializer);
  visit("bias_initializer", d.bias_initializer);
  visit("output_bias", d.output_bias);
  visit("w_reco", d.w_reco);
  visit("w_kl", d.w_kl);
  visit("rotate_phi", d.rotate_phi);
  visit("optimizer", d.optimizer);
  visit("lr", d.lr);
  visit("momentum", d.momentum);
  visit("weight_decay", d.weight_decay);
  visit("lr_schedule", d.lr_schedule);
  visit("lr_decay", d.lr_decay);
  visit("lr_step_epochs", d.lr_step_epochs);
  visit("lr_warmup_epochs", d.lr_warmup_epochs);
  visit("batch_size", d.batch_size);
  visit("epochs", d.epochs);
  visit("validation_split", d.validation_split);
  visit("early_stop", d.early_stop);
  visit("patience", d.patience);
  visit("min_delta", d.min_delta);
  visit("k_folds", d.k_folds);
  visit("save_best", d.save_best);
  visit("save_every", d.save_every);
}

void one_of(const char* field, const std::string& value, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
    throw core::UsageError({.message = fmt::format("cannot be \"{}\"", value),
                            .field = field,
                            .hint = fmt::format("allowed: {}", fmt::join(allowed, ", "))});
}

void within(const char* field, double value, double low, double high, bool open_low = false) {
  if (!(value >= low && value <= high) || (open_low && value == low))
    throw core::UsageError(
        {.message = fmt::format("cannot be {}", value),
         .field = field,
         .hint = fmt::format("allowed: {} {} to {}", open_low ? "above" : "from", low, high)});
}

}  // namespace

void ModelDescription::validate() const {
  constexpr double kLarge = 1e9;
  const std::vector<std::string> initializers = {"random_normal", "glorot_uniform", "glorot_normal",
                                                 "he_normal",     "he_uniform",     "zeros"};
  one_of("architecture", architecture, {"vae"});
  if (intermediate_dims.empty() || intermediate_dims.size() > 16)
    throw core::UsageError({.message = "needs 1 to 16 layers", .field = "intermediate_dims"});
  for (const std::int64_t size : intermediate_dims)
    within("intermediate_dims", static_cast<double>(size), 1, 65536);
  within("latent_dim", static_cast<double>(latent_dim), 1, 65536);
  one_of("activation", activation, {"leaky_relu", "relu", "elu", "selu", "gelu", "tanh", "sigmoid"});
  within("activation_slope", activation_slope, 0, 1);
  one_of("out_activation", out_activation, {"sigmoid", "relu", "softplus", "linear"});
  within("batch_norm_momentum", batch_norm_momentum, 0, 1);
  within("batch_norm_epsilon", batch_norm_epsilon, 0, 1, true);
  one_of("kernel_initializer", kernel_initializer, initializers);
  one_of("bias_initializer", bias_initializer, initializers);
  one_of("output_bias", output_bias, {"bias_initializer", "data_mean"});
  within("w_reco", w_reco, 0, kLarge);
  within("w_kl", w_kl, 0, kLarge);
  one_of("optimizer", optimizer, {"sgd", "rmsprop", "adam", "adamw", "adagrad"});
  within("lr", lr, 0, 1e3, true);
  within("momentum", momentum, 0, 1);
  within("weight_decay", weight_decay, 0, 1);
  one_of("lr_schedule", lr_schedule, {"constant", "step", "exponential", "cosine"});
  within("lr_decay", lr_decay, 0, 1, lr_schedule == "exponential");
  within("lr_step_epochs", static_cast<double>(lr_step_epochs), 1, kLarge);
  within("lr_warmup_epochs", static_cast<double>(lr_warmup_epochs), 0, kLarge);
  within("batch_size", static_cast<double>(batch_size), 2, 1 << 20);
  within("epochs", static_cast<double>(epochs), 1, kLarge);
  within("validation_split", validation_split, 0, 0.9);
  within("patience", static_cast<double>(patience), 1, kLarge);
  within("min_delta", min_delta, 0, kLarge);
  within("k_folds", static_cast<double>(k_folds), 0, 1000);
  if (k_folds == 1)
    throw core::UsageError({.message = "needs 2 folds at least, or 0 for none", .field = "k_folds"});
  within("save_every", static_cast<double>(save_every), 0, kLarge);
}

json ModelDescription::to_json() const {
  json object;
  visit_fields(*this, [&](const char* name, const auto& value) { object[name] = value; });
  return object;
}

ModelDescription ModelDescription::from_json(const json& object) {
  if (!object.is_object()) throw core::InputError({.message = "is no model description (a JSON object)"});
  ModelDescription description;
  std::size_t known = 0;
  visit_fields(description, [&](const char* name, auto& value) {
    if (!object.contains(name)) return;
    ++known;
    try {
      object.at(name).get_to(value);
    } catch (const json::exception&) {
      throw core::InputError(
          {.message = fmt::format("is of the wrong type: {}", object.at(name).dump()), .field = name});
    }
  });
  if (known != object.size()) {
    const json names = ModelDescription().to_json();
    for (const auto& [name, value] : object.items())
      if (!names.contains(name))
        throw core::InputError({.message = "is no field of a model description", .field = name});
  }
  return description;
}

}  // namespace calo
