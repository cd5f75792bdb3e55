#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cmath>
#include <numbers>
#include <numeric>
#include <thread>

#include "calo/infer/generator.h"
#include "calo/io/hdf5.h"
#include "calo/io/shower_reader.h"
#include "core/staged_output.h"
#include "geant4/fast_sim/shower_frame.h"
#include "kfp/local/process.h"
#include "support/onnx_writer.h"
#include "support/temp_folder.h"

// calopipe-fullsim as a program, with Geant4: what must hold whatever the physics.
namespace {

using calo::Showers;

class FullSimProgram : public testing::Test {
 protected:
  std::unique_ptr<kfp::local::Process> start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "calopipe-fullsim");
    return std::make_unique<kfp::local::Process>(kfp::local::ProcessOptions{
        .program = CALOPIPE_FULLSIM_PROGRAM, .arguments = arguments, .log = folder_ / "log"});
  }
  static int wait(kfp::local::Process& process) {
    while (true) {
      if (const auto end = process.poll()) return end->exit_code;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  int run(const std::vector<std::string>& arguments) { return wait(*start(arguments)); }
  std::string log() { return core::read_file(folder_ / "log"); }

  // Twelve showers, into a file.
  std::vector<std::string> twelve(const std::string& name, const std::vector<std::string>& more = {},
                                  const std::string& energy_gev = "0.3") {
    std::vector<std::string> all = {"--energy-gev", energy_gev, "--events", "12",
                                    "--layout",     "par04",    "--out",    (folder_ / name).string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Showers read(const std::string& name) {
    return calo::read_all(*calo::ShowerReader::open(folder_ / name, {}, pool_));
  }
  static void expect_same(const Showers& a, const Showers& b) {
    EXPECT_EQ(a.offsets, b.offsets);
    EXPECT_EQ(a.cells, b.cells);
    EXPECT_EQ(a.energies_mev, b.energies_mev);
  }

  test::TempFolder folder_;
  core::ThreadPool pool_{2};
};

TEST_F(FullSimProgram, GivesTheSameWhateverTheThreadsAndParts) {
  ASSERT_EQ(run(twelve("one.h5", {"--threads", "1"})), 0) << log();
  ASSERT_EQ(run(twelve("three.h5", {"--threads", "3", "--events-per-part", "5"})), 0) << log();
  const Showers one = read("one.h5");
  ASSERT_EQ(one.size(), 12u);
  EXPECT_GT(one.num_hits(), 12u * 20);
  expect_same(one, read("three.h5"));
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_GT(one.total_energy_mev(i), 100);
    EXPECT_LT(one.total_energy_mev(i), 600);
    for (const float energy_mev : one.energies_of(i)) EXPECT_GT(energy_mev, 0.0005f / 0.027f);
  }
  const auto file = calo::hdf5::File::open(folder_ / "one.h5");
  EXPECT_EQ(file.number_attribute("sampling_fraction"), 0.027);
  EXPECT_EQ(file.text_attribute("particle"), "e-");
  EXPECT_EQ(file.read_floats("sim_time_s").size(), 12u);
  EXPECT_GT(file.number_attribute("peak_memory_bytes").value_or(0), 1e7);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "one.h5.parts"));
  // Another seed, other showers.
  ASSERT_EQ(run(twelve("other.h5", {"--threads", "1", "--seed", "43"})), 0) << log();
  EXPECT_NE(read("other.h5").cells, one.cells);
}

TEST_F(FullSimProgram, GoesOnAfterItWasKilled) {
  ASSERT_EQ(run(twelve("whole.h5", {}, "2")), 0) << log();
  for (const int signal : {SIGKILL, SIGTERM}) {
    const std::string name = "broken-" + std::to_string(signal) + ".h5";
    const std::vector<std::string> arguments =
        twelve(name, {"--events-per-part", "1", "--threads", "1"}, "2");
    auto process = start(arguments);
    const auto part = folder_ / (name + ".parts") / "part-00000002.h5";
    while (!std::filesystem::exists(part) && !process->poll())
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    process->signal(signal);
    EXPECT_EQ(wait(*process), signal == SIGKILL ? 128 + SIGKILL : 130);
    EXPECT_FALSE(std::filesystem::exists(folder_ / name));
    EXPECT_EQ(run(arguments), 2);  // not without a word
    std::vector<std::string> other = arguments, again = arguments;
    other.insert(other.end(), {"--resume", "--seed", "1"});
    EXPECT_EQ(run(other), 2);
    EXPECT_THAT(log(), testing::HasSubstr("gun.seed was 42 and is now 1"));
    again.emplace_back("--resume");
    ASSERT_EQ(run(again), 0) << log();
    expect_same(read(name), read("whole.h5"));
  }
}

