#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/philox.h"

namespace test {

/// Writes ONNX field by field, so that tests can also write invalid files.
class OnnxWriter {
 public:
  static std::string varint(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
    return out;
  }
  static std::string integer(int field, std::int64_t value) {
    return varint(static_cast<std::uint64_t>(field) << 3) + varint(static_cast<std::uint64_t>(value));
  }
  static std::string real(int field, float value) {
    std::string out = varint(static_cast<std::uint64_t>(field) << 3 | 5);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
    return out;
  }
  static std::string bytes(int field, const std::string& content) {
    return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(content.size()) + content;
  }

  static std::string int_attribute(const std::string& name, std::int64_t value) {
    return bytes(1, name) + integer(3, value) + integer(20, 2);
  }
  static std::string float_attribute(const std::string& name, float value) {
    return bytes(1, name) + real(2, value) + integer(20, 1);
  }
  static std::string ints_attribute(const std::string& name, const std::vector<std::int64_t>& values) {
    std::string out = bytes(1, name);
    for (const std::int64_t value : values) out += integer(8, value);
    return out + integer(20, 7);
  }

  static std::string graph_attribute(const std::string& name, const std::string& graph) {
    return bytes(1, name) + bytes(6, graph) + integer(20, 5);
  }

  static std::string tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                            const std::vector<float>& values) {
    std::string out = dims(shape) + integer(2, 1) + bytes(8, name), raw(values.size() * 4, '\0');
    if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
    return out + bytes(9, raw);
  }
  static std::string tensor(const std::string& name, const std::vector<std::int64_t>& values) {
    std::string out = dims({static_cast<std::int64_t>(values.size())}) + integer(2, 7) + bytes(8, name);
    for (const std::int64_t value : values) out += integer(7, value);
    return out;
  }
  /// Value with a shape; negative extents are left open.
  static std::string value(const std::string& name, const std::vector<std::int64_t>& shape, int type = 1) {
    std::string dimensions;
    for (const std::int64_t extent : shape)
      dimensions += bytes(1, extent < 0 ? bytes(2, "N") : integer(1, extent));
    return bytes(1, name) + bytes(2, bytes(1, integer(1, type) + bytes(2, dimensions)));
  }

  OnnxWriter& initializer(const std::string& tensor_bytes) { return add(5, tensor_bytes); }
  OnnxWriter& input(const std::string& value_bytes) { return add(11, value_bytes); }
  OnnxWriter& output(const std::string& value_bytes) { return add(12, value_bytes); }
  OnnxWriter& node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs, const std::vector<std::string>& attributes = {}) {
    std::string out;
    for (const std::string& name : inputs) out += bytes(1, name);
    for (const std::string& name : outputs) out += bytes(2, name);
    out += bytes(3, "node_" + (outputs.empty() ? op : outputs[0])) + bytes(4, op);
    for (const std::string& attribute : attributes) out += bytes(5, attribute);
    return add(1, out);
  }
  OnnxWriter& metadata(const std::string& key, const std::string& text) {
    after_ += bytes(14, bytes(1, key) + bytes(2, text));
    return *this;
  }
  OnnxWriter& add(int graph_field, const std::string& content) {
    graph_ += bytes(graph_field, content);
    return *this;
  }

  std::string model(int opset = 13) const {
    return integer(1, 7) + bytes(7, graph()) + bytes(8, integer(2, opset)) + after_;
  }
  /// The graph as the value of a graph_attribute().
  std::string graph() const { return graph_ + bytes(2, "graph"); }

 private:
  static std::string dims(const std::vector<std::int64_t>& shape) {
    std::string out;
    for (const std::int64_t extent : shape) out += integer(1, extent);
    return out;
  }

  std::string graph_, after_;
};

/// A generator with random weights, as `calopipe convert` writes it.
struct GeneratorModel {
  std::string contract = "plain";  ///< plain, par04-vae, par04-calodit
  std::int64_t latent = 4;
  std::vector<std::int64_t> hidden = {11, 30};
  std::int64_t n_r = 6, n_phi = 10, n_z = 11;
  double size_r_mm = 0, size_z_mm = 0;  ///< size of a cell; 0 = the file does not state it
  std::string activation = "LeakyRelu";
  std::string out_activation = "sigmoid";  ///< sigmoid (with Exp), Sigmoid (the operator), Relu, Softplus
  float weight_deviation = 0.3f;
  float output_bias = 0;
  bool reads_as_real = false;  ///< biases that decrease with the distance from the axis, as in showers

  std::int64_t cells() const { return n_r * n_phi * n_z; }
  std::string bytes() const;
};

