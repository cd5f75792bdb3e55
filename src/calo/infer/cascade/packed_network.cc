#include "calo/infer/cascade/packed_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "calo/infer/cascade/detail/row_kernels.h"
#include "calo/infer/cascade/detail/word_kernels.h"
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

std::string name_of_layer(const CascadeNet& net, std::int64_t layer) {
  return net.name + "." + (layer < net.depth ? std::to_string(layer) : "output");
}

// A table `[rows, width]`, or one row of zeros, with rows of `wide` numbers.
std::vector<float> widened(std::span<const float> table, std::size_t width, std::size_t wide) {
  const std::size_t rows = std::max<std::size_t>(table.size() / width, 1);
  std::vector<float> out(rows * wide);
  for (std::size_t row = 0; row * width < table.size(); ++row)
    std::copy_n(table.data() + row * width, width, out.data() + row * wide);
  return out;
}

const float* row_of(const std::vector<float>& table, std::size_t row, std::size_t width) {
  return table.empty() ? nullptr : table.data() + row * width;
}

}  // namespace

PackedNetwork::PackedNetwork(const CascadeNet& net, const Trained& model,
                             const infer::PackedLayer::Options& options)
    : net_(net), isa_(options.isa) {
  if (options.precision == infer::Precision::kFp32) {
    pack_rows(model);
    return;
  }
  const bool integers =
      options.precision == infer::Precision::kInt8 || options.precision == infer::Precision::kW8a8;
  words_ = integers && std::max(net.inputs, net.width) <= static_cast<std::int64_t>(WordTile::kMostInputs)
               ? word_kernels(isa_)
               : nullptr;
  if (words_ != nullptr) {
    pack_words(model);
    return;
  }
  for (std::int64_t i = 0; i <= net.depth; ++i) {
    const std::string layer = name_of_layer(net, i);
    const std::int64_t in = i == 0 ? net.inputs : net.width;
    layers_.emplace_back(
        infer::WeightView{.data = reinterpret_cast<const std::byte*>(model.tensor(layer + ".weight").data()),
                          .out_stride = in},
        model.tensor(layer + ".bias"), in, options);
  }
  out_stride_ = static_cast<std::size_t>(net.outputs);
  if (net.layers > 0) layer_table_ = model.tensor(net.name + ".layer_table");
  if (net.positions > 0) position_table_ = model.tensor(net.name + ".position_table");
}

// What integers and floats have in common: the tables, the biases, and the outputs that few splits need.
void PackedNetwork::pack_common(const Trained& model) {
  static_assert(kFirst == RowTile::kHeads && kFirst == WordTile::kHeads &&
                RowTile::kPanel == WordTile::kPanel);
  kernels_ = &row_kernels(isa_);
  const auto width = static_cast<std::size_t>(net_.width), outputs = static_cast<std::size_t>(net_.outputs);
  width_ = (width + RowTile::kPanel - 1) / RowTile::kPanel * RowTile::kPanel;
  for (std::int64_t i = 0; i < net_.depth; ++i)
    biases_.push_back(widened(model.tensor(name_of_layer(net_, i) + ".bias"), width, width_));
  biases_.push_back(model.tensor(name_of_layer(net_, net_.depth) + ".bias"));
  const std::vector<float>& weight = model.tensor(name_of_layer(net_, net_.depth) + ".weight");
  more_ = widened(std::span(weight).subspan(kFirst * width, (outputs - kFirst) * width), width, width_);
  const auto table = [&](const char* name, std::int64_t rows) {
    return rows > 0 ? widened(model.tensor(net_.name + name), width, width_) : std::vector<float>(width_);
  };
  start_ = table(".layer_table", net_.layers);
  for (std::size_t i = 0; i < start_.size(); ++i) start_[i] += biases_[0][i % width_];
  position_table_ = table(".position_table", net_.positions);
  all_inputs_.resize(width);
  std::iota(all_inputs_.begin(), all_inputs_.end(), 0u);
}

