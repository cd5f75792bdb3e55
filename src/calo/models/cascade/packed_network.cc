#include "calo/models/cascade/packed_network.h"

#include <fmt/format.h>

#include <cmath>

#include "calo/models/cascade/network.h"
#include "core/error.h"

namespace calo::cascade {
namespace {

const std::vector<float>& values(const Weights& weights, const std::string& name) {
  const auto found = weights.find(name);
  if (found == weights.end()) throw core::InputError({.message = "is missing in the model", .field = name});
  return found->second.values;
}

}  // namespace

PackedNetwork::PackedNetwork(const CascadeNet& net, const Weights& weights) : net_(net) {
  for (std::int64_t i = 0; i <= net.depth; ++i) {
    const std::string layer = net.name + "." + (i < net.depth ? std::to_string(i) : "output");
    layers_.push_back({.layer = infer::PackedLayer(values(weights, layer + ".weight"), values(weights, layer + ".bias"),
                                                   i == 0 ? net.inputs : net.width),
                       .activation = {infer::Activation::Kind::kIdentity}});
  }
  if (net.layers > 0) layer_table_ = values(weights, net.name + ".layer_table");
  if (net.positions > 0) position_table_ = values(weights, net.name + ".position_table");
}

float* PackedNetwork::add_row(Rows& rows, std::size_t layer, std::size_t position) const {
  const auto inputs = static_cast<std::size_t>(net_.inputs);
  const std::size_t row = rows.count();
  if (rows.x.size() < (row + 1) * inputs) rows.x.resize((row + 1) * inputs * 2);
  rows.layers.push_back(layer);
  rows.positions.push_back(position);
  return rows.x.data() + row * inputs;
}

void PackedNetwork::forward(Rows& rows) const {
  const std::size_t count = rows.count(), width = static_cast<std::size_t>(net_.width),
                    outputs = static_cast<std::size_t>(net_.outputs);
  if (rows.z.size() < count * width) {
    rows.z.resize(count * width);
    rows.h.resize(count * width);
  }
  if (rows.out.size() < count * outputs) rows.out.resize(count * outputs);
  const auto n = static_cast<std::int64_t>(count);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    layers_[i].forward(i == 0 ? rows.x.data() : rows.h.data(), n, rows.z.data(), rows.scratch);
    for (std::size_t row = 0; row < count; ++row) {
      float* z = rows.z.data() + row * width;
      float* h = rows.h.data() + row * width;
      if (i > 0) {
        add_hard_swish(z, h, width);
        continue;
      }
      if (!layer_table_.empty()) add_row_to(layer_table_.data() + rows.layers[row] * width, z, width);
      if (!position_table_.empty()) add_row_to(position_table_.data() + rows.positions[row] * width, z, width);
      hard_swish(z, h, width);
    }
  }
  layers_.back().forward(rows.h.data(), n, rows.out.data(), rows.scratch);
  float sum = 0;
  for (std::size_t i = 0; i < count * outputs; ++i) sum += std::abs(rows.out[i]);
  if (!std::isfinite(sum))
    throw core::InputError({.message = fmt::format("the network {} makes numbers that are not finite", net_.name),
                            .field = net_.name,
                            .hint = "its training has diverged: train again with a smaller lr"});
}

}  // namespace calo::cascade
