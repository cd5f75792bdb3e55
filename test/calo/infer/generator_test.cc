#include "calo/infer/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "calo/infer/noise.h"
#include "core/error.h"
#include "support/counting_new.h"
#include "support/onnx_writer.h"

namespace {

using calo::infer::Generator;
using calo::infer::LoadOptions;
using calo::infer::Model;
using calo::infer::Particle;
using calo::infer::Precision;
using calo::infer::SparseShowers;
using calo::infer::Workspace;

Generator make(const test::GeneratorModel& model, const LoadOptions& options = {}) {
  return Generator(Model::from_bytes(test::as_bytes(model.bytes()), options));
}

std::vector<Particle> particles(std::size_t count) {
  std::vector<Particle> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({.energy_mev = 1000.0f * static_cast<float>(1 + i % 50),
                   .theta_rad = 1.2f + 0.005f * static_cast<float>(i % 30),
                   .geometry = static_cast<std::uint32_t>(i % 2),
                   .event = i / 3,
                   .particle = static_cast<std::uint32_t>(i % 3)});
  return out;
}

using Hits = std::vector<std::pair<std::uint32_t, float>>;
std::vector<Hits> hits_of(const SparseShowers& showers) {
  std::vector<Hits> out;
  for (std::size_t i = 0; i < showers.size(); ++i) {
    Hits hits;
    for (std::size_t j = 0; j < showers.cells_of(i).size(); ++j)
      hits.emplace_back(showers.cells_of(i)[j], showers.energies_of(i)[j]);
    out.push_back(std::move(hits));
  }
  return out;
}

const char* const kContracts[] = {"plain", "par04-vae", "par04-calodit"};

// Sparse cells of any batch are, to the bit, those of one shower at a time; dense cells agree with them.
TEST(Generator, GivesTheSameBitsWhateverTheBatchAndTheThreads) {
  for (const std::string contract : kContracts)
    for (const Precision precision : calo::infer::kPrecisions) {
      // Wide enough that the last layer is not a small one.
      const Generator generator = make({.contract = contract, .hidden = {11, 100}}, {.precision = precision});
      ASSERT_TRUE(generator.model().is_generator());
      ASSERT_TRUE(generator.model().runs_any_batch());
      const std::vector<Particle> all = particles(40);
      const float threshold = 400;
      SparseShowers showers;
      std::vector<Hits> alone;
      {
        Workspace workspace;
        for (const Particle& particle : all) {
          generator.generate({&particle, 1}, 9, threshold, workspace, showers);
          alone.push_back(hits_of(showers)[0]);
        }
      }
      std::size_t hits = 0;
      for (const Hits& shower : alone) hits += shower.size();
      EXPECT_GT(hits, 1000u);
      EXPECT_LT(hits, 40u * 660);
      for (const int threads : {1, 3})
        for (const std::size_t batch : {2, 7, 40}) {
          core::ThreadPool pool(threads);
          Workspace workspace(threads > 1 ? &pool : nullptr);
          std::vector<Hits> together;
          for (std::size_t begin = 0; begin < all.size(); begin += batch) {
            generator.generate(std::span(all).subspan(begin, std::min(batch, all.size() - begin)), 9,
                               threshold, workspace, showers);
            for (Hits& shower : hits_of(showers)) together.push_back(std::move(shower));
          }
          ASSERT_EQ(together, alone) << contract << " " << to_string(precision) << " " << batch;
        }
      Workspace workspace;
      std::vector<float> dense(all.size() * 660);
      generator.generate_dense(all, 9, workspace, dense);
      for (std::size_t i = 0; i < all.size(); ++i) {
        Hits above;
        for (std::uint32_t cell = 0; cell < 660; ++cell)
          if (dense[i * 660 + cell] >= threshold) above.emplace_back(cell, dense[i * 660 + cell]);
        ASSERT_EQ(above, alone[i]);
      }
    }
}

// The packed generator gives what the single operators give.
TEST(Generator, AgreesWithTheInterpreter) {
  for (const std::string contract : kContracts)
    for (const std::string out : {"sigmoid", "Sigmoid", "Relu", "Softplus"})
      for (const std::string activation : {"LeakyRelu", "Elu", "Selu", "Tanh", "Sigmoid", "Relu"}) {
        const test::GeneratorModel description{
            .contract = contract, .activation = activation, .out_activation = out};
        const Generator generator = make(description), plain = make(description, {.fuse = false});
        EXPECT_FALSE(plain.model().is_generator());
        const std::vector<Particle> all = particles(5);
        Workspace workspace;
        std::vector<float> fast(5 * 660), slow(5 * 660);
        generator.generate_dense(all, 1, workspace, fast);
        Workspace other;
        // The interpreter takes the file at its word: Par04's contracts are of one shower.
        plain.generate_dense(all, 1, other, slow);
        const float largest = *std::max_element(slow.begin(), slow.end());
        ASSERT_GT(largest, 1);
        for (std::size_t i = 0; i < fast.size(); ++i)
          ASSERT_NEAR(fast[i], slow[i], 2e-5 * std::abs(slow[i]) + 2e-6 * largest)
              << contract << out << activation;
        SparseShowers a, b;
        generator.generate(all, 1, 0, workspace, a);
        plain.generate(all, 1, 0, other, b);
        EXPECT_EQ(a.size(), b.size());
        EXPECT_NEAR(static_cast<double>(a.num_hits()), static_cast<double>(b.num_hits()), 2);
      }
}

// The same noise reaches the network, whether the contract takes it or draws it.
TEST(Generator, DrawsTheLatentNoiseOfSeedEventAndParticle) {
  // One hidden layer without weights on the conditions: what comes out depends on the noise alone.
  const auto first_cells = [](std::uint64_t seed, std::uint64_t event, std::uint32_t particle) {
    const Generator generator = make({.contract = "par04-calodit"});
    Workspace workspace;
    std::vector<float> dense(660);
    const Particle one{.energy_mev = 5000, .theta_rad = 1, .event = event, .particle = particle};
    generator.generate_dense({&one, 1}, seed, workspace, dense);
    return dense;
  };
  const std::vector<float> base = first_cells(1, 2, 3);
  EXPECT_EQ(first_cells(1, 2, 3), base);
  EXPECT_NE(first_cells(2, 2, 3), base);
  EXPECT_NE(first_cells(1, 3, 3), base);
  EXPECT_NE(first_cells(1, 2, 4), base);
  EXPECT_NE(first_cells(1, 2ull + (1ull << 40), 3), base);
  // The noise itself, seen by a graph that gives it out.
  using W = test::OnnxWriter;
  W writer;
  writer.input(W::value("x", {1, 2})).node("RandomNormal", {}, {"z"}, {W::ints_attribute("shape", {1, 4})});
  writer.node("Concat", {"x", "z"}, {"y"}, {W::int_attribute("axis", 1)}).output(W::value("y", {1, 6}));
  const Model model = Model::from_bytes(test::as_bytes(writer.model()));
  Workspace workspace;
  const std::vector<float> x(4, 0.0f);
  const std::vector<std::int64_t> shape = {2, 2};
  const calo::infer::NoiseKey keys[] = {{.seed = 1, .event = 2}, {.seed = 1, .event = 5}};
  const calo::infer::InputView view{.shape = shape, .floats = x};
  model.run({&view, 1}, keys, workspace);
  const auto y = model.output(workspace, 0).floats;
  ASSERT_EQ(y.size(), 12u);
  for (std::size_t row = 0; row < 2; ++row) {
    core::Philox random(1, row == 0 ? 2 : 5, calo::infer::kLatentStream);
    for (std::size_t j = 0; j < 4; ++j) EXPECT_EQ(y[row * 6 + 2 + j], random.normal());
  }
}

TEST(Generator, AllocatesNothingAfterTheFirstBatch) {
  for (const std::string contract : kContracts)
    for (const Precision precision : calo::infer::kPrecisions) {
      const Generator generator = make({.contract = contract, .hidden = {11, 100}}, {.precision = precision});
      const std::vector<Particle> all = particles(32);
      Workspace workspace;
      SparseShowers showers;
      // A threshold that nothing reaches: later batches have more hits than any before.
      generator.generate(all, 1, 1e9f, workspace, showers);
      const std::int64_t before = test::allocations();
      for (std::uint64_t seed = 2; seed < 12; ++seed)
        for (const std::size_t count : {1, 5, 32}) {
          generator.generate(std::span(all).first(count), seed, 0, workspace, showers);
          ASSERT_GT(showers.num_hits(), 100u);
        }
      EXPECT_EQ(test::allocations() - before, 0) << contract << " " << to_string(precision);
    }
}

TEST(Generator, IsSharedByThreads) {
  const Generator generator = make({.hidden = {11, 100}});
  const std::vector<Particle> all = particles(64);
  SparseShowers expected;
  Workspace first;
  generator.generate(all, 5, 300, first, expected);
  const std::vector<Hits> wanted = hits_of(expected);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Workspace workspace;
      SparseShowers showers;
      for (std::size_t i = 0; i < all.size(); ++i) {
        const std::size_t at = (i * 7 + static_cast<std::size_t>(t) * 13) % all.size();
        generator.generate({&all[at], 1}, 5, 300, workspace, showers);
        if (hits_of(showers)[0] != wanted[at]) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// More showers than are computed at once, and none.
TEST(Generator, TakesAnyNumberOfParticles) {
  const Generator generator = make({});
  std::vector<Particle> all = particles(1300);
  Workspace workspace;
  SparseShowers showers, part;
  generator.generate(all, 5, 300, workspace, showers);
  ASSERT_EQ(showers.size(), 1300u);
  generator.generate(std::span(all).subspan(1100, 10), 5, 300, workspace, part);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_THAT(showers.cells_of(1100 + i), testing::ElementsAreArray(part.cells_of(i)));
    EXPECT_THAT(showers.energies_of(1100 + i), testing::ElementsAreArray(part.energies_of(i)));
  }
  generator.generate({}, 5, 300, workspace, showers);
  EXPECT_EQ(showers.size(), 0u);
  EXPECT_EQ(showers.num_hits(), 0u);
}

TEST(Generator, NarrowWeightsStayNearTheWideOnes) {
  const test::GeneratorModel description{.hidden = {11, 100}, .weight_deviation = 0.1f};
  const std::vector<Particle> all = particles(20);
  std::vector<float> wide(20 * 660), narrow(20 * 660);
  Workspace workspace;
  make(description).generate_dense(all, 1, workspace, wide);
  for (const auto& [precision, bound] :
       {std::pair{Precision::kBf16, 0.01}, {Precision::kInt8, 0.01}, {Precision::kW8a8, 0.03}}) {
    Workspace other;
    const Generator generator = make(description, {.precision = precision});
    generator.generate_dense(all, 1, other, narrow);
    double squares = 0;
    for (std::size_t i = 0; i < wide.size(); ++i) squares += std::pow(narrow[i] / wide[i] - 1, 2);
    const double deviation = std::sqrt(squares / static_cast<double>(wide.size()));
    EXPECT_LT(deviation, bound) << to_string(precision);
    EXPECT_GT(deviation, 1e-5) << to_string(precision);  // that it is narrow at all
    EXPECT_LT(generator.model().weight_bytes(), make(description).model().weight_bytes() * 0.6);
  }
}

TEST(Generator, RefusesParticlesThatCannotBe) {
  const Generator generator = make({});
  Workspace workspace;
  SparseShowers showers;
  for (const Particle& particle :
       {Particle{.energy_mev = 0}, Particle{.energy_mev = -1}, Particle{.energy_mev = NAN},
        Particle{.energy_mev = INFINITY}, Particle{.energy_mev = 1, .theta_rad = NAN},
        Particle{.energy_mev = 1, .geometry = 2}})
    EXPECT_THROW(generator.generate({&particle, 1}, 1, 0, workspace, showers), core::UsageError);
  EXPECT_EQ(generator.num_cells(), 660);
  EXPECT_EQ(generator.mesh().n_phi, 10);
  EXPECT_THAT(generator.geometries(), testing::ElementsAre("SciPb", "SiW"));
}

}  // namespace