void PackedNetwork::pack_rows(const Trained& model) {
  constexpr std::size_t kPanel = RowTile::kPanel;
  pack_common(model);
  const auto width = static_cast<std::size_t>(net_.width), inputs = static_cast<std::size_t>(net_.inputs),
             depth = static_cast<std::size_t>(net_.depth);
  weights_ = infer::LargeArray<float>(width_ * (inputs + (depth - 1) * width + kFirst));
  std::fill_n(weights_.data(), weights_.size(), 0.0f);
  float* at = weights_.data();
  for (std::size_t i = 0; i < depth; ++i) {
    const std::vector<float>& weight =
        model.tensor(name_of_layer(net_, static_cast<std::int64_t>(i)) + ".weight");
    const std::size_t in = i == 0 ? inputs : width;
    for (std::size_t j = 0; j < width; ++j)
      for (std::size_t k = 0; k < in; ++k)
        at[j / kPanel * kPanel * in + k * kPanel + j % kPanel] = weight[j * in + k];
    hidden_.push_back(at);
    at += width_ * in;
  }
  const std::vector<float>& weight = model.tensor(name_of_layer(net_, net_.depth) + ".weight");
  heads_ = at;
  for (std::size_t k = 0; k < width; ++k)
    for (std::size_t j = 0; j < kFirst; ++j) at[k * kFirst + j] = weight[j * width + k];
}

void PackedNetwork::pack_words(const Trained& model) {
  pack_common(model);
  const auto width = static_cast<std::size_t>(net_.width), inputs = static_cast<std::size_t>(net_.inputs),
             depth = static_cast<std::size_t>(net_.depth);
  for (std::size_t i = 0; i <= depth; ++i) {
    const std::vector<float>& weight =
        model.tensor(name_of_layer(net_, static_cast<std::int64_t>(i)) + ".weight");
    const std::size_t in = i == 0 ? inputs : width, out = i < depth ? width : kFirst,
                      panel = i < depth ? WordTile::kPanel : kFirst, room = i < depth ? width_ : kFirst;
    WordLayer& layer = word_layers_.emplace_back();
    layer.pairs = (in + 1) / 2;
    layer.weight = infer::LargeArray<std::int16_t>(2 * layer.pairs * room);
    std::fill_n(layer.weight.data(), layer.weight.size(), std::int16_t{0});
    layer.factors.resize(room);
    for (std::size_t j = 0; j < out; ++j) {
      const float* const of = weight.data() + j * in;
      float largest = 0;
      bool finite = true;
      for (std::size_t k = 0; k < in; ++k) {
        largest = std::max(largest, std::abs(of[k]));
        finite &= std::isfinite(of[k]);
      }
      if (!finite) largest = std::nanf("");  // so that it is seen in the outputs
      layer.factors[j] = largest / 127.0f;
      for (std::size_t k = 0; k < in && largest > 0; ++k)
        layer.weight[2 * (j / panel * panel * layer.pairs + k / 2 * panel + j % panel) + k % 2] =
            static_cast<std::int16_t>(std::lround(of[k] / layer.factors[j]));
    }
  }
}

std::size_t PackedNetwork::bytes() const {
  std::size_t floats =
      weights_.size() + more_.size() + start_.size() + position_table_.size() + layer_table_.size();
  for (const std::vector<float>& bias : biases_) floats += bias.size();
  std::size_t sum = floats * sizeof(float);
  for (const infer::PackedLayer& layer : layers_) sum += layer.bytes();
  for (const WordLayer& layer : word_layers_)
    sum += layer.weight.size() * sizeof(std::int16_t) + layer.factors.size() * sizeof(float);
  return sum;
}

float* PackedNetwork::add_row(Rows& rows, std::size_t layer, std::size_t position) const {
  const auto inputs = static_cast<std::size_t>(net_.inputs);
  const std::size_t row = rows.count();
  if (rows.x.size() < (row + 1) * inputs) rows.x.resize((row + 1) * inputs * 2);
  rows.layers.push_back(net_.layers > 0 ? layer : 0);
  rows.positions.push_back(net_.positions > 0 ? position : 0);
  return rows.x.data() + row * inputs;
}

