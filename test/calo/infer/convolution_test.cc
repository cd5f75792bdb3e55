#include "calo/infer/detail/convolution.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "calo/infer/detail/moments.h"
#include "calo/infer/model.h"
#include "core/philox.h"
#include "support/counting_new.h"
#include "support/onnx_writer.h"

namespace {

using calo::infer::InputView;
using calo::infer::Isa;
using calo::infer::Model;
using calo::infer::Workspace;
using W = test::OnnxWriter;

std::vector<float> normal(std::size_t count, std::uint64_t seed, float scale = 1) {
  core::Philox random(seed, 0);
  std::vector<float> out(count);
  for (float& x : out) x = scale * random.normal();
  return out;
}

// A latent vector, a transposed convolution of one place, one with strides, a normalisation of groups, and
// convolutions to many channels and to one.
std::string generator() {
  W writer;
  writer.input(W::value("x", {-1, 20, 1, 1}));
  writer.initializer(W::tensor("w1", {20, 70, 4, 4}, normal(20 * 70 * 16, 1, 0.2f)));
  writer.initializer(W::tensor("b1", {70}, normal(70, 2)));
  for (const auto& [name, seed] : {std::pair{"s", 3u}, {"o", 4u}, {"m", 5u}})
    writer.initializer(W::tensor(name, {70}, normal(70, seed)));
  writer.initializer(W::tensor("v", {70}, std::vector<float>(70, 0.5f)));
  writer.node("ConvTranspose", {"x", "w1", "b1"}, {"c1"});
  writer.node("BatchNormalization", {"c1", "s", "o", "m", "v"}, {"n1"}).node("LeakyRelu", {"n1"}, {"r1"});
  writer.initializer(W::tensor("w2", {70, 34, 4, 4}, normal(70 * 34 * 16, 6, 0.06f)));
  writer.node("ConvTranspose", {"r1", "w2"}, {"c2"},
              {W::ints_attribute("strides", {2, 2}), W::ints_attribute("pads", {1, 1, 1, 1})});
  writer.initializer(W::tensor("gs", {34}, normal(34, 7))).initializer(W::tensor("gb", {34}, normal(34, 8)));
  writer.node("GroupNormalization", {"c2", "gs", "gb"}, {"g2"}, {W::int_attribute("num_groups", 2)});
  writer.node("Mish", {"g2"}, {"r2"});
  writer.initializer(W::tensor("w3", {18, 34, 3, 3}, normal(18 * 34 * 9, 9, 0.06f)));
  writer.node("Conv", {"r2", "w3"}, {"c3"}, {W::ints_attribute("pads", {1, 1, 1, 1})});
  writer.node("Tanh", {"c3"}, {"r3"});
  writer.initializer(W::tensor("w4", {1, 18, 3, 3}, normal(18 * 9, 10, 0.1f)));
  writer.node("Conv", {"r3", "w4"}, {"c4"}, {W::ints_attribute("strides", {2, 1})});
  writer.node("Softplus", {"c4"}, {"y"}).output(W::value("y", {-1, 1, 3, 6}));
  return writer.model(21);
}

std::vector<float> run(const Model& model, const std::vector<float>& x, Workspace& workspace) {
  const std::vector<std::int64_t> shape = {std::ssize(x) / 20, 20, 1, 1};
  const InputView view{.shape = shape, .floats = x};
  model.run({&view, 1}, {}, workspace);
  const auto y = model.output(workspace, 0).floats;
  return {y.begin(), y.end()};
}

TEST(Convolution, GivesEachRowTheSameBitsInAnyBatchByAnyThreads) {
  const std::string bytes = generator();
  const std::vector<float> x = normal(37 * 20, 11);
  for (const Isa isa : calo::infer::kIsas) {
    if (!calo::infer::has_isa(isa)) continue;
    const Model model = Model::from_bytes(test::as_bytes(bytes), {.isa = isa});
    ASSERT_TRUE(model.runs_any_batch());
    Workspace alone, together;
    std::vector<float> rows;
    for (std::size_t row = 0; row < 37; ++row) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(row * 20);
      const std::vector<float> one = run(model, std::vector<float>(begin, begin + 20), alone);
      rows.insert(rows.end(), one.begin(), one.end());
    }
    EXPECT_EQ(run(model, x, together), rows) << to_string(isa);
    for (const int threads : {1, 2, 5}) {
      core::ThreadPool pool(threads);
      Workspace shared(&pool);
      EXPECT_EQ(run(model, x, shared), rows) << to_string(isa) << " by " << threads;
    }
  }
}

