// Peer: models that calopipe converted are checked with `onnx` and run with `onnxruntime` as in Geant4's
// example Par04, and compared with calopipe's own decoder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "calo/convert/convert.h"
#include "calo/models/architectures.h"
#include "core/staged_output.h"
#include "support/random_model.h"
#include "support/random_showers.h"
#include "support/raw_floats.h"
#include "support/temp_folder.h"

namespace {

using nlohmann::json;
using test::raw;
using test::read_raw;

const char* kActivations[] = {"leaky_relu", "relu", "elu", "selu", "gelu", "tanh", "sigmoid"};
const char* kOutActivations[] = {"sigmoid", "relu", "softplus", "linear"};

// E_max, theta_max and the order of geometries differ from Par04's.
calo::Transform odd_transform() {
  return {.mesh = test::small_mesh(),
          .max_energy_mev = 250000,
          .max_theta_deg = 70,
          .one_hot_order = {"ODD", "SiW", "SciPb"},
          .min_trained_energy_mev = 1000,
          .max_trained_energy_mev = 200000,
          .min_trained_theta_deg = 50,
          .max_trained_theta_deg = 90,
          .trained_geometries = {"SciPb", "SiW"},
          .readout_threshold_mev = 0.0005};
}

struct Particle {
  float energy_mev;
  float theta_rad;
  float phi_rad;
};

const std::vector<Particle> kParticles = {
    {1000, 1.5f, 0.1f}, {200000, 1.0f, -2.0f}, {16000, 1.5707963f, 3.0f}, {55555, 1.25f, 0}};

std::vector<float> noise(std::size_t showers, std::size_t latent_dim) {
  core::Philox random(5, 1);
  std::vector<float> values(showers * latent_dim);
  for (float& value : values) value = random.normal();
  return values;
}

// All cells of one shower, from calopipe's own decoder.
std::vector<double> decoded(const calo::ModelFolder& model, const float* latent, const Particle& particle,
                            const std::string& geometry) {
  const calo::Conditions condition{.incident_energy_mev = particle.energy_mev,
                                   .theta_rad = particle.theta_rad};
  const auto size = static_cast<std::size_t>(model.description.latent_dim);
  return calo::architecture_of(model).reference_mev(
      model, {.latents = {latent, size}, .conditions = {&condition, 1}, .geometries = {&geometry, 1}});
}

void expect_same(const std::vector<double>& expected, const float* found, double to_mev,
                 const std::string& what) {
  const double largest = *std::max_element(expected.begin(), expected.end());
  double difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    difference = std::max(difference, std::abs(found[i] * to_mev - expected[i]));
  EXPECT_GT(largest, 0) << what;
  EXPECT_LT(difference / largest, 1e-5) << what;
}

class Onnxruntime : public testing::Test {
 protected:
  void SetUp() override {
    python_ = std::getenv("CALOPIPE_PYTHON");
    if (python_ == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  }

  json run(const json& jobs) const {
    core::write_file(folder_ / "jobs.json", jobs.dump());
    const std::string command =
        std::string("'") + python_ + "' " CALOPIPE_SOURCE_DIR "/test/calo/convert/run_onnx.py '" +
        (folder_ / "jobs.json").string() + "' > '" + (folder_ / "said.json").string() + "'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return json::parse(core::read_file(folder_ / "said.json"));
  }

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }

  // Input for a VAE as Par04InferenceSetup::GetEnergies writes it.
  static std::vector<float> par04_vae_rows(const std::vector<float>& latents, std::size_t latent_dim) {
    std::vector<float> rows;
    for (std::size_t i = 0; i < kParticles.size(); ++i) {
      rows.insert(rows.end(), latents.begin() + static_cast<std::ptrdiff_t>(i * latent_dim),
                  latents.begin() + static_cast<std::ptrdiff_t>((i + 1) * latent_dim));
      const float max_energy_mev = 1024000, max_angle_deg = 90;
      const double deg = std::numbers::pi / 180;
      rows.push_back(kParticles[i].energy_mev / max_energy_mev);
      rows.push_back(static_cast<float>(kParticles[i].theta_rad / deg / max_angle_deg));
      rows.push_back(0);
      rows.push_back(1);
    }
    return rows;
  }