void PackedNetwork::forward(Rows& rows) const {
  const std::size_t count = rows.count();
  rows.rows_made += count;
  if (kernels_ == nullptr) {
    forward_layers(rows);
    return;
  }
  if (rows.h.size() < count * width_) rows.h.resize(count * width_);
  if (rows.out.size() < count * out_stride_) rows.out.resize(count * out_stride_);
  if (rows.between.size() < 2 * RowTile::kMostRows * width_)
    rows.between.resize(2 * RowTile::kMostRows * width_);
  if (rows.inputs.size() < static_cast<std::size_t>(net_.inputs))
    rows.inputs.resize(static_cast<std::size_t>(net_.inputs));
  // As even as possible: few rows take nearly as long as some more.
  const std::size_t tiles = (count + RowTile::kMostRows - 1) / RowTile::kMostRows;
  for (std::size_t tile = 0, begin = 0; tile < tiles; ++tile) {
    const std::size_t end = (tile + 1) * count / tiles;
    if (words_ != nullptr)
      forward_words(rows, begin, end - begin);
    else
      forward_rows(rows, begin, end - begin);
    begin = end;
  }
}

void PackedNetwork::forward_rows(Rows& rows, std::size_t begin, std::size_t count) const {
  const auto inputs = static_cast<std::size_t>(net_.inputs);
  const std::size_t depth = hidden_.size();
  RowTile tile{.in = inputs, .out = width_, .x = rows.x.data() + begin * inputs, .x_stride = inputs};
  tile.inputs = rows.inputs.data();
  tile.count = kernels_->words_in_use(tile.x, inputs, count, inputs, rows.inputs.data());
  tile.h_stride = width_;
  for (std::size_t r = 0; r < count; ++r) {
    tile.start[r] = start_.data() + rows.layers[begin + r] * width_;
    tile.more[r] = position_table_.data() + rows.positions[begin + r] * width_;
  }
  float* const last = rows.h.data() + begin * width_;
  for (std::size_t i = 0; i < depth; ++i) {
    tile.weight = hidden_[i];
    tile.h = i + 1 == depth ? last : rows.between.data() + i % 2 * RowTile::kMostRows * width_;
    rows.products += count * tile.count * width_;
    (i == 0 ? kernels_->first : kernels_->residual)[count - 1](tile);
    tile.x = tile.h;
    tile.x_stride = width_;
    tile.in = all_inputs_.size();
    tile.inputs = all_inputs_.data();
    tile.count = tile.in;
    if (i + 1 < depth) std::fill_n(tile.start, count, biases_[i + 1].data());
  }
  tile.weight = heads_;
  tile.in = width_;
  tile.out = kFirst;
  tile.h_stride = kFirst;
  std::fill_n(tile.start, count, biases_.back().data());
  rows.products += count * width_ * kFirst;
  for (std::size_t row = 0; row < count; row += RowTile::kMostHeadRows) {
    tile.x = last + row * width_;
    tile.h = rows.out.data() + (begin + row) * kFirst;
    kernels_->heads[std::min(RowTile::kMostHeadRows, count - row) - 1](tile);
  }
}

