#include "calo/infer/foreign_contract.h"

#include <calopipe_infer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <numbers>

#include "calo/infer/generator.h"
#include "calo/infer/noise.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/onnx_writer.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using calo::infer::CylinderCells;
using calo::infer::ForeignContract;
using calo::infer::Generator;
using calo::infer::Model;
using calo::infer::parse_mesh;
using calo::infer::Particle;
using calo::infer::SparseShowers;
using calo::infer::Workspace;
using testing::HasSubstr;
using W = test::OnnxWriter;

constexpr std::size_t kMeshCells = 660;
const char* const kMesh = "6x10x11:2.5x3.4";

TEST(ForeignMesh, IsANameOrNumbers) {
  EXPECT_EQ(parse_mesh("18x50x45:2.325x3.4"), parse_mesh("SiW"));
  EXPECT_EQ(parse_mesh("18x50x45:4x5.6"), parse_mesh("SciPb"));
  EXPECT_EQ(parse_mesh("9x16x45:4.65x3.4"), parse_mesh("SiW-lowgran"));
  EXPECT_EQ(parse_mesh("1x2x3:0.5x1e1"),
            (CylinderCells{.n_r = 1, .n_phi = 2, .n_z = 3, .size_r_mm = 0.5, .size_z_mm = 10}));
  for (const char* text : {"",
                           "siw",
                           "18x50x45",
                           "18x50:1x1",
                           "18x50x45x1:1x1",
                           "18x50x45:1",
                           "18x50x45:1x1x1",
                           "0x50x45:1x1",
                           "-1x50x45:1x1",
                           "18x50x45:0x1",
                           "18x50x45:-1x1",
                           "18x50x45:nanx1",
                           "18x50x45:infx1",
                           "18 x50x45:1x1",
                           "18x50x45:1x1 ",
                           "18.5x50x45:1x1",
                           "x50x45:1x1",
                           "100000x100000x10:1x1",
                           "99999999999999999999x1x1:1x1",
                           "18x50x45:1x",
                           "SiW:1x1"})
    EXPECT_THROW(parse_mesh(text), core::UsageError) << text;
}

std::vector<Particle> particles() {
  std::vector<Particle> out;
  for (std::size_t i = 0; i < 12; ++i)
    out.push_back({.energy_mev = 1000.0f * static_cast<float>(1 + 9 * i),
                   .theta_rad = 1.0f + 0.04f * static_cast<float>(i),
                   .phi_rad = 0.3f * static_cast<float>(i) - 1,
                   .geometry = static_cast<std::uint32_t>(i % 2),
                   .event = 100 + i,
                   .particle = static_cast<std::uint32_t>(i % 3)});
  return out;
}

