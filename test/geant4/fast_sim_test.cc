#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/philox.h"
#include "core/staged_output.h"
#include "geant4/fast_sim/fast_generator.h"
#include "geant4/fast_sim/fast_sim_options.h"
#include "geant4/fast_sim/fast_sim_setup.h"
#include "geant4/fast_sim/particle_batch.h"
#include "geant4/fast_sim/shower_frame.h"
#include "support/onnx_writer.h"
#include "support/temp_folder.h"

namespace {

using geant4::CylinderMesh;
using geant4::FastGenerator;
using geant4::FastSimOptions;
using geant4::ShowerFrame;
using geant4::Vector3;

constexpr CylinderMesh::Size kSmall{.n_r = 4, .n_phi = 6, .n_z = 5, .size_r_mm = 2, .size_z_mm = 3};

double dot(const Vector3& a, const Vector3& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
Vector3 minus(const Vector3& a, const Vector3& b) {
  return {.x = a.x - b.x, .y = a.y - b.y, .z = a.z - b.z};
}
double length(const Vector3& a) {
  return std::sqrt(dot(a, a));
}
Vector3 random_direction(core::Philox& random) {
  return {.x = random.normal(), .y = random.normal(), .z = random.normal()};
}

TEST(ShowerFrame, KeepsLengthsAndComesBack) {
  core::Philox random(1, 0);
  for (int i = 0; i < 200; ++i) {
    const Vector3 entry{.x = 100 * random.normal(), .y = 100 * random.normal(), .z = 100 * random.normal()};
    const Vector3 direction = random_direction(random);
    const ShowerFrame frame(entry, direction);
    const Vector3 a = random_direction(random), b = random_direction(random);
    const Vector3 ga = frame.to_global(a), gb = frame.to_global(b);
    EXPECT_NEAR(length(minus(ga, gb)), length(minus(a, b)), 1e-9);
    EXPECT_NEAR(length(minus(frame.to_local(ga), a)), 0, 1e-9);
    // z runs along the direction.
    const Vector3 along = minus(frame.to_global({.z = 2}), entry);
    EXPECT_NEAR(dot(along, direction), 2 * length(direction), 1e-9);
  }
}

// Par04: rotateZ(-phi), then rotateY(-theta). At theta = phi = 90 degrees x points against global z and y
// along minus global x.
TEST(ShowerFrame, IsOrientedAsPar04) {
  const ShowerFrame frame({.y = 800}, {.y = 1});
  const Vector3 x = frame.to_global({.x = 1}), y = frame.to_global({.y = 1}), z = frame.to_global({.z = 1});
  EXPECT_NEAR(x.z, -1, 1e-12);
  EXPECT_NEAR(x.y, 800, 1e-12);
  EXPECT_NEAR(y.x, -1, 1e-12);
  EXPECT_NEAR(z.y, 801, 1e-12);
}

TEST(ShowerFrame, OfTheBeamAxisIsTheGlobalOne) {
  const ShowerFrame frame({}, {.z = 5});
  const Vector3 point = frame.to_global({.x = 1, .y = 2, .z = 3});
  EXPECT_EQ(point.x, 1);
  EXPECT_EQ(point.y, 2);
  EXPECT_EQ(point.z, 3);
}

TEST(CylinderMesh, CentresLieInTheirCells) {
  const CylinderMesh mesh(kSmall);
  ASSERT_EQ(mesh.num_cells(), 120u);
  for (std::uint32_t cell = 0; cell < mesh.num_cells(); ++cell)
    EXPECT_EQ(mesh.cell_at(mesh.centre(cell)), cell);
}

TEST(CylinderMesh, PointsFallIntoTheCellsAroundThem) {
  const CylinderMesh mesh(kSmall);
  core::Philox random(2, 0);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 20000; ++i) {
    const double r = 9 * random.uniform(), phi = (2 * random.uniform() - 1) * std::numbers::pi;
    const double z = 18 * random.uniform() - 1.5;
    const auto cell = mesh.cell_at({.x = r * std::cos(phi), .y = r * std::sin(phi), .z = z});
    ASSERT_EQ(cell.has_value(), r < 8 && z >= 0 && z < 15) << r << " " << z;
    if (!cell) continue;
    const int i_r = static_cast<int>(r / 2), i_z = static_cast<int>(z / 3);
    const int i_phi = static_cast<int>((phi + std::numbers::pi) / (2 * std::numbers::pi) * 6);
    ASSERT_EQ(*cell, static_cast<std::uint32_t>((i_r * 6 + i_phi) * 5 + i_z));
    seen.insert(*cell);
  }
  EXPECT_EQ(seen.size(), 120u);
}

// atan2 gives pi where the first cell begins.
TEST(CylinderMesh, AFullTurnIsTheFirstCell) {
  EXPECT_EQ(CylinderMesh(kSmall).cell_at({.x = -1, .y = 0, .z = 1}), 0u);
  EXPECT_EQ(CylinderMesh(kSmall).cell_at({.x = -1, .y = -0.0, .z = 1}), 0u);
}

TEST(CylinderMesh, RefusesNothing) {
  CylinderMesh::Size size = kSmall;
  size.size_z_mm = 0;
  EXPECT_THROW(CylinderMesh{size}, core::UsageError);
  size = kSmall;
  size.n_phi = 0;
  EXPECT_THROW(CylinderMesh{size}, core::UsageError);
}

TEST(Containment, AsksForPartOfTheDepth) {
  EXPECT_TRUE(geant4::is_contained(153, 45 * 3.4, 1));  // the SiW calorimeter and its mesh are as deep
  EXPECT_FALSE(geant4::is_contained(152, 153, 1));
  EXPECT_TRUE(geant4::is_contained(152, 153, 0.9));
  EXPECT_TRUE(geant4::is_contained(0, 153, 0));
}

TEST(ParticleNumbers, BelongToTheEvent) {
  geant4::ParticleNumbers numbers;
  EXPECT_EQ(numbers.next(0, 7).particle, 0u);
  const auto second = numbers.next(0, 7);
  EXPECT_EQ(second.event, 7u);
  EXPECT_EQ(second.particle, 1u);
  EXPECT_EQ(numbers.next(0, 8).particle, 0u);
  // The same event of the next run has other noise.
  EXPECT_EQ(numbers.next(1, 8).particle, 0u);
  EXPECT_NE(numbers.next(1, 8).event, 8u);
}

TEST(ParticleBatch, SaysWhenItIsFull) {
  geant4::ParticleBatch<int> batch(3);
  EXPECT_FALSE(batch.add({.energy_mev = 1}, 10));
  EXPECT_FALSE(batch.add({.energy_mev = 2}, 20));
  EXPECT_TRUE(batch.add({.energy_mev = 3}, 30));
  ASSERT_EQ(batch.particles().size(), 3u);
  EXPECT_EQ(batch.particles()[1].energy_mev, 2);
  EXPECT_EQ(batch.carried(1), 20);
  batch.clear();
  EXPECT_TRUE(batch.empty());
  EXPECT_TRUE(geant4::ParticleBatch<int>().add({}, 1));
}

TEST(FastSimOptions, AreSetByTheTextsOfCommands) {
  FastSimOptions options;
  set_option(options, "model", "models/a b.onnx");
  set_option(options, "precision", "bf16");
  set_option(options, "particles", "e-  gamma");
  set_option(options, "minEnergy", "500 MeV");
  set_option(options, "maxEnergy", "0.1 TeV");
  set_option(options, "containment", "0.95");
  set_option(options, "threshold", "0.5 keV");
  set_option(options, "batchSize", "1");
  set_option(options, "seed", "18446744073709551615");
  set_option(options, "noisePerRun", "false");
  set_option(options, "depositIn", "mass readout");
  EXPECT_EQ(options.model, "models/a b.onnx");
  EXPECT_EQ(options.precision, calo::infer::Precision::kBf16);
  EXPECT_THAT(options.particles, testing::ElementsAre("e-", "gamma"));
  EXPECT_EQ(options.min_energy_mev, 500);
  EXPECT_EQ(options.max_energy_mev, 100000);
  EXPECT_EQ(options.containment, 0.95);
  EXPECT_DOUBLE_EQ(options.threshold_mev, 0.0005);
  EXPECT_EQ(options.batch_size, 1);
  EXPECT_EQ(options.seed, 18446744073709551615u);
  EXPECT_FALSE(options.noise_per_run);
  EXPECT_THAT(options.worlds, testing::ElementsAre("mass", "readout"));
  set_option(options, "minEnergy", "trained");
  EXPECT_FALSE(options.min_energy_mev.has_value());
}

// Each command takes the text that it shows.
TEST(FastSimOptions, ShowWhatSetsThem) {
  FastSimOptions options{.model = "m.onnx", .geometry = "SiW", .min_energy_mev = 3};
  for (const geant4::FastSimCommand& command : geant4::fast_sim_commands()) {
    const std::string text = option_text(options, command.name);
    FastSimOptions again = options;
    EXPECT_NO_THROW(set_option(again, command.name, text)) << command.name;
    EXPECT_EQ(option_text(again, command.name), text) << command.name;
  }
}

TEST(FastSimOptions, RefuseWhatIsNot) {
  FastSimOptions options;
  const std::pair<const char*, const char*> wrong[] = {{"minEnergy", "1"},
                                                       {"minEnergy", "GeV"},
                                                       {"minEnergy", "-1 GeV"},
                                                       {"minEnergy", "nan GeV"},
                                                       {"maxEnergy", "1 GeV up"},
                                                       {"containment", "1.1"},
                                                       {"containment", "nan"},
                                                       {"batchSize", "0"},
                                                       {"batchSize", "1.5"},
                                                       {"seed", "-1"},
                                                       {"noisePerRun", "yes"},
                                                       {"particles", " "},
                                                       {"precision", "fp64"},
                                                       {"model", ""},
                                                       {"sed", "1"}};
  for (const auto& [name, text] : wrong) {
    const std::string before = option_text(options, name);
    EXPECT_THROW(set_option(options, name, text), core::UsageError) << name << " " << text;
    EXPECT_EQ(option_text(options, name), before);
  }
}

calo::infer::Generator generator_of(const test::GeneratorModel& model) {
  return calo::infer::Generator(calo::infer::Model::from_bytes(test::as_bytes(model.bytes())));
}

TEST(FastGenerator, KnowsMeshGeometryAndEnergies) {
  const test::GeneratorModel model{.size_r_mm = 2.5, .size_z_mm = 3.4};
  const FastGenerator fast(generator_of(model), {.geometry = "SiW", .max_energy_mev = 5000});
  EXPECT_EQ(fast.geometry_name(), "SiW");
  EXPECT_EQ(fast.mesh().num_cells(), fast.generator().num_cells());
  EXPECT_DOUBLE_EQ(fast.mesh().depth_mm(), 11 * 3.4);
  EXPECT_DOUBLE_EQ(fast.mesh().radius_mm(), 15);
  EXPECT_EQ(fast.min_energy_mev(), 0);
  EXPECT_EQ(fast.max_energy_mev(), 5000);
}

// Deposits lie where the geometry's own cells are, and its energies are those of its training.
TEST(FastGenerator, HasTheMeshAndTheRangeOfItsGeometry) {
  using W = test::OnnxWriter;
  const auto property = [](const std::string& key, const std::string& text) {
    return W::bytes(14, W::bytes(1, key) + W::bytes(2, text));
  };
  const std::string cells = R"("kind":"cylinder","n_r":6,"n_phi":10,"n_z":11,)";
  const std::string range =
      R"("min_energy_mev":1000,"max_energy_mev":2000,"min_theta_deg":90,"max_theta_deg":90)";
  const std::string model =
      test::GeneratorModel{.size_r_mm = 2.5, .size_z_mm = 3.4}.bytes() +
      property("calopipe.geometry_meshes", R"({"SiW":{)" + cells +
                                               R"("size_r_mm":2.5,"size_z_mm":3.4},"SciPb":{)" + cells +
                                               R"("size_r_mm":4,"size_z_mm":5.6}})") +
      property("calopipe.trained",
               R"({"geometries":["SciPb","SiW"],"min_energy_mev":1000,"max_energy_mev":9000,)"
               R"("min_theta_deg":90,"max_theta_deg":90,"by_geometry":{"SciPb":{)" +
                   range + "}}}");
  const auto fast = [&](const char* geometry) {
    return FastGenerator(calo::infer::Generator(calo::infer::Model::from_bytes(test::as_bytes(model))),
                         {.geometry = geometry});
  };
  EXPECT_DOUBLE_EQ(fast("SciPb").mesh().depth_mm(), 11 * 5.6);
  EXPECT_DOUBLE_EQ(fast("SciPb").mesh().radius_mm(), 6 * 4);
  EXPECT_DOUBLE_EQ(fast("SiW").mesh().depth_mm(), 11 * 3.4);
  EXPECT_NEAR(fast("SciPb").max_energy_mev(), 2000, 50);
  EXPECT_NEAR(fast("SiW").max_energy_mev(), 9000, 200);
}

TEST(FastGenerator, RefusesWhatCannotBeDeposited) {
  const test::GeneratorModel model{.size_r_mm = 2.5, .size_z_mm = 3.4};
  EXPECT_THROW(FastGenerator(generator_of(model), {}), core::UsageError);  // SciPb or SiW?
  EXPECT_THROW(FastGenerator(generator_of(model), {.geometry = "ODD"}), core::UsageError);
  EXPECT_THROW(
      FastGenerator(generator_of(model), {.geometry = "SiW", .min_energy_mev = 2, .max_energy_mev = 1}),
      core::UsageError);
  EXPECT_THROW(FastGenerator(generator_of({}), {.geometry = "SiW"}), core::InputError);  // sizes not said
  EXPECT_THROW(FastGenerator(FastSimOptions{}), core::UsageError);
  EXPECT_THROW(FastGenerator(FastSimOptions{.model = "/nowhere/model.onnx"}), core::InputError);
}

// All threads get one generator; a change gives the next one, and a change that is refused changes nothing.
TEST(FastSimSetup, IsSharedByThreads) {
  const test::TempFolder folder;
  core::write_file(folder / "model.onnx", test::GeneratorModel{.size_r_mm = 2.5, .size_z_mm = 3.4}.bytes());
  geant4::FastSimSetup setup({.model = folder / "model.onnx", .geometry = "SiW"});
  std::vector<std::shared_ptr<const geant4::FastSimSetup::State>> states(4);
  std::vector<std::thread> threads;
  for (auto& state : states) threads.emplace_back([&] { state = setup.state(); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& state : states) EXPECT_EQ(state->generator, states[0]->generator);
  const std::uint64_t version = setup.version();
  EXPECT_THROW(setup.change([](FastSimOptions& options) {
    options.seed = 1;
    set_option(options, "containment", "2");
  }),
               core::UsageError);
  EXPECT_EQ(setup.version(), version);
  EXPECT_EQ(setup.options().seed, 42u);
  setup.change([](FastSimOptions& options) { set_option(options, "geometry", "SciPb"); });
  EXPECT_GT(setup.version(), version);
  EXPECT_EQ(setup.state()->generator->geometry_name(), "SciPb");
  EXPECT_EQ(states[0]->generator->geometry_name(), "SiW");
}

}  // namespace