void PackedNetwork::forward_words(Rows& rows, std::size_t begin, std::size_t count) const {
  const std::size_t most = 2 * std::max(word_layers_[0].pairs, width_ / 2), depth = word_layers_.size() - 1;
  if (rows.integers.size() < WordTile::kMostRows * most) rows.integers.resize(WordTile::kMostRows * most);
  WordTile tile{.out = width_, .used = rows.inputs.data(), .x = rows.integers.data(), .h_stride = width_};
  tile.h = rows.h.data() + begin * width_;
  tile.before = tile.h;
  for (std::size_t r = 0; r < count; ++r) {
    tile.start[r] = start_.data() + rows.layers[begin + r] * width_;
    tile.more[r] = position_table_.data() + rows.positions[begin + r] * width_;
  }
  for (std::size_t i = 0; i <= depth; ++i) {
    const WordLayer& layer = word_layers_[i];
    const std::size_t in = i == 0 ? static_cast<std::size_t>(net_.inputs) : all_inputs_.size();
    const float* const x = i == 0 ? rows.x.data() + begin * in : tile.h;
    tile.pairs = layer.pairs;
    tile.x_stride = 2 * layer.pairs;
    for (std::size_t r = 0; r < count; ++r)
      tile.x_factor[r] =
          words_->integers(x + r * (i == 0 ? in : width_), in, rows.integers.data() + r * tile.x_stride);
    if (i == 0) {
      tile.count = kernels_->words_in_use(tile.x, layer.pairs, count, layer.pairs, rows.inputs.data());
    } else {
      tile.used = all_inputs_.data();
      tile.count = layer.pairs;
      std::fill_n(tile.start, count, biases_[i].data());
    }
    tile.weight = layer.weight.data();
    tile.factors = layer.factors.data();
    if (i == depth) {
      tile.h = rows.out.data() + begin * kFirst;
      tile.h_stride = tile.out = kFirst;
    }
    rows.products += count * 2 * tile.count * tile.out;
    (i == depth ? words_->heads : i == 0 ? words_->first : words_->residual)[count - 1](tile);
  }
}

std::array<float, 2> PackedNetwork::more_outputs(const Rows& rows, std::size_t row, int i, int j) const {
  const auto first = static_cast<std::size_t>(i), second = static_cast<std::size_t>(j);
  if (kernels_ == nullptr) {
    const float* out = first_outputs(rows, row);
    return {out[first], out[second]};
  }
  const auto of = [&](std::size_t output) { return more_.data() + (output - kFirst) * width_; };
  std::array<float, 2> sums;
  kernels_->two_products(rows.h.data() + row * width_, of(first), of(second), width_, sums.data());
  return {sums[0] + biases_.back()[first], sums[1] + biases_.back()[second]};
}

void PackedNetwork::all_outputs(const Rows& rows, std::size_t row, float* out) const {
  const auto outputs = static_cast<int>(net_.outputs);
  std::copy_n(first_outputs(rows, row), kFirst, out);
  for (int i = kFirst; i < outputs; i += 2) {
    const std::array<float, 2> pair = more_outputs(rows, row, i, std::min(i + 1, outputs - 1));
    std::copy_n(pair.data(), std::min(2, outputs - i), out + i);
  }
}

void PackedNetwork::forward_layers(Rows& rows) const {
  const std::size_t count = rows.count(), width = static_cast<std::size_t>(net_.width);
  if (rows.h.size() < count * width) rows.h.resize(count * width);
  if (rows.out.size() < count * out_stride_) rows.out.resize(count * out_stride_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    rows.products += count * static_cast<std::size_t>(layers_[i].in() * layers_[i].out());
    const bool is_output = i + 1 == layers_.size();
    multiply(layers_[i], i == 0 ? rows.x.data() : rows.h.data(), count, rows.scratch,
             [&](std::size_t row, std::size_t column, const float* z, std::size_t columns) {
               if (is_output) {
                 std::copy_n(z, columns, rows.out.data() + row * out_stride_ + column);
                 return;
               }
               float* h = rows.h.data() + row * width + column;
               if (i > 0)
                 add_hard_swish(z, h, h, columns, isa_);
               else
                 hard_swish_of_sum(z, row_of(layer_table_, rows.layers[row] * width + column, 1),
                                   row_of(position_table_, rows.positions[row] * width + column, 1), h,
                                   columns, isa_);
             });
  }
}

void PackedNetwork::refuse_outputs() const {
  throw core::InputError(
      {.message = fmt::format("the network {} makes numbers that are not finite", net_.name),
       .field = net_.name,
       .hint = "its training has diverged: train again with a smaller lr"});
}

}  // namespace calo::cascade
