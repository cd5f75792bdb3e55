#pragma once

#include <cmath>
#include <string>

#include "calo/model/model_folder.h"
#include "core/philox.h"

namespace test {

/// A model with random weights of the size of a trained model's: cells have from 1e-6 to a few per cent of
/// the incident energy. It includes the encoder, so that it can be written as a folder.
inline calo::ModelFolder random_model(const calo::ModelDescription& description,
                                      const calo::Transform& transform, std::uint64_t seed = 1) {
  calo::ModelFolder model{.description = description, .transform = transform};
  core::Philox random(seed, 0);
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, float mean,
                       float deviation) {
    std::size_t count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
    calo::WeightTensor tensor{.shape = std::move(shape), .values = std::vector<float>(count)};
    for (float& value : tensor.values) value = mean + deviation * random.normal();
    model.weights[name] = std::move(tensor);
  };
  const auto dense = [&](const std::string& name, std::int64_t in, std::int64_t out, float bias_mean = 0,
                         float bias_deviation = 0.2f) {
    add(name + ".weight", {out, in}, 0, 1.5f / std::sqrt(static_cast<float>(in)));
    add(name + ".bias", {out}, bias_mean, bias_deviation);
  };
  const auto norm = [&](const std::string& name, std::int64_t size) {
    if (!description.batch_norm) return;
    for (const char* part : {"weight", "bias", "running_mean"})
      add(name + ".norm." + part, {size}, 0.5f, 0.3f);
    add(name + ".norm.running_var", {size}, 0, 0.5f);
    for (float& value : model.weights[name + ".norm.running_var"].values) value = std::abs(value);
  };
  const auto& dims = description.intermediate_dims;
  std::int64_t previous = transform.mesh.num_cells() + transform.condition_dim();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::string name = "encoder." + std::to_string(i);
    dense(name, previous, dims[i]);
    norm(name, dims[i]);
    previous = dims[i];
  }
  dense("encoder.mean", previous, description.latent_dim);
  dense("encoder.log_var", previous, description.latent_dim);
  previous = description.latent_dim + transform.condition_dim();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::string name = "decoder." + std::to_string(i);
    dense(name, previous, dims[dims.size() - 1 - i]);
    norm(name, dims[dims.size() - 1 - i]);
    previous = dims[dims.size() - 1 - i];
  }
  const bool logits = description.out_activation == "sigmoid" || description.out_activation == "softplus";
  dense("decoder.output", previous, transform.mesh.num_cells(), logits ? -9.0f : 0.0f, logits ? 2.0f : 0.01f);
  if (!logits)
    for (float& value : model.weights["decoder.output.weight"].values) value *= 0.01f;
  return model;
}

}  // namespace test
