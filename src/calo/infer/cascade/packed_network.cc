#include "calo/infer/cascade/packed_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calo/infer/cascade/hard_swish.h"
#include "core/error.h"

namespace calo::cascade {
namespace {

// Calls finish(row, column, z, columns) with bias + weight · x of each row, some columns at a time. x has
// been read before the first call.
template <class Finish>
void multiply(const infer::PackedLayer& layer, const float* x, std::size_t count,
              infer::LargeArray<std::byte>& scratch, const Finish& finish) {
  constexpr auto kPanel = static_cast<std::size_t>(infer::PackedLayer::kPanel);
  const auto rows = static_cast<std::int64_t>(count), at_once = layer.rows_at_once();
  const auto out = static_cast<std::size_t>(layer.out());
  scratch.make_room(layer.prepared_bytes(rows));
  layer.prepare(x, layer.in(), rows, scratch.data());
  float z[infer::PackedLayer::kMaxRows * infer::PackedLayer::kPanel];
  const infer::PackedLayer::Use use(layer);
  for (std::int64_t panel = 0; panel < layer.panels(); ++panel) {
    const std::size_t column = static_cast<std::size_t>(panel) * kPanel;
    for (std::int64_t begin = 0; begin < rows; begin += at_once) {
      const std::int64_t some = std::min(at_once, rows - begin);
      layer.multiply(use, panel, scratch.data() + static_cast<std::size_t>(begin) * layer.row_bytes(), some,
                     z, infer::PackedLayer::kPanel);
      for (std::int64_t row = 0; row < some; ++row)
        finish(static_cast<std::size_t>(begin + row), column, z + static_cast<std::size_t>(row) * kPanel,
               std::min(kPanel, out - column));
    }
  }
}

}  // namespace

const float* PackedNetwork::row_of(const std::vector<float>& table, std::size_t row,
                                   std::size_t column) const {
  return table.empty() ? nullptr : table.data() + row * static_cast<std::size_t>(net_.width) + column;
}

PackedNetwork::PackedNetwork(const CascadeNet& net, const Trained& model,
                             const infer::PackedLayer::Options& options)
    : net_(net), isa_(options.isa) {
  for (std::int64_t i = 0; i <= net.depth; ++i) {
    const std::string layer = net.name + "." + (i < net.depth ? std::to_string(i) : "output");
    const std::int64_t in = i == 0 ? net.inputs : net.width;
    layers_.emplace_back(
        infer::WeightView{.data = reinterpret_cast<const std::byte*>(model.tensor(layer + ".weight").data()),
                          .out_stride = in},
        model.tensor(layer + ".bias"), in, options);
  }
  if (net.layers > 0) layer_table_ = model.tensor(net.name + ".layer_table");
  if (net.positions > 0) position_table_ = model.tensor(net.name + ".position_table");
}

std::size_t PackedNetwork::bytes() const {
  std::size_t sum = (layer_table_.size() + position_table_.size()) * sizeof(float);
  for (const infer::PackedLayer& layer : layers_) sum += layer.bytes();
  return sum;
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
  if (rows.h.size() < count * width) rows.h.resize(count * width);
  if (rows.out.size() < count * outputs) rows.out.resize(count * outputs);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const bool is_output = i + 1 == layers_.size();
    multiply(layers_[i], i == 0 ? rows.x.data() : rows.h.data(), count, rows.scratch,
             [&](std::size_t row, std::size_t column, const float* z, std::size_t columns) {
               if (is_output) {
                 std::copy_n(z, columns, rows.out.data() + row * outputs + column);
                 return;
               }
               float* h = rows.h.data() + row * width + column;
               if (i > 0)
                 add_hard_swish(z, h, h, columns, isa_);
               else
                 hard_swish_of_sum(z, row_of(layer_table_, rows.layers[row], column),
                                   row_of(position_table_, rows.positions[row], column), h, columns, isa_);
             });
  }
  float sum = 0;
  for (std::size_t i = 0; i < count * outputs; ++i) sum += std::abs(rows.out[i]);
  if (!std::isfinite(sum))
    throw core::InputError(
        {.message = fmt::format("the network {} makes numbers that are not finite", net_.name),
         .field = net_.name,
         .hint = "its training has diverged: train again with a smaller lr"});
}

}  // namespace calo::cascade