std::vector<float> read(const fs::path& file) {
  const std::string bytes = core::read_file(file);
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

void write(const fs::path& file, const std::vector<float>& values) {
  core::write_file(file,
                   std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
}

std::vector<float> cells_of(const Generator& generator, std::uint64_t seed = 9) {
  const std::vector<Particle> all = particles();
  std::vector<float> out(all.size() * kMeshCells);
  Workspace workspace;
  generator.generate_dense(all, seed, workspace, out);
  return out;
}

Generator load(const fs::path& file, const ForeignContract& contract, bool fuse = true) {
  return Generator::load(file, {.precision = calo::infer::Precision::kFp32, .fuse = fuse}, contract);
}

// Showers in MeV of models that know nothing of calopipe, called as Par04OnnxInference.cc calls them.
TEST(ForeignContract, GivesWhatOnnxruntimeGivesToPar04) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  std::vector<float> vae, dit;
  for (const Particle& particle : particles()) {
    core::Philox noise =
        calo::infer::noise_of({.seed = 9, .event = particle.event, .particle = particle.particle});
    for (int j = 0; j < 10; ++j) vae.push_back(noise.normal());
    const auto theta_deg = static_cast<float>(particle.theta_rad * 180 / std::numbers::pi);
    vae.insert(vae.end(), {particle.energy_mev / 1024000, theta_deg / 90,
                           particle.geometry == 0 ? 1.0f : 0.0f, particle.geometry == 1 ? 1.0f : 0.0f});
    dit.insert(dit.end(),
               {particle.energy_mev / 1000, particle.phi_rad, particle.theta_rad,
                particle.geometry == 0 ? 1.0f : 0.0f, particle.geometry == 1 ? 1.0f : 0.0f, 0, 0, 0});
  }
  write(folder / "vae.in", vae);
  write(folder / "dit.in", dit);
  const std::string command = std::string(test::python()) + " " + CALOPIPE_SOURCE_DIR +
                              "/test/calo/infer/foreign_models.py " + folder.path().string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  for (const std::string name :
       {"vae", "vae_anybatch", "vae_shaped", "vae_flat", "vae_double", "vae_half", "dit"}) {
    const bool is_vae = name != "dit";
    const std::vector<float> outputs = read(folder / (name + ".out"));
    for (const bool fuse : {true, false}) {
      SCOPED_TRACE(name + (fuse ? "" : ", interpreted"));
      const Generator generator =
          load(folder / (name + ".onnx"),
               {.contract = is_vae ? "par04-vae" : "par04-calodit2", .mesh = kMesh}, fuse);
      EXPECT_EQ(generator.num_cells(), static_cast<std::int64_t>(kMeshCells));
      EXPECT_EQ(generator.mesh().n_z, 11);
      EXPECT_EQ(generator.latent_dim(), is_vae ? 10 : 0);
      const std::vector<float> cells = cells_of(generator);
      ASSERT_EQ(outputs.size(), cells.size());
      for (std::size_t i = 0; i < cells.size(); ++i) {
        const float factor = is_vae ? particles()[i / kMeshCells].energy_mev : 1000;
        const float made = outputs[i] * factor;
        ASSERT_NEAR(cells[i], made,
                    name == "vae_half" ? 4e-3 * made + 2e-3 * factor : 1e-5 * made + 1e-6 * factor)
            << i;
      }
      // Sparse ones are the same, without the few that are 0 in float.
      Workspace workspace;
      SparseShowers showers;
      generator.generate(particles(), 9, 0, workspace, showers);
      std::vector<float> positive;
      std::copy_if(cells.begin(), cells.end(), std::back_inserter(positive),
                   [](float cell) { return cell > 0; });
      EXPECT_GT(positive.size(), cells.size() * 9 / 10);
      ASSERT_EQ(showers.num_hits(), positive.size());
      EXPECT_EQ(std::memcmp(showers.energies_mev(), positive.data(), positive.size() * sizeof(float)), 0);
    }
  }
  // Noise that the graph draws belongs to (seed, event, particle).
  const ForeignContract contract{.contract = "par04-calodit2", .mesh = kMesh};
  const Generator noisy = load(folder / "dit_noisy.onnx", contract);
  const std::vector<float> all = cells_of(noisy);
  EXPECT_EQ(cells_of(load(folder / "dit_noisy.onnx", contract)), all);
  EXPECT_NE(cells_of(noisy, 10), all);
  Workspace workspace;
  std::vector<float> alone(kMeshCells);
  for (const std::size_t i : {7, 2}) {
    const Particle particle = particles()[i];
    noisy.generate_dense({&particle, 1}, 9, workspace, alone);
    EXPECT_TRUE(
        std::equal(alone.begin(), alone.end(), all.begin() + static_cast<std::ptrdiff_t>(i * kMeshCells)));
    Particle other = particle;
    other.particle += 1;
    std::vector<float> others(kMeshCells);
    noisy.generate_dense({&other, 1}, 9, workspace, others);
    EXPECT_NE(others, alone);
  }
  // Another scale of energies.
  const Generator half =
      load(folder / "vae.onnx", {.contract = "par04-vae", .mesh = kMesh, .energy_scale_gev = 512});
  Particle one = particles()[1], twice = one;
  twice.energy_mev *= 2;
  std::vector<float> a(kMeshCells), b(kMeshCells);
  half.generate_dense({&one, 1}, 9, workspace, a);
  load(folder / "vae.onnx", {.contract = "par04-vae", .mesh = kMesh})
      .generate_dense({&twice, 1}, 9, workspace, b);
  for (std::size_t i = 0; i < kMeshCells; ++i) EXPECT_NEAR(2 * a[i], b[i], 1e-5 * b[i]);
}

// A model of somebody else without weights of its own: `shape` of the input and the output.
std::string bare(const std::vector<std::int64_t>& in, std::int64_t cells, int outputs = 1) {
  W writer;
  writer.input(W::value("in", in));
  writer.initializer(W::tensor("w", {in.back(), cells},
                               std::vector<float>(static_cast<std::size_t>(in.back() * cells), 0.1f)));
  std::vector<std::int64_t> out = in;
  out.back() = cells;
  writer.node("MatMul", {"in", "w"}, {"out"}).output(W::value("out", out));
  if (outputs > 1) writer.node("Relu", {"in"}, {"more"}).output(W::value("more", in));
  return writer.model();
}

template <class Exception>
std::string refused_contract(const std::string& bytes, const ForeignContract& contract) {
  try {
    Generator generator(Model::from_bytes(test::as_bytes(bytes)), contract);
  } catch (const Exception& error) {
    return error.what();
  }
  return "";
}

TEST(ForeignContract, RefusesWhatDoesNotFit) {
  const ForeignContract vae{.contract = "par04-vae", .mesh = kMesh},
      dit{.contract = "par04-calodit2", .mesh = kMesh};
  const auto input = [](const std::string& bytes, const ForeignContract& contract) {
    return refused_contract<core::InputError>(bytes, contract);
  };
  const auto usage = [](const std::string& bytes, const ForeignContract& contract) {
    return refused_contract<core::UsageError>(bytes, contract);
  };
  EXPECT_EQ(input(bare({1, 14}, 660), vae), "");
  EXPECT_EQ(input(bare({1, 5}, 660), vae), "");
  EXPECT_EQ(input(bare({1, 8}, 660), dit), "");
  EXPECT_EQ(input(bare({1, 8}, 660), {.contract = "par04-calodit", .mesh = kMesh}), "");
  EXPECT_THAT(input(bare({1, 14}, 661), vae),
              HasSubstr("makes 661 cells, and the mesh has 6 x 10 x 11 = 660"));
  EXPECT_THAT(input(bare({1, 14}, 660), {.contract = "par04-vae", .mesh = "SiW"}), HasSubstr("40500"));
  EXPECT_THAT(input(bare({1, 4}, 660), vae), HasSubstr("takes 4 numbers"));
  EXPECT_THAT(input(bare({1, 9}, 660), dit), HasSubstr("takes 9 numbers"));
  EXPECT_THAT(input(bare({1, 2, 7}, 660), vae), HasSubstr("[1, n]"));
  EXPECT_THAT(input(bare({1, 14}, 660, 2), vae), HasSubstr("one output"));
  EXPECT_THAT(input(test::GeneratorModel{}.bytes(), dit), HasSubstr("is of the contract plain"));
  EXPECT_THAT(input(bare({1, 14}, 660), {}), HasSubstr("somebody else needs a contract"));
  EXPECT_THAT(usage(bare({1, 14}, 660), {.contract = "par04-vae"}), HasSubstr("mesh: is required"));
  EXPECT_THAT(usage(bare({1, 14}, 660), {.contract = "plain", .mesh = kMesh}), HasSubstr("\"plain\""));
  EXPECT_THAT(usage(bare({1, 14}, 660), {.mesh = kMesh}), HasSubstr("goes with a contract"));
  EXPECT_THAT(usage(bare({1, 14}, 660), {.energy_scale_gev = 5}), HasSubstr("goes with a contract"));
  EXPECT_THAT(usage(bare({1, 8}, 660), {.contract = "par04-calodit2", .mesh = kMesh, .energy_scale_gev = 5}),
              HasSubstr("no meaning"));
  EXPECT_THAT(usage(bare({1, 14}, 660), {.contract = "par04-vae", .mesh = kMesh, .energy_scale_gev = -1}),
              HasSubstr("cannot be -1"));
  EXPECT_THAT(usage(bare({1, 14}, 660), {.contract = "par04-vae", .mesh = kMesh, .energy_scale_gev = NAN}),
              HasSubstr("cannot be nan"));
}

// A file that says its contract itself may be given the same, and no other.
TEST(ForeignContract, MayRepeatWhatTheFileSays) {
  const std::string own =
      test::GeneratorModel{.contract = "par04-vae", .size_r_mm = 2.5, .size_z_mm = 3.4}.bytes();
  EXPECT_EQ(refused_contract<core::Error>(own, {.contract = "par04-vae"}), "");
  EXPECT_EQ(
      refused_contract<core::Error>(own, {.contract = "par04-vae", .mesh = kMesh, .energy_scale_gev = 1024}),
      "");
  EXPECT_THAT(refused_contract<core::InputError>(own, {.contract = "par04-calodit2"}),
              HasSubstr("par04-vae, not par04-calodit2"));
  EXPECT_THAT(refused_contract<core::InputError>(own, {.contract = "par04-vae", .mesh = "6x11x10:2.5x3.4"}),
              HasSubstr("mesh"));
  EXPECT_THAT(refused_contract<core::InputError>(own, {.contract = "par04-vae", .mesh = "6x10x11:2.5x3.5"}),
              HasSubstr("mesh"));
  EXPECT_THAT(refused_contract<core::InputError>(own, {.contract = "par04-vae", .energy_scale_gev = 512}),
              HasSubstr("512"));
}

TEST(ForeignContract, IsAnOptionOfTheCInterface) {
  const test::TempFolder folder;
  const std::string file = folder / "theirs.onnx";
  core::write_file(file, bare({1, 14}, 660));
  calopipe_infer_model* model = nullptr;
  EXPECT_EQ(calopipe_infer_load(file.c_str(), CALOPIPE_INFER_FP32, &model), CALOPIPE_INFER_INPUT);
  calopipe_infer_options options = CALOPIPE_INFER_OPTIONS_INIT;
  EXPECT_EQ(calopipe_infer_load_with(file.c_str(), &options, &model), CALOPIPE_INFER_INPUT);
  options.contract = "par04-vae";
  EXPECT_EQ(calopipe_infer_load_with(file.c_str(), &options, &model), CALOPIPE_INFER_USAGE);
  EXPECT_THAT(calopipe_infer_error(), HasSubstr("mesh"));
  options.mesh = kMesh;
  ASSERT_EQ(calopipe_infer_load_with(file.c_str(), &options, &model), CALOPIPE_INFER_OK)
      << calopipe_infer_error();
  EXPECT_EQ(calopipe_infer_num_cells(model), 660);
  EXPECT_EQ(calopipe_infer_num_geometries(model), 2u);
  EXPECT_STREQ(calopipe_infer_geometry(model, 1), "SiW");
  EXPECT_STREQ(calopipe_infer_property(model, "calopipe.contract"), "par04-vae");
  calopipe_infer_free(model);
  options.size = 8;
  EXPECT_EQ(calopipe_infer_load_with(file.c_str(), &options, &model), CALOPIPE_INFER_USAGE);
  EXPECT_THAT(calopipe_infer_error(), HasSubstr("another version"));
  EXPECT_EQ(calopipe_infer_load_with(file.c_str(), nullptr, &model), CALOPIPE_INFER_USAGE);
}

}  // namespace