TEST(Convolution, GivesTheSameBitsOnEveryInstructionSetWithFusedProducts) {
  if (calo::infer::best_isa() < Isa::kAvx512) GTEST_SKIP() << "this machine has no AVX-512";
  const std::string bytes = generator();
  const std::vector<float> x = normal(5 * 20, 12);
  const auto on = [&](Isa isa) {
    Workspace workspace;
    return run(Model::from_bytes(test::as_bytes(bytes), {.isa = isa}), x, workspace);
  };
  EXPECT_EQ(on(Isa::kAvx2), on(Isa::kAvx512));
}

TEST(Convolution, AllocatesNothingAfterTheFirstBatch) {
  const std::string bytes = generator();
  const Model model = Model::from_bytes(test::as_bytes(bytes));
  const std::vector<float> x = normal(16 * 20, 13);
  Workspace workspace;
  run(model, x, workspace);
  const std::int64_t before = test::allocations();
  for (const std::int64_t rows : {1, 16, 3, 16}) {
    const std::int64_t shape[] = {rows, 20, 1, 1};
    const InputView view{.shape = shape, .floats = std::span(x).first(static_cast<std::size_t>(rows * 20))};
    model.run({&view, 1}, {}, workspace);
    ASSERT_EQ(model.output(workspace, 0).floats.size(), static_cast<std::size_t>(rows * 18));
  }
  EXPECT_EQ(test::allocations() - before, 0);
}

// A workspace may go from model to model, and inputs from size to size.
TEST(Convolution, TakesWhatWasKeptForItsOwnShapesOnly) {
  const auto model = [](std::int64_t stride, std::int64_t pad) {
    W writer;
    writer.input(W::value("x", {-1, 2, -1, -1}));
    writer.initializer(W::tensor("w", {9, 2, 3, 3}, normal(9 * 18, 14)));
    writer.node(
        "Conv", {"x", "w"}, {"y"},
        {W::ints_attribute("strides", {stride, stride}), W::ints_attribute("pads", {pad, pad, pad, pad})});
    writer.output(W::value("y", {-1, 9, -1, -1}));
    return Model::from_bytes(test::as_bytes(writer.model()));
  };
  const Model models[] = {model(1, 1), model(2, 1), model(1, 2)};
  Workspace shared;
  for (int again = 0; again < 2; ++again)
    for (const Model& one : models)
      for (const auto& [height, width] : {std::pair{8, 5}, {5, 8}, {3, 3}}) {
        const std::int64_t shape[] = {2, 2, height, width};
        const std::vector<float> x = normal(static_cast<std::size_t>(4 * height * width), 15);
        const InputView view{.shape = shape, .floats = x};
        Workspace fresh;
        one.run({&view, 1}, {}, shared);
        one.run({&view, 1}, {}, fresh);
        const auto got = one.output(shared, 0), wanted = one.output(fresh, 0);
        EXPECT_TRUE(std::equal(got.shape.begin(), got.shape.end(), wanted.shape.begin(), wanted.shape.end()));
        EXPECT_TRUE(
            std::equal(got.floats.begin(), got.floats.end(), wanted.floats.begin(), wanted.floats.end()));
      }
}

