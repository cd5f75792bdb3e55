#include "calo/generate/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "calo/generate/shower_source.h"
#include "calo/infer/noise.h"
#include "calo/io/shower_reader.h"
#include "calo/io/shower_writer.h"
#include "calo/models/architectures.h"
#include "calo/models/stored_model.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/philox.h"
#include "core/staged_output.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

calo::ModelFolder model_for(const calo::VoxelMesh& mesh, const std::string& activation = "leaky_relu",
                            const std::string& out_activation = "sigmoid") {
  core::ThreadPool pool(1);
  calo::ModelFolder model{.description = {.intermediate_dims = {30, 11},
                                          .latent_dim = 4,
                                          .activation = activation,
                                          .out_activation = out_activation,
                                          .bias_initializer = "random_normal"},
                          .transform = {.mesh = mesh,
                                        .max_energy_mev = 64000,
                                        .min_trained_energy_mev = 1000,
                                        .max_trained_energy_mev = 64000,
                                        .min_trained_theta_deg = 90,
                                        .max_trained_theta_deg = 90,
                                        .trained_geometries = {"SiW"}}};
  model.weights =
      calo::new_model({.description = model.description, .transform = model.transform, .seed = 7}, pool)
          ->weights();
  core::Philox random(1, 1);
  for (auto& [name, tensor] : model.weights)
    if (name.find(".norm.") != std::string::npos)
      for (float& value : tensor.values) value = 0.5f + random.uniform();
  return model;
}

// The decoder according to its definition, in double precision.
std::vector<double> reference_cells(const calo::ModelFolder& model, const std::vector<float>& input,
                                    double energy_mev) {
  const auto& slope = model.description.activation_slope;
  const auto activate = [&](double x) {
    const std::string& name = model.description.activation;
    if (name == "relu") return std::max(x, 0.0);
    if (name == "elu") return x > 0 ? x : slope * std::expm1(x);
    if (name == "selu") return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
    if (name == "gelu") return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    if (name == "tanh") return std::tanh(x);
    if (name == "sigmoid") return 1 / (1 + std::exp(-x));
    return x > 0 ? x : slope * x;
  };
  const auto dense = [&](const std::vector<double>& x, const std::string& name) {
    const auto& weight = model.weights.at(name + ".weight");
    std::vector<double> out;
    for (std::int64_t i = 0; i < weight.shape[0]; ++i) {
      double sum = model.weights.at(name + ".bias").values[static_cast<std::size_t>(i)];
      for (std::size_t j = 0; j < x.size(); ++j)
        sum += weight.values[static_cast<std::size_t>(i) * x.size() + j] * x[j];
      out.push_back(sum);
    }
    return out;
  };
  std::vector<double> x(input.begin(), input.end());
  for (int layer = 0; layer < 2; ++layer) {
    const std::string name = "decoder." + std::to_string(layer);
    x = dense(x, name);
    const auto part = [&](const char* what, std::size_t i) {
      return model.weights.at(name + ".norm." + what).values[i];
    };
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = (activate(x[i]) - part("running_mean", i)) /
                 std::sqrt(part("running_var", i) + model.description.batch_norm_epsilon) *
                 part("weight", i) +
             part("bias", i);
  }
  x = dense(x, "decoder.output");
  const std::string& out = model.description.out_activation;
  for (double& z : x)
    z = energy_mev * (out == "sigmoid"    ? 1 / (1 + std::exp(-z))
                      : out == "softplus" ? std::log1p(std::exp(z))
                                          : std::max(z, 0.0));
  return x;
}

constexpr std::uint64_t kSeed = 3, kEvent = 7;
constexpr calo::Conditions kCondition{.incident_energy_mev = 16000, .theta_rad = 1.5f};

// Input of the decoder for the shower kEvent: its noise, then the conditions.
std::vector<float> decoder_input(const calo::ModelFolder& model) {
  std::vector<float> input(8);
  core::Philox random = calo::infer::noise_of({.seed = kSeed, .event = kEvent});
  for (std::size_t i = 0; i < 4; ++i) input[i] = random.normal();
  model.transform.encode(kCondition, "SiW", {input.data() + 4, 4});
  return input;
}