inline std::string GeneratorModel::bytes() const {
  OnnxWriter writer;
  using W = OnnxWriter;
  core::Philox random(11, 0);
  const std::int64_t batch = contract == "plain" ? -1 : 1;
  const std::int64_t conditions = contract == "par04-calodit" ? 8 : 4;
  std::string x, scale;
  if (contract == "plain") {
    writer.input(W::value("latent", {-1, latent})).input(W::value("energy_mev", {-1, 1}));
    writer.input(W::value("theta_rad", {-1, 1})).input(W::value("geometry", {-1, 2}));
    writer.node("Concat", {"latent", "energy_mev", "theta_rad", "geometry"}, {"x"},
                {W::int_attribute("axis", 1)});
    x = "x", scale = "energy_mev";
  } else if (contract == "par04-vae") {
    writer.input(W::value("input", {1, latent + conditions}));
    x = "input";
  } else {
    writer.input(W::value("input", {1, conditions}));
    writer.node("RandomNormal", {}, {"latent"}, {W::ints_attribute("shape", {1, latent})});
    writer.initializer(W::tensor("begin", {0}))
        .initializer(W::tensor("end", {1}))
        .initializer(W::tensor("axis", {1}));
    writer.node("Slice", {"input", "begin", "end", "axis"}, {"energy_gev"});
    writer.node("Concat", {"latent", "input"}, {"x"}, {W::int_attribute("axis", 1)});
    x = "x", scale = "energy_gev";
  }
  std::int64_t in = latent + conditions;
  const auto dense = [&](const std::string& name, std::int64_t out, float bias, float sign) {
    std::vector<float> weights(static_cast<std::size_t>(in * out)), biases(static_cast<std::size_t>(out));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      // The energy is in MeV.
      const bool energy =
          contract == "plain" && in == latent + conditions && static_cast<std::int64_t>(i) % in == latent;
      weights[i] = sign * weight_deviation * random.normal() * (energy ? 1e-5f : 1.0f);
    }
    for (std::size_t i = 0; i < biases.size(); ++i) {
      float b = bias;
      if (reads_as_real && out == cells()) {
        const auto cell = static_cast<std::int64_t>(i);
        const auto r = static_cast<float>(cell / (n_phi * n_z)), z = static_cast<float>(cell % n_z);
        b = std::log(0.002f) - 1.2f * r - 0.06f * (z - 15) * (z - 15);
      }
      biases[i] = sign * (b + 0.1f * random.normal());
    }
    writer.initializer(W::tensor(name + "_weight", {out, in}, weights));
    writer.initializer(W::tensor(name + "_bias", {out}, biases));
    writer.node("Gemm", {x, name + "_weight", name + "_bias"}, {name}, {W::int_attribute("transB", 1)});
    x = name;
    in = out;
  };
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    const std::string name = "hidden_" + std::to_string(i);
    dense(name, hidden[i], 0, 1);
    x = name + "_active";
    if (activation == "LeakyRelu" || activation == "Elu")
      writer.node(activation, {name}, {x}, {W::float_attribute("alpha", 0.3f)});
    else
      writer.node(activation, {name}, {x});
  }
  const bool by_exp = out_activation == "sigmoid";
  dense("output", cells(), output_bias, by_exp ? -1 : 1);
  const std::string flat = contract == "plain" ? "flat" : "cells";
  if (by_exp) {
    writer.initializer(W::tensor("one", {}, std::vector<float>{1}));
    writer.node("Exp", {x}, {"exp"}).node("Add", {"exp", "one"}, {"sum"});
    if (scale.empty())
      writer.node("Reciprocal", {"sum"}, {flat});
    else
      writer.node("Div", {scale, "sum"}, {flat});
  } else {
    writer.node(out_activation, {x}, {scale.empty() ? flat : "fractions"});
    if (!scale.empty()) writer.node("Mul", {"fractions", scale}, {flat});
  }
  if (contract == "plain") {
    writer.initializer(W::tensor("shape", {0, n_r, n_phi, n_z}));
    writer.node("Reshape", {flat, "shape"}, {"cells"});
    writer.output(W::value("cells", {batch, n_r, n_phi, n_z}));
  } else {
    writer.output(W::value("cells", {batch, cells()}));
  }
  writer.metadata("calopipe.contract", contract).metadata("calopipe.latent_dim", std::to_string(latent));
  writer.metadata("calopipe.mesh", R"({"kind":"cylinder","n_r":)" + std::to_string(n_r) + R"(,"n_phi":)" +
                                       std::to_string(n_phi) + R"(,"n_z":)" + std::to_string(n_z) +
                                       (size_r_mm > 0 ? R"(,"size_r_mm":)" + std::to_string(size_r_mm) +
                                                            R"(,"size_z_mm":)" + std::to_string(size_z_mm)
                                                      : "") +
                                       "}");
  const std::string hot =
      R"({"quantity":"one-hot","geometry":"SciPb"},{"quantity":"one-hot","geometry":"SiW"})";
  writer.metadata("calopipe.geometries", R"(["SciPb","SiW"])");
  writer.metadata(
      "calopipe.conditions",
      contract == "plain"
          ? R"([{"quantity":"incident energy","times":1},{"quantity":"theta","times":1},)" + hot + "]"
      : contract == "par04-vae"
          ? R"([{"quantity":"incident energy","times":9.765625e-07},{"quantity":"theta","times":0.6366},)" +
                hot + "]"
          : R"x([{"quantity":"incident energy","times":0.001},{"quantity":"phi (without effect)","times":1},)x"
            R"({"quantity":"theta","times":1},{"quantity":"one-hot","geometry":"SiW"},)"
            R"({"quantity":"one-hot","geometry":"SciPb"},{"quantity":"one-hot","geometry":""},)"
            R"({"quantity":"one-hot","geometry":""},{"quantity":"one-hot","geometry":""}])");
  return writer.model();
}

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace test
