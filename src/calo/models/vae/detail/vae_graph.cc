#include "calo/models/vae/detail/vae_graph.h"

#include <fmt/format.h>

#include <cmath>

#include "calo/onnx/contract_graph.h"
#include "core/error.h"

namespace calo {
namespace {

// A dense layer, `[out, in]`, that includes all linear operations around it.
struct Dense {
  std::int64_t in = 0, out = 0;
  std::vector<float> weight, bias;
};

// Linear operation between two layers: y = scale * x + shift, for each element.
struct Affine {
  std::vector<double> scale, shift;
};

const std::vector<float>& values_of(const ModelFolder& model, const std::string& name) {
  const auto found = model.weights.find(name);
  if (found == model.weights.end())
    throw core::InputError({.message = "is missing from the model", .field = name});
  return found->second.values;
}

void check_size(const std::string& name, const std::vector<float>& weight, std::size_t size) {
  if (weight.size() != size)
    throw core::InputError(
        {.message = "does not have the shape that the description requires", .field = name + ".weight"});
}

// Computed in double precision and rounded once.
Dense folded(const ModelFolder& model, const std::string& name, const Affine& before, bool negate) {
  const std::vector<float>& weight = values_of(model, name + ".weight");
  const std::vector<float>& bias = values_of(model, name + ".bias");
  const std::size_t in = before.scale.size(), out = bias.size();
  check_size(name, weight, in * out);
  Dense dense{.in = static_cast<std::int64_t>(in), .out = static_cast<std::int64_t>(out)};
  dense.weight.resize(in * out);
  dense.bias.resize(out);
  const double sign = negate ? -1 : 1;
  for (std::size_t o = 0; o < out; ++o) {
    double sum = bias[o];
    for (std::size_t i = 0; i < in; ++i) {
      sum += weight[o * in + i] * before.shift[i];
      dense.weight[o * in + i] = static_cast<float>(sign * weight[o * in + i] * before.scale[i]);
    }
    dense.bias[o] = static_cast<float>(sign * sum);
  }
  return dense;
}

// The first layer, with the contract's condition vector as input instead of the model's.
Dense first_layer(const ModelFolder& model, const ContractMapping& mapping) {
  const auto latent = static_cast<std::size_t>(model.description.latent_dim);
  const std::size_t model_in = latent + static_cast<std::size_t>(model.transform.condition_dim());
  const std::size_t in = latent + mapping.columns.size();
  const std::vector<float>& weight = values_of(model, "decoder.0.weight");
  Dense dense{.in = static_cast<std::int64_t>(in), .bias = values_of(model, "decoder.0.bias")};
  const std::size_t out = dense.bias.size();
  check_size("decoder.0", weight, model_in * out);
  dense.out = static_cast<std::int64_t>(out);
  dense.weight.assign(in * out, 0.0f);
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < latent; ++i) dense.weight[o * in + i] = weight[o * model_in + i];
    for (std::size_t c = 0; c < mapping.columns.size(); ++c) {
      const ConditionColumn& column = mapping.columns[c];
      if (column.model_column < 0) continue;
      dense.weight[o * in + latent + c] = static_cast<float>(
          column.factor * weight[o * model_in + latent + static_cast<std::size_t>(column.model_column)]);
    }
  }
  return dense;
}

// Normalisation with its running statistics, after the activation.
Affine normalization(const ModelFolder& model, const std::string& name, std::size_t size) {
  Affine affine{.scale = std::vector<double>(size, 1.0), .shift = std::vector<double>(size, 0.0)};
  if (!model.description.batch_norm) return affine;
  const auto& gamma = values_of(model, name + ".norm.weight");
  const auto& beta = values_of(model, name + ".norm.bias");
  const auto& mean = values_of(model, name + ".norm.running_mean");
  const auto& variance = values_of(model, name + ".norm.running_var");
  for (std::size_t i = 0; i < size; ++i) {
    affine.scale[i] = gamma[i] / std::sqrt(variance[i] + model.description.batch_norm_epsilon);
    affine.shift[i] = beta[i] - mean[i] * affine.scale[i];
  }
  return affine;
}