calo::Showers made(const calo::ModelFolder& model, double threshold_mev) {
  core::ThreadPool pool(2);
  calo::Showers showers;
  calo::ShowerSource::of_folder(model).make({{kCondition}}, {"SiW"}, kEvent, kSeed, threshold_mev, pool,
                                            showers);
  return showers;
}

TEST(ShowersOfAVae, AgreeWithTheDefinitionForEachActivation) {
  const calo::VoxelMesh mesh(calo::VoxelMesh::Cylinder{.n_r = 6, .n_phi = 10, .n_z = 11});
  for (const char* activation : {"leaky_relu", "relu", "elu", "selu", "gelu", "tanh", "sigmoid"}) {
    const calo::ModelFolder model = model_for(mesh, activation);
    const calo::Showers showers = made(model, 0);
    const std::vector<double> expected = reference_cells(model, decoder_input(model), 16000);
    ASSERT_EQ(showers.cells_of(0).size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(showers.energies_of(0)[i] / expected[i], 1, 2e-5) << activation;
  }
}

// For every output activation, the remaining cells are those at or above the threshold, in order.
TEST(ShowersOfAVae, LeaveOutWhatIsBelowTheThreshold) {
  const calo::VoxelMesh mesh(calo::VoxelMesh::Cylinder{.n_r = 6, .n_phi = 10, .n_z = 11});
  for (const char* out : {"sigmoid", "relu", "softplus", "linear"}) {
    const calo::ModelFolder model = model_for(mesh, "leaky_relu", out);
    std::vector<double> expected = reference_cells(model, decoder_input(model), 16000);
    std::vector<double> sorted = expected;
    std::sort(sorted.begin(), sorted.end());
    // Between two cells, so that rounding cannot move a cell across it.
    const double threshold = (sorted[expected.size() * 3 / 4] + sorted[expected.size() * 3 / 4 + 1]) / 2;
    const calo::Showers showers = made(model, threshold);
    std::vector<std::uint32_t> cells;
    for (std::size_t cell = 0; cell < expected.size(); ++cell)
      if (expected[cell] >= threshold && expected[cell] > 0)
        cells.push_back(static_cast<std::uint32_t>(cell));
    ASSERT_GT(cells.size(), 50u) << out;
    EXPECT_THAT(showers.cells_of(0), testing::ElementsAreArray(cells)) << out;
    for (std::size_t i = 0; i < std::min(cells.size(), showers.num_hits()); ++i)
      EXPECT_NEAR(showers.energies_of(0)[i] / expected[cells[i]], 1, 2e-5) << out;
  }
}

// A model folder contains its generator, which gives the same showers as the weights.
TEST(StoredModel, HoldsTheGeneratorThatIsRun) {
  const calo::ModelFolder model = model_for(test::small_mesh());
  const test::TempFolder folder;
  calo::write_model(folder.path(), model);
  EXPECT_TRUE(core::read_file(folder / "generator.onnx") ==
              calo::generator_of(calo::read_model(folder.path())));
  const auto showers_of = [](calo::ShowerSource source) {
    core::ThreadPool pool(1);
    calo::Showers showers;
    source.make({{kCondition}}, {"SiW"}, kEvent, kSeed, 0, pool, showers);
    return showers.energies_mev;
  };
  const std::vector<float> expected = showers_of(calo::ShowerSource::of_folder(model));
  EXPECT_EQ(showers_of(calo::ShowerSource::open(folder.path())), expected);
  EXPECT_EQ(showers_of(calo::ShowerSource::open(folder / "generator.onnx")), expected);
  std::filesystem::remove(folder / "generator.onnx");  // folders of calopipe before 0.2 have none
  EXPECT_EQ(showers_of(calo::ShowerSource::open(folder.path())), expected);
}

TEST(Generate, GivesTheSameBytesWhateverTheBatchAndTheThreads) {
  const test::TempFolder folder;
  const calo::ModelFolder model =
      model_for(calo::VoxelMesh(calo::VoxelMesh::Cylinder{.n_r = 6, .n_phi = 10, .n_z = 11}));
  std::string first;
  for (const int threads : {1, 2, 3})
    for (const std::int64_t batch : {1, 7, 128, 1000}) {
      core::ThreadPool pool(threads);
      calo::generate(model, {.energies_gev = {1, 50}, .events = 150, .batch_size = batch, .threshold_mev = 1},
                     folder / "out.h5", pool);
      const std::string hash = core::sha256_of_path(folder / "out.h5");
      if (first.empty()) first = hash;
      EXPECT_EQ(hash, first) << threads << " threads, batches of " << batch;
    }
}

TEST(Generate, MakesLogUniformEnergiesAndConditionsLikeOthers) {
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  const calo::ModelFolder model = model_for(test::small_mesh());
  calo::generate(model, {.events = 4000, .min_energy_gev = 1, .max_energy_gev = 64}, folder / "range.h5",
                 pool);
  const auto range = calo::ShowerReader::open(folder / "range.h5", {.mesh = test::small_mesh()}, pool);
  double mean = 0;
  for (const auto& condition : range->conditions()) {
    EXPECT_GE(condition.incident_energy_mev, 999);
    EXPECT_LE(condition.incident_energy_mev, 64001);
    mean += std::log(condition.incident_energy_mev / 1000) / 4000;
  }
  EXPECT_NEAR(mean, std::log(64.0) / 2, 5 * std::log(64.0) / std::sqrt(12.0 * 4000));
  calo::generate(model, {.like = folder / "range.h5", .layout = calo::Layout::kCalopipe}, folder / "like.h5",
                 pool);
  const auto like = calo::ShowerReader::open(folder / "like.h5", {}, pool);
  ASSERT_EQ(like->conditions().size(), 4000u);
  EXPECT_EQ(like->conditions()[17].incident_energy_mev, range->conditions()[17].incident_energy_mev);
}

TEST(Generate, TellsWhatItTookAndNotWhatGeant4Needed) {
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  const calo::VoxelMesh mesh = test::small_mesh();
  calo::Showers showers = test::random_showers(mesh, 600, 1);
  for (calo::Conditions& condition : showers.conditions) condition.sim_time_s = 3;
  const auto writer = calo::ShowerWriter::create(folder / "geant4.h5",
                                                 {.layout = calo::Layout::kCalopipe, .mesh = mesh}, pool);
  writer->append(showers);
  writer->commit();
  const calo::GenerateReport report =
      calo::generate(model_for(mesh), {.like = folder / "geant4.h5", .layout = calo::Layout::kCalopipe},
                     folder / "fast.h5", pool);
  EXPECT_FALSE(calo::mean_sim_time_s(calo::ShowerReader::open(folder / "fast.h5", {}, pool)->conditions()));
  EXPECT_EQ(report.showers, 600);
  EXPECT_EQ(report.threads, 2);
  EXPECT_EQ(report.batch_size, 256);
  EXPECT_GT(report.seconds_per_shower(), 0);
  EXPECT_DOUBLE_EQ(report.seconds_per_shower(), 2 * report.seconds / 600);
  EXPECT_GT(report.peak_memory_bytes, 1 << 20);
  core::write_file(folder / "a.json", report.to_json().dump());
  EXPECT_EQ(calo::GenerateReport::read(folder / "a.json").to_json(), report.to_json());
  nlohmann::json broken = report.to_json();
  broken["seconds"] = "long";
  core::write_file(folder / "b.json", broken.dump());
  for (const char* file : {"b.json", "fast.h5"}) {
    try {
      calo::GenerateReport::read(folder / file);
      FAIL() << file;
    } catch (const core::InputError& error) {
      EXPECT_EQ(error.details().file, folder / file);
      EXPECT_NE(error.details().hint.find("--performance"), std::string::npos);
    }
  }
}

TEST(Generate, RefusesWhatDoesNotFit) {
  const test::TempFolder folder;
  core::ThreadPool pool(1);
  const calo::ModelFolder model = model_for(test::small_mesh());
  EXPECT_THROW(calo::generate(model, {.geometry = "ODD", .energies_gev = {1}}, folder / "a.h5", pool),
               core::UsageError);
  EXPECT_THROW(calo::generate(model, {}, folder / "a.h5", pool), core::UsageError);
  EXPECT_THROW(calo::generate(model, {.like = "data/mlfastsim"}, folder / "a.h5", pool), core::InputError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