// Every number of channels that a kernel may have, and of positions, against double precision.
TEST(Convolution, AddsUpWithinTheErrorOfFloats) {
  for (const bool transposed : {false, true})
    for (const std::int64_t outputs : {1, 2, 3, 5, 8, 17, 33, 64, 117})
      for (const std::int64_t places : {1, 2, 5, 13, 70}) {
        constexpr std::int64_t kChannels = 37, kTaps = 3;
        const std::vector<float> x = normal(static_cast<std::size_t>(2 * kChannels * places), 16);
        const std::vector<float> w = normal(static_cast<std::size_t>(outputs * kChannels * kTaps), 17);
        W writer;
        writer.input(W::value("x", {-1, kChannels, places}));
        writer.initializer(W::tensor(
            "w", transposed ? std::vector{kChannels, outputs, kTaps} : std::vector{outputs, kChannels, kTaps},
            w));
        writer.node(transposed ? "ConvTranspose" : "Conv", {"x", "w"}, {"y"},
                    {W::ints_attribute("pads", {1, 1})});
        writer.output(W::value("y", {-1, outputs, places}));
        const std::string bytes = writer.model();
        for (const Isa isa : calo::infer::kIsas) {
          if (!calo::infer::has_isa(isa)) continue;
          const Model model = Model::from_bytes(test::as_bytes(bytes), {.isa = isa});
          Workspace workspace;
          const std::int64_t shape[] = {2, kChannels, places};
          const InputView view{.shape = shape, .floats = x};
          model.run({&view, 1}, {}, workspace);
          const auto y = model.output(workspace, 0).floats;
          for (std::int64_t row = 0; row < 2; ++row)
            for (std::int64_t m = 0; m < outputs; ++m)
              for (std::int64_t o = 0; o < places; ++o) {
                double sum = 0, size = 0;
                for (std::int64_t c = 0; c < kChannels; ++c)
                  for (std::int64_t k = 0; k < kTaps; ++k) {
                    const std::int64_t i = transposed ? o + 1 - k : o - 1 + k;
                    if (i < 0 || i >= places) continue;
                    const std::int64_t at =
                        transposed ? (c * outputs + m) * kTaps + k : (m * kChannels + c) * kTaps + k;
                    const double term = static_cast<double>(w[static_cast<std::size_t>(at)]) *
                                        x[static_cast<std::size_t>((row * kChannels + c) * places + i)];
                    sum += term;
                    size += std::abs(term);
                  }
                const float got = y[static_cast<std::size_t>((row * outputs + m) * places + o)];
                ASSERT_NEAR(got, sum, 1e-6 * size)
                    << transposed << " " << outputs << " of " << places << " " << to_string(isa);
              }
        }
      }
}

TEST(Moments, AreThoseOfDoublePrecisionForAnyCount) {
  const std::vector<float> x = normal(1000, 18, 3);
  for (std::size_t count = 1; count <= x.size(); count += count < 100 ? 1 : 97) {
    double sum = 0, squares = 0, fused_mean = 0, fused_variance = 0;
    for (std::size_t i = 0; i < count; ++i) sum += 100.0 + x[i];
    const double truth = sum / static_cast<double>(count) - 100;
    for (std::size_t i = 0; i < count; ++i) squares += (x[i] - truth) * (x[i] - truth);
    for (const Isa isa : calo::infer::kIsas) {
      if (!calo::infer::has_isa(isa)) continue;
      double mean = 0, variance = 0;
      calo::infer::moments_kernel(isa)(x.data(), count, mean, variance);
      EXPECT_NEAR(mean, truth, 1e-12);
      EXPECT_NEAR(variance, squares / static_cast<double>(count), 1e-11);
      if (isa == Isa::kAvx2) fused_mean = mean, fused_variance = variance;
      if (isa == Isa::kAvx512) {
        EXPECT_EQ(mean, fused_mean);
        EXPECT_EQ(variance, fused_variance);
      }
      std::vector<float> y(count);
      calo::infer::affine_kernel(isa)(x.data(), count, 1.5f, -0.25f, y.data());
      for (std::size_t i = 0; i < count; ++i) EXPECT_NEAR(y[i], 1.5f * x[i] - 0.25f, 2e-6);
    }
  }
}

}  // namespace
