#include "calo/infer/cascade/packed_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/philox.h"

namespace {

using calo::cascade::CascadeNet;
using calo::cascade::CascadeShape;
using calo::cascade::PackedNetwork;
using calo::cascade::Trained;
using calo::infer::Isa;
using calo::infer::Precision;

struct Network {
  Trained model;
  CascadeNet net;
};

// The network of a level of halves in phi: tables by layer and position, and spectra.
Network random_network(std::int64_t width, std::int64_t depth, std::uint64_t seed) {
  Network made;
  made.model.shape = CascadeShape{.mesh = calo::cascade::CascadeMesh::cylinder(3, 4, 5, 4.65),
                                  .width = width,
                                  .depth = depth,
                                  .geometries = 2};
  core::Philox random(seed, 0);
  for (const auto& [name, shape] : calo::cascade::cascade_shapes(made.model.shape)) {
    std::size_t size = 1;
    for (const std::int64_t extent : shape) size *= static_cast<std::size_t>(extent);
    std::vector<float>& tensor = made.model.tensors[name];
    tensor.resize(size);
    const float spread = shape.size() > 1 ? 1 / std::sqrt(static_cast<float>(shape.back())) : 0.3f;
    for (float& value : tensor) value = spread * random.normal();
  }
  made.net = calo::cascade::cascade_nets(made.model.shape).back();
  return made;
}

struct Row {
  std::size_t layer, position;
  std::vector<float> x;
};

// Most inputs of a split are zero.
std::vector<Row> random_rows(const CascadeNet& net, std::size_t count) {
  core::Philox random(7, count);
  std::vector<Row> rows(count);
  for (Row& row : rows) {
    row.layer = static_cast<std::size_t>(random.uniform() * static_cast<float>(net.layers));
    row.position = static_cast<std::size_t>(random.uniform() * static_cast<float>(net.positions));
    for (std::int64_t k = 0; k < net.inputs; ++k)
      row.x.push_back(random.uniform() < 0.4f ? random.normal() : 0.0f);
  }
  return rows;
}

std::vector<double> expected(const Network& network, const Row& row) {
  const CascadeNet& net = network.net;
  const auto tensor = [&](const std::string& name) -> const std::vector<float>& {
    return network.model.tensor(net.name + "." + name);
  };
  const auto product = [&](const std::string& layer, const std::vector<double>& x) {
    const std::vector<float>&weight = tensor(layer + ".weight"), &bias = tensor(layer + ".bias");
    std::vector<double> z(bias.begin(), bias.end());
    for (std::size_t j = 0; j < z.size(); ++j)
      for (std::size_t k = 0; k < x.size(); ++k) z[j] += static_cast<double>(weight[j * x.size() + k]) * x[k];
    return z;
  };
  const auto width = static_cast<std::size_t>(net.width);
  std::vector<double> h(row.x.begin(), row.x.end());
  for (std::int64_t i = 0; i < net.depth; ++i) {
    std::vector<double> z = product(std::to_string(i), h);
    for (std::size_t j = 0; j < width; ++j) {
      if (i == 0)
        z[j] += static_cast<double>(tensor("layer_table")[row.layer * width + j]) +
                static_cast<double>(tensor("position_table")[row.position * width + j]);
      z[j] *= std::min(std::max(z[j] + 3, 0.0), 6.0) / 6;
      if (i > 0) z[j] += h[j];
    }
    h = z;
  }
  return product("output", h);
}

std::vector<float> outputs_of(const PackedNetwork& network, PackedNetwork::Rows& rows, std::size_t row,
                              std::int64_t outputs) {
  std::vector<float> out(static_cast<std::size_t>(outputs));
  network.all_outputs(rows, row, out.data());
  return out;
}

void fill(const PackedNetwork& network, PackedNetwork::Rows& rows, std::span<const Row> from) {
  rows.clear();
  for (const Row& row : from)
    std::copy(row.x.begin(), row.x.end(), network.add_row(rows, row.layer, row.position));
  network.forward(rows);
}

struct Case {
  std::int64_t width, depth;
};

class PackedNetworkOf : public testing::TestWithParam<Case> {};

// On every instruction set and in every precision: the outputs of a plain calculation, within what the
// precision allows; and whatever rows are calculated together, the same bits.
TEST_P(PackedNetworkOf, HasTheOutputsOfThePlainCalculationWhateverTheOtherRows) {
  const Network network = random_network(GetParam().width, GetParam().depth, 5);
  for (const Isa isa : calo::infer::kIsas) {
    if (!calo::infer::has_isa(isa)) continue;
    for (const auto& [precision, most] :
         {std::pair{Precision::kFp32, 2e-6}, std::pair{Precision::kBf16, 2e-2},
          std::pair{Precision::kInt8, 2e-2}, std::pair{Precision::kW8a8, 4e-2}}) {
      SCOPED_TRACE(std::string(to_string(isa)) + " " + to_string(precision));
      const PackedNetwork packed(network.net, network.model, {.precision = precision, .isa = isa});
      EXPECT_GT(packed.bytes(), 0u);
      for (std::size_t count = 1; count <= 14; ++count) {
        const std::vector<Row> from = random_rows(network.net, count);
        PackedNetwork::Rows together, alone;
        fill(packed, together, from);
        for (std::size_t row = 0; row < count; ++row) {
          const std::vector<float> out = outputs_of(packed, together, row, network.net.outputs);
          const std::vector<double> wanted = expected(network, from[row]);
          double largest = 0, error = 0;
          for (std::size_t i = 0; i < out.size(); ++i) {
            largest = std::max(largest, std::abs(wanted[i]));
            error = std::max(error, std::abs(static_cast<double>(out[i]) - wanted[i]));
          }
          ASSERT_LE(error, most * largest) << count << " rows, row " << row;
          fill(packed, alone, std::span(from).subspan(row, 1));
          ASSERT_EQ(outputs_of(packed, alone, 0, network.net.outputs), out) << count << " rows, row " << row;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, PackedNetworkOf,
                         testing::Values(Case{128, 2}, Case{64, 1}, Case{20, 3}, Case{130, 2}));

// With AVX2 and AVX-512 to the bit; integers on all that have their products.
TEST(PackedNetwork, GivesTheSameBitsOnAllInstructionSetsWithFusedMultiplyAdd) {
  const Network network = random_network(128, 2, 6);
  const std::vector<Row> from = random_rows(network.net, 11);
  for (const Precision precision : {Precision::kFp32, Precision::kInt8}) {
    std::vector<std::vector<float>> first;
    for (const Isa isa : calo::infer::kIsas) {
      if (!calo::infer::has_isa(isa) || isa < Isa::kAvx2) continue;
      const PackedNetwork packed(network.net, network.model, {.precision = precision, .isa = isa});
      PackedNetwork::Rows rows;
      fill(packed, rows, from);
      std::vector<std::vector<float>> out;
      for (std::size_t row = 0; row < from.size(); ++row)
        out.push_back(outputs_of(packed, rows, row, network.net.outputs));
      if (first.empty())
        first = out;
      else
        EXPECT_EQ(out, first) << to_string(isa);
    }
  }
}

// A weight or a feature that is not finite is seen in the outputs, in every precision.
TEST(PackedNetwork, ShowsNumbersThatAreNotFinite) {
  for (const Isa isa : calo::infer::kIsas) {
    if (!calo::infer::has_isa(isa)) continue;
    for (const Precision precision : calo::infer::kPrecisions)
      for (const bool in_weight : {false, true}) {
        SCOPED_TRACE(std::string(to_string(isa)) + " " + to_string(precision));
        Network network = random_network(64, 2, 8);
        std::vector<Row> from = random_rows(network.net, 7);
        if (in_weight)
          network.model.tensors.at(network.net.name + ".1.weight")[100] = std::nanf("");
        else
          from[3].x[5] = std::numeric_limits<float>::infinity();
        const PackedNetwork packed(network.net, network.model, {.precision = precision, .isa = isa});
        PackedNetwork::Rows rows;
        fill(packed, rows, from);
        float sum = 0;
        for (std::size_t i = 0; i < PackedNetwork::kFirst; ++i) sum += packed.first_outputs(rows, 3)[i];
        EXPECT_FALSE(std::isfinite(sum));
        EXPECT_THROW(packed.refuse_outputs(), core::InputError);
      }
  }
}

}  // namespace