// The model's cells, exactly: in the order of Par04, at its place, with the noise of the event.
TEST_F(FullSimProgram, DepositsWhatTheGeneratorMakes) {
  const test::GeneratorModel model{
      .n_r = 5, .n_phi = 8, .n_z = 9, .size_r_mm = 6, .size_z_mm = 15, .output_bias = -3};
  core::write_file(folder_ / "model.onnx", model.bytes());
  core::write_file(folder_ / "d.yaml",
                   "like: SiW\nmesh: {n_r: 5, n_phi: 8, n_z: 9, size_r_mm: 6, size_z_mm: 15}\n");
  const auto fast = [&](const std::string& name, const std::string& angle,
                        const std::vector<std::string>& more) {
    std::vector<std::string> all = {"--detector",    (folder_ / "d.yaml").string(),
                                    "--particle",    "gamma",
                                    "--fast-model",  (folder_ / "model.onnx").string(),
                                    "--fast-option", "geometry=SiW",
                                    "--angle-deg",   angle};
    all.insert(all.end(), more.begin(), more.end());
    return run(twelve(name, all));
  };
  const auto generator = calo::infer::Generator::load(folder_ / "model.onnx");
  calo::infer::Workspace workspace;
  calo::infer::SparseShowers expected;
  const geant4::CylinderMesh mesh({.n_r = 5, .n_phi = 8, .n_z = 9, .size_r_mm = 6, .size_z_mm = 15});
  for (const double angle : {90.0, 60.0}) {
    const std::string text = std::to_string(static_cast<int>(angle));
    ASSERT_EQ(fast("fast" + text + ".h5", text, {"--threads", "2"}), 0) << log();
    const Showers showers = read("fast" + text + ".h5");
    // Along a slanted axis some cells lie in front of the calorimeter, and nothing is deposited there.
    const double theta = angle * std::numbers::pi / 180;
    const geant4::ShowerFrame frame({.y = 800, .z = 800 / std::tan(theta)},
                                    {.y = std::sin(theta), .z = std::cos(theta)});
    const auto inside = [&](const geant4::Vector3& local) {
      const geant4::Vector3 point = frame.to_global(local);
      const double rho = std::hypot(point.x, point.y);
      return rho >= 800 && rho <= 953;
    };
    std::size_t same = 0;
    for (std::uint64_t event = 0; event < 12; ++event) {
      const calo::infer::Particle particle{.energy_mev = 300,
                                           .theta_rad = static_cast<float>(angle * std::numbers::pi / 180),
                                           .phi_rad = static_cast<float>(std::numbers::pi / 2),
                                           .geometry = 1,
                                           .event = event};
      generator.generate({&particle, 1}, 42, 0.0005f / 0.027f, workspace, expected);
      ASSERT_GT(expected.num_hits(), 10u);
      std::vector<std::uint32_t> cells;
      std::vector<float> energies_mev;
      for (std::size_t i = 0; i < expected.num_hits(); ++i) {
        if (!inside(mesh.centre(expected.cells()[i]))) continue;
        cells.push_back(expected.cells()[i]);
        energies_mev.push_back(expected.energies_mev()[i]);
      }
      const auto deposited = showers.cells_of(event);
      same += std::equal(deposited.begin(), deposited.end(), cells.begin(), cells.end());
      const double sum = std::accumulate(energies_mev.begin(), energies_mev.end(), 0.0);
      EXPECT_NEAR(showers.total_energy_mev(event), sum, 1e-5 * sum);
    }
    EXPECT_EQ(same, 12u);
  }
  // One by one or together, by one thread or more.
  ASSERT_EQ(fast("single.h5", "90", {"--threads", "1", "--fast-option", "batchSize=1"}), 0) << log();
  expect_same(read("single.h5"), read("fast90.h5"));
}

TEST_F(FullSimProgram, TakesCommandsAndRefusesWrongOnes) {
  const test::GeneratorModel model{.size_r_mm = 6, .size_z_mm = 10};
  core::write_file(folder_ / "model.onnx", model.bytes());
  const std::vector<std::string> fast = {"--fast-model",  (folder_ / "model.onnx").string(),
                                         "--fast-option", "geometry=SiW",
                                         "--macro",       (folder_ / "x.mac").string()};
  // No particle has this energy: all are simulated in full.
  core::write_file(folder_ / "x.mac", "/calopipe/minEnergy 1 TeV\n/calopipe/list\n");
  ASSERT_EQ(run(twelve("full.h5", {"--threads", "2"})), 0) << log();
  ASSERT_EQ(run(twelve("none.h5", fast)), 0) << log();
  EXPECT_THAT(log(), testing::HasSubstr("the model took no particle"));
  expect_same(read("none.h5"), read("full.h5"));
  core::write_file(folder_ / "x.mac", "/calopipe/containment 2\n");
  EXPECT_EQ(run(twelve("bad.h5", fast)), 3) << log();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bad.h5"));
}

TEST_F(FullSimProgram, MeasuresTheSamplingFraction) {
  const auto report = folder_ / "report.json";
  ASSERT_EQ(run(twelve("m.h5", {"--sampling-fraction", "measure", "--report", report.string()})), 0) << log();
  const auto figures = nlohmann::json::parse(core::read_file(report));
  EXPECT_NEAR(figures.at("sampling_fraction").get<double>(), 0.027, 0.0015);
  EXPECT_NEAR(figures.at("response").get<double>(), 1, 0.2);
}

TEST_F(FullSimProgram, EndsWithTheRightCode) {
  EXPECT_EQ(run({"--out", (folder_ / "x.h5").string()}), 2);  // no energy
  EXPECT_EQ(run(twelve("x.h5", {"--detector", "LAr"})), 2);
  EXPECT_EQ(run(twelve("x.h5", {"--particle", "graviton"})), 2);
  EXPECT_EQ(run(twelve("x.h5", {"--physics", "NOBODY"})), 2);
  EXPECT_EQ(run(twelve("x.h5", {"--detector", (folder_ / "no.yaml").string()})), 3);
  EXPECT_EQ(run(twelve("x.h5", {"--fast-model", (folder_ / "no.onnx").string()})), 3);
  core::write_file(folder_ / "m.yaml",
                   "like: SiW\nabsorbers:\n- {material: G4_Q, thickness_mm: 1, active: true}\n");
  EXPECT_EQ(run(twelve("x.h5", {"--detector", (folder_ / "m.yaml").string()})), 3);
}

}  // namespace