  test::TempFolder folder_;
  const char* python_ = nullptr;
};

TEST_F(Onnxruntime, GivesOurDecodersShowersInPar04ForEveryActivation) {
  const std::vector<float> latents = noise(kParticles.size(), 4);
  core::write_file(file("rows"), raw(par04_vae_rows(latents, 4)));
  json jobs = json::array();
  std::vector<calo::ModelFolder> models;
  for (const char* activation : kActivations)
    for (const char* out : kOutActivations)
      for (const bool norm : {true, false}) {
        models.push_back(test::random_model({.intermediate_dims = {30, 11},
                                             .latent_dim = 4,
                                             .activation = activation,
                                             .out_activation = out,
                                             .batch_norm = norm},
                                            odd_transform(), models.size()));
        const std::string name = std::to_string(models.size() - 1);
        const calo::ConvertReport report =
            calo::convert(models.back(), {.contract = calo::Contract::kPar04Vae}, file(name + ".onnx"));
        EXPECT_LT(report.check.largest_difference, 1e-5);
        jobs.push_back({{"model", file(name + ".onnx").string()},
                        {"inputs", {{"input", {file("rows").string(), {kParticles.size(), 8}}}}},
                        {"outputs", {{"energy_fractions", file(name + ".out").string()}}},
                        {"per_row", true}});
      }
  const json said = run(jobs);
  for (std::size_t m = 0; m < models.size(); ++m) {
    const std::string what = models[m].description.activation + ", " + models[m].description.out_activation;
    EXPECT_EQ(said[m]["inputs"], json({{"input", {1, 8}}}));
    EXPECT_LE(said[m]["opset"][0], 17);
    const std::vector<float> found = read_raw(file(std::to_string(m) + ".out"));
    ASSERT_EQ(found.size(), kParticles.size() * 120) << what;
    for (std::size_t i = 0; i < kParticles.size(); ++i)
      expect_same(decoded(models[m], latents.data() + i * 4, kParticles[i], "SiW"), found.data() + i * 120,
                  kParticles[i].energy_mev, what);
  }
}

// The Par04 VAE of MLFastSim on the mesh of 40 500 cells, compared in every cell, down to the readout
// threshold: onnxruntime's operator Sigmoid would be wrong by several keV there.
TEST_F(Onnxruntime, KeepsSmallCellsOfTheWholeMesh) {
  calo::Transform transform = odd_transform();
  transform.mesh = calo::VoxelMesh();
  const calo::ModelFolder model = test::random_model({}, transform);
  const std::vector<float> latents = noise(kParticles.size(), 10);
  core::write_file(file("rows"), raw(par04_vae_rows(latents, 10)));
  calo::convert(model, {.contract = calo::Contract::kPar04Vae}, file("model.onnx"));
  const json said = run({{{"model", file("model.onnx").string()},
                          {"inputs", {{"input", {file("rows").string(), {kParticles.size(), 14}}}}},
                          {"outputs", {{"energy_fractions", file("out").string()}}},
                          {"per_row", true}}});
  EXPECT_EQ(said[0]["outputs"]["energy_fractions"], json({kParticles.size(), 40500}));
  const std::vector<float> found = read_raw(file("out"));
  ASSERT_EQ(found.size(), kParticles.size() * 40500);
  std::size_t small = 0;
  for (std::size_t i = 0; i < kParticles.size(); ++i) {
    const auto expected = decoded(model, latents.data() + i * 10, kParticles[i], "SiW");
    expect_same(expected, found.data() + i * 40500, kParticles[i].energy_mev, "whole mesh");
    for (std::size_t cell = 0; cell < 40500; ++cell) {
      ASSERT_NEAR(found[i * 40500 + cell] * kParticles[i].energy_mev / expected[cell], 1, 1e-4) << cell;
      small += expected[cell] < 1e-6 * kParticles[i].energy_mev ? 1 : 0;
    }
  }
  EXPECT_GT(small, 100u);
}

// `plain`: inputs by name, any batch size, output in MeV; each geometry by its column.
TEST_F(Onnxruntime, TakesAnyBatchOfThePlainContract) {
  const std::size_t count = kParticles.size();
  const std::vector<float> latents = noise(count, 4);
  const std::vector<std::string> geometries = {"SciPb", "ODD", "SiW", "SiW"};
  std::vector<float> energies, thetas, one_hot;
  for (std::size_t i = 0; i < count; ++i) {
    energies.push_back(kParticles[i].energy_mev);
    thetas.push_back(kParticles[i].theta_rad);
    for (const char* name : {"ODD", "SiW", "SciPb"}) one_hot.push_back(geometries[i] == name ? 1.0f : 0.0f);
  }
  core::write_file(file("latents"), raw(latents));
  core::write_file(file("energies"), raw(energies));
  core::write_file(file("thetas"), raw(thetas));
  core::write_file(file("one_hot"), raw(one_hot));
  json jobs = json::array();
  std::vector<calo::ModelFolder> models;
  for (const char* out : kOutActivations) {
    models.push_back(test::random_model({.intermediate_dims = {16}, .latent_dim = 4, .out_activation = out},
                                        odd_transform(), models.size()));
    const std::string name = std::to_string(models.size() - 1);
    calo::convert(models.back(), {}, file(name + ".onnx"));
    jobs.push_back({{"model", file(name + ".onnx").string()},
                    {"inputs",
                     {{"latent", {file("latents").string(), {count, 4}}},
                      {"energy_mev", {file("energies").string(), {count, 1}}},
                      {"theta_rad", {file("thetas").string(), {count, 1}}},
                      {"geometry", {file("one_hot").string(), {count, 3}}}}},
                    {"outputs", {{"energies_mev", file(name + ".out").string()}}},
                    {"per_row", false}});
  }
  const json said = run(jobs);
  for (std::size_t m = 0; m < models.size(); ++m) {
    EXPECT_EQ(said[m]["inputs"]["latent"], json({"N", 4}));
    EXPECT_EQ(said[m]["outputs"]["energies_mev"], json({count, 4, 6, 5}));
    const std::vector<float> found = read_raw(file(std::to_string(m) + ".out"));
    for (std::size_t i = 0; i < count; ++i)
      expect_same(decoded(models[m], latents.data() + i * 4, kParticles[i], geometries[i]),
                  found.data() + i * 120, 1, models[m].description.out_activation);
  }
}

// CaloDiT-2's contract: eight numbers as input, noise drawn inside, which differs in each run and each
// program.
TEST_F(Onnxruntime, DrawsItsOwnNoiseForCaloDit) {
  std::vector<float> rows;
  for (const Particle& particle : kParticles) {
    const float row[8] = {particle.energy_mev / 1000, particle.phi_rad, particle.theta_rad, 1, 0, 0, 0, 0};
    rows.insert(rows.end(), row, row + 8);
  }
  core::write_file(file("rows"), raw(rows));
  std::vector<std::vector<float>> drawn;
  for (const char* out : {"sigmoid", "softplus", "sigmoid"}) {
    const calo::ModelFolder model = test::random_model(
        {.intermediate_dims = {30, 11}, .latent_dim = 4, .out_activation = out}, odd_transform());
    calo::convert(model, {.contract = calo::Contract::kPar04CaloDit, .geometry = "SciPb"},
                  file("model.onnx"));
    const json said =
        run({{{"model", file("model.onnx").string()},
              {"inputs", {{"input", {file("rows").string(), {kParticles.size(), 8}}}}},
              {"outputs", {{"energies_gev", file("out").string()}, {"latent", file("latent").string()}}},
              {"expose", "latent"},
              {"per_row", true}}});
    EXPECT_EQ(said[0]["inputs"], json({{"input", {1, 8}}}));
    EXPECT_EQ(said[0]["metadata"]["calopipe.par04_geometry"], "SciPb");
    drawn.push_back(read_raw(file("latent")));
    const std::vector<float> found = read_raw(file("out"));
    ASSERT_EQ(found.size(), kParticles.size() * 120);
    for (std::size_t i = 0; i < kParticles.size(); ++i)
      expect_same(decoded(model, drawn.back().data() + i * 4, kParticles[i], "SciPb"), found.data() + i * 120,
                  1000, out);
  }
  for (const std::vector<float>& latents : drawn) {
    std::vector<float> sorted = latents;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(std::adjacent_find(sorted.begin(), sorted.end()), sorted.end()) << "noise repeats in a run";
  }
  EXPECT_NE(drawn[0], drawn[1]);
  EXPECT_NE(drawn[0], drawn[2]);
}

TEST_F(Onnxruntime, ReadsWhatTheModelIsAbout) {
  const calo::ModelFolder model =
      test::random_model({.intermediate_dims = {8}, .latent_dim = 4}, odd_transform());
  const std::vector<float> latents = noise(kParticles.size(), 4);
  core::write_file(file("rows"), raw(par04_vae_rows(latents, 4)));
  calo::convert(model, {.contract = calo::Contract::kPar04Vae, .provenance = {{"component", "convert"}}},
                file("model.onnx"));
  const json said = run({{{"model", file("model.onnx").string()},
                          {"inputs", {{"input", {file("rows").string(), {kParticles.size(), 8}}}}},
                          {"outputs", json::object()},
                          {"per_row", true}}});
  const json& metadata = said[0]["metadata"];
  const auto parsed = [&](const char* key) {
    return json::parse(metadata.at(std::string("calopipe.") + key).get<std::string>());
  };
  EXPECT_EQ(metadata["calopipe.contract"], "par04-vae");
  EXPECT_EQ(metadata["calopipe.output_times_gives_mev"], "incident energy in MeV");
  EXPECT_EQ(metadata["calopipe.cell_order"], "r, phi, z (z fastest)");
  EXPECT_EQ(metadata["calopipe.latent_dim"], "4");
  EXPECT_EQ(calo::VoxelMesh::from_json(parsed("mesh")), test::small_mesh());
  EXPECT_EQ(parsed("max_energy_mev"), 250000);
  EXPECT_EQ(parsed("max_theta_deg"), 70);
  EXPECT_EQ(parsed("geometries"), json({"SciPb", "SiW"}));
  EXPECT_EQ(parsed("trained")["max_energy_mev"], 200000);
  EXPECT_EQ(parsed("sampling")["latent"], "standard normal");
  EXPECT_EQ(parsed("conditions").size(), 4u);
  EXPECT_EQ(parsed("conditions")[3]["geometry"], "SiW");
  EXPECT_EQ(parsed("provenance")["component"], "convert");
}

}  // namespace