class VaeGraph {
 public:
  VaeGraph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping)
      : graph_(graph),
        model_(model),
        mapping_(mapping),
        batch_(mapping.contract == Contract::kPlain ? -1 : 1),
        cells_(model.transform.mesh.num_cells()),
        latent_(model.description.latent_dim) {}

  void build() {
    std::string x = dense(input(), "decoder_0", first_layer(model_, mapping_));
    const std::size_t layers = model_.description.intermediate_dims.size();
    const bool sigmoid = model_.description.out_activation == "sigmoid";
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string name = fmt::format("decoder.{}", i);
      const Affine norm = normalization(model_, name, values_of(model_, name + ".bias").size());
      x = activate(x, fmt::format("decoder_{}", i));
      x = i + 1 < layers ? dense(x, fmt::format("decoder_{}", i + 1),
                                 folded(model_, fmt::format("decoder.{}", i + 1), norm, false))
                         : dense(x, "decoder_output", folded(model_, "decoder.output", norm, sigmoid));
    }
    output(x);
    graph_.metadata("calopipe.activation", model_.description.activation);
    graph_.metadata("calopipe.out_activation", model_.description.out_activation);
  }

 private:
  GraphBuilder::Shape rows(std::int64_t columns) const { return {batch_, columns}; }

  // Joins noise and conditions; stores the factor that turns fractions into energies.
  std::string input() {
    const auto conditions = static_cast<std::int64_t>(mapping_.columns.size());
    switch (mapping_.contract) {
      case Contract::kPar04Vae:
        return graph_.input("input", rows(latent_ + conditions));
      case Contract::kPar04CaloDit: {
        graph_.input("input", rows(conditions));
        // Without a seed, the noise differs in each run of the program.
        graph_.node("RandomNormal", {}, kLatentName,
                    {{"shape", GraphBuilder::Shape{1, latent_}}, {"dtype", std::int64_t{1}}});
        graph_.integers("energy_begin", {0});
        graph_.integers("energy_end", {1});
        graph_.integers("energy_axis", {1});
        scale_ = graph_.node("Slice", {"input", "energy_begin", "energy_end", "energy_axis"}, "energy_gev");
        return graph_.node("Concat", {kLatentName, "input"}, "decoder_input", {{"axis", std::int64_t{1}}});
      }
      case Contract::kPlain:
        break;
    }
    graph_.input(kLatentName, rows(latent_));
    scale_ = graph_.input("energy_mev", rows(1));
    graph_.input("theta_rad", rows(1));
    graph_.input("geometry", rows(conditions - 2));
    return graph_.node("Concat", {kLatentName, "energy_mev", "theta_rad", "geometry"}, "decoder_input",
                       {{"axis", std::int64_t{1}}});
  }

  std::string dense(const std::string& x, const std::string& name, const Dense& layer) {
    graph_.floats(name + "_weight", {layer.out, layer.in}, layer.weight);
    graph_.floats(name + "_bias", {layer.out}, layer.bias);
    return graph_.node("Gemm", {x, name + "_weight", name + "_bias"}, name + "_dense",
                       {{"transB", std::int64_t{1}}});
  }

  std::string constant(const std::string& name, double value) {
    return graph_.floats(name, {}, {static_cast<float>(value)});
  }

  std::string activate(const std::string& x, const std::string& prefix) {
    const std::string& name = model_.description.activation;
    const auto slope = static_cast<float>(model_.description.activation_slope);
    const std::string y = prefix + "_active";
    if (name == "leaky_relu") return graph_.node("LeakyRelu", {x}, y, {{"alpha", slope}});
    if (name == "relu") return graph_.node("Relu", {x}, y);
    if (name == "elu") return graph_.node("Elu", {x}, y, {{"alpha", slope}});
    if (name == "selu")
      return graph_.node("Selu", {x}, y, {{"alpha", 1.6732632423543772f}, {"gamma", 1.0507009873554805f}});
    if (name == "tanh") return graph_.node("Tanh", {x}, y);
    if (name == "sigmoid") return graph_.node("Sigmoid", {x}, y);
    if (name != "gelu")
      throw core::InputError({.message = fmt::format("the converter does not support \"{}\"", name),
                              .field = "description.activation"});
    // x / 2 * (1 + erf(x / sqrt(2))), because the operator Gelu needs opset 20.
    if (!gelu_constants_) {
      constant("inverse_sqrt_two", std::sqrt(0.5));
      constant("half", 0.5);
      constant("unit", 1);
      gelu_constants_ = true;
    }
    graph_.node("Mul", {x, "inverse_sqrt_two"}, prefix + "_scaled");
    graph_.node("Erf", {prefix + "_scaled"}, prefix + "_erf");
    graph_.node("Add", {prefix + "_erf", "unit"}, prefix + "_gate");
    graph_.node("Mul", {x, "half"}, prefix + "_half");
    return graph_.node("Mul", {prefix + "_half", prefix + "_gate"}, y);
  }

  // From the last layer to the output of the contract.
  void output(const std::string& z) {
    const bool plain = mapping_.contract == Contract::kPlain;
    const std::string name = plain ? "energies_mev" : scale_.empty() ? "energy_fractions" : "energies_gev";
    const std::string flat = plain ? "flat_energies_mev" : name;
    const std::string& kind = model_.description.out_activation;
    if (kind == "sigmoid") {  // z has the sign that exp needs
      constant("one", 1);
      graph_.node("Exp", {z}, "output_exp");
      graph_.node("Add", {"output_exp", "one"}, "output_denominator");
      if (scale_.empty())
        graph_.node("Reciprocal", {"output_denominator"}, flat);
      else
        graph_.node("Div", {scale_, "output_denominator"}, flat);
    } else if (kind == "relu" || kind == "linear" || kind == "softplus") {
      const std::string op = kind == "softplus" ? "Softplus" : "Relu";
      const std::string fractions = graph_.node(op, {z}, scale_.empty() ? flat : "energy_fractions");
      if (!scale_.empty()) graph_.node("Mul", {fractions, scale_}, flat);
    } else {
      throw core::InputError({.message = fmt::format("the converter does not support \"{}\"", kind),
                              .field = "description.out_activation"});
    }
    if (!plain) return graph_.output(name, rows(cells_));
    const VoxelMesh& mesh = model_.transform.mesh;
    GraphBuilder::Shape shape = {-1, cells_};
    if (mesh.is_cylinder()) shape = {-1, mesh.cylinder().n_r, mesh.cylinder().n_phi, mesh.cylinder().n_z};
    GraphBuilder::Shape target = shape;
    target[0] = 0;  // Reshape keeps the first extent
    graph_.integers("cells_shape", target);
    graph_.node("Reshape", {flat, "cells_shape"}, name);
    graph_.output(name, shape);
  }

  GraphBuilder& graph_;
  const ModelFolder& model_;
  const ContractMapping& mapping_;
  std::int64_t batch_;
  std::int64_t cells_;
  std::int64_t latent_;
  std::string scale_;  // name of the incident energy, if the graph multiplies by it
  bool gelu_constants_ = false;
};

}  // namespace

void vae_graph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping) {
  VaeGraph(graph, model, mapping).build();
}

}  // namespace calo
