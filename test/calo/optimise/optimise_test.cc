#include "calo/optimise/optimise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "calo/convert/convert.h"
#include "calo/generate/generate.h"
#include "calo/infer/generator.h"
#include "calo/io/shower_reader.h"
#include "calo/optimise/detail/narrow_weights.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/python_peer.h"
#include "support/random_model.h"
#include "support/temp_folder.h"

namespace {

using calo::infer::Generator;
using calo::infer::Precision;

// Large enough for a narrowed last layer: 4400 cells of 30 inputs.
calo::ModelFolder model_of(calo::VoxelMesh::Cylinder cylinder = {.n_r = 8, .n_phi = 25, .n_z = 22}) {
  return test::random_model({.intermediate_dims = {30, 11}, .latent_dim = 4},
                            {.mesh = calo::VoxelMesh(cylinder),
                             .one_hot_order = {"SciPb", "SiW"},
                             .min_trained_energy_mev = 1000,
                             .max_trained_energy_mev = 64000,
                             .min_trained_theta_deg = 50,
                             .max_trained_theta_deg = 90,
                             .trained_geometries = {"SiW"}});
}

class Optimise : public testing::Test {
 protected:
  void SetUp() override {
    const calo::ConvertOptions plain;
    calo::convert(model_, plain, onnx_);
    calo::generate(model_,
                   {.geometry = "SiW",
                    .energies_gev = {2, 20},
                    .events = 60,
                    .seed = 7,
                    .layout = calo::Layout::kCalopipe},
                   full_, pool_);
  }

  calo::OptimiseReport optimise(calo::OptimiseOptions options) {
    options.seconds = 0.01;
    return calo::optimise(onnx_, full_, options, folder_ / "optimised.onnx", pool_);
  }

  test::TempFolder folder_;
  core::ThreadPool pool_{2};
  calo::ModelFolder model_ = model_of();
  std::filesystem::path onnx_ = folder_ / "model.onnx", full_ = folder_ / "full.h5";
};

std::vector<float> showers_of(const Generator& generator) {
  calo::infer::Workspace workspace;
  std::vector<calo::infer::Particle> particles;
  for (std::uint64_t i = 0; i < 9; ++i)
    particles.push_back({.energy_mev = 2000.0f * static_cast<float>(i + 1), .theta_rad = 1.5f, .event = i});
  std::vector<float> cells(particles.size() * static_cast<std::size_t>(generator.num_cells()));
  generator.generate_dense(particles, 3, workspace, cells);
  return cells;
}

double sum(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

TEST_F(Optimise, StoredWeightsGiveTheShowersOfNarrowedOnes) {
  const std::string bytes = core::read_file(onnx_);
  for (const Precision precision : calo::infer::kPrecisions) {
    const std::vector<float> wanted = showers_of(Generator::load(onnx_, {.precision = precision}));
    for (const bool narrow : {false, true}) {
      const auto file = folder_ / "narrow.onnx";
      core::write_file(file, calo::for_precision(bytes, precision, narrow));
      const Generator generator = Generator::load(file);
      EXPECT_EQ(generator.model().precision(), precision);
      EXPECT_TRUE(generator.model().is_generator());
      EXPECT_EQ(showers_of(generator), wanted) << to_string(precision) << narrow;
    }
  }
  EXPECT_LT(calo::for_precision(bytes, Precision::kInt8, true).size(), bytes.size() * 2 / 5);
  EXPECT_LT(calo::for_precision(bytes, Precision::kBf16, true).size(), bytes.size() * 3 / 5);
}

TEST_F(Optimise, StoredWeightsAreFloatsWhereTheyAreWanted) {
  const std::string bytes = core::read_file(onnx_);
  const std::vector<float> floats = showers_of(Generator::load(onnx_));
  for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
    core::write_file(folder_ / "narrow.onnx", calo::for_precision(bytes, precision, true));
    const std::vector<float> fused =
        showers_of(Generator::load(folder_ / "narrow.onnx", {.precision = Precision::kFp32}));
    const std::vector<float> plain =
        showers_of(Generator::load(folder_ / "narrow.onnx", {.precision = Precision::kFp32, .fuse = false}));
    for (std::size_t i = 0; i < floats.size(); ++i)
      ASSERT_NEAR(fused[i], plain[i], 2e-5f * plain[i]);  // the interpreter's DequantizeLinear and Cast
    EXPECT_NEAR(sum(fused) / sum(floats), 1, 0.02);
    EXPECT_NE(fused, floats);
  }
}

TEST_F(Optimise, OnnxAndOnnxruntimeTakeWhatItWrites) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const std::string bytes = core::read_file(onnx_);
  for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
    const auto file = folder_ / (std::string(to_string(precision)) + ".onnx");
    core::write_file(file, calo::for_precision(bytes, precision, true));
    const Generator generator = Generator::load(file, {.precision = Precision::kFp32});
    // One shower for a latent of zeros, from the runtime and from the engine.
    std::vector<float> latent(4, 0.0f), energy = {5000}, theta = {1.5f}, geometry = {0, 1};
    const std::int64_t shape[][2] = {{1, 4}, {1, 1}, {1, 1}, {1, 2}};
    const std::vector<float>* values[] = {&latent, &energy, &theta, &geometry};
    std::vector<calo::infer::InputView> inputs;
    for (std::size_t i = 0; i < 4; ++i) inputs.push_back({.shape = shape[i], .floats = *values[i]});
    calo::infer::Workspace workspace;
    generator.model().run(inputs, {}, workspace);
    const auto ours = generator.model().output(workspace, 0).floats;
    const std::string script =
        "import numpy, onnx, onnxruntime\n"
        "file = '" +
        file.string() + "'\n" + test::python_list("ours", std::vector<double>(ours.begin(), ours.end())) +
        "onnx.checker.check_model(onnx.load(file), full_check=True)\n"
        "one = lambda *values: numpy.array([values], numpy.float32)\n"
        "for level in (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, "
        "onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):\n"
        "    options = onnxruntime.SessionOptions()\n"
        "    options.graph_optimization_level = level\n"
        "    session = onnxruntime.InferenceSession(file, options, providers=['CPUExecutionProvider'])\n"
        "    got, = session.run(None, dict(latent=one(0, 0, 0, 0), energy_mev=one(5000), theta_rad=one(1.5), "
        "geometry=one(0, 1)))\n"
        "    assert numpy.abs(got.ravel() - ours).max() < 1e-5 * max(ours), level\n";
    EXPECT_EQ(test::run_python(folder_.path(), script), 0) << to_string(precision);
  }
}

TEST_F(Optimise, AcceptsWhatLeavesTheObservablesAlone) {
  const calo::OptimiseReport report = optimise({});
  ASSERT_EQ(report.candidates.size(), 4u);
  EXPECT_EQ(report.showers, 120);
  for (const calo::Candidate& candidate : report.candidates) {
    EXPECT_TRUE(candidate.accepted) << to_string(candidate.precision);
    if (candidate.precision == Precision::kFp32) continue;
    EXPECT_GT(candidate.shifts.size(), 20u);
    EXPECT_GT(candidate.largest_shift_sigma, 0);
    for (const calo::ObservableShift& shift : candidate.shifts)
      EXPECT_NEAR(shift.mean, shift.fp32_mean, 0.5 * shift.full_error) << shift.condition << shift.observable;
  }
  const Generator chosen = Generator::load(folder_ / "optimised.onnx");
  EXPECT_EQ(chosen.model().precision(), report.candidates[report.chosen].precision);
  const std::string card = calo::model_card(report, folder_ / "optimised.onnx", {});
  EXPECT_THAT(card, testing::HasSubstr("8 x 25 x 22 cells"));
  EXPECT_THAT(card, testing::HasSubstr("## Precisions"));
}

TEST_F(Optimise, StaysWithFloatsWhereAnObservableWouldMove) {
  const calo::OptimiseReport report = optimise({.max_shift_sigma = 0, .objective = calo::Objective::kSize});
  EXPECT_EQ(report.chosen, 0u);
  EXPECT_FALSE(report.candidates[1].accepted);
  EXPECT_EQ(Generator::load(folder_ / "optimised.onnx").model().precision(), Precision::kFp32);
  const calo::OptimiseReport free = optimise({.max_shift_sigma = 100, .objective = calo::Objective::kSize});
  EXPECT_EQ(free.candidates[free.chosen].precision, Precision::kInt8);
}

TEST_F(Optimise, BadInputLeavesNothingBehind) {
  EXPECT_THROW(optimise({.precisions = {"fp16"}}), core::UsageError);
  EXPECT_THROW(calo::parse_objective("speed"), core::UsageError);
  core::write_file(onnx_, core::read_file(onnx_).substr(0, 5000));
  EXPECT_THROW(optimise({}), core::InputError);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "optimised.onnx"));
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    EXPECT_THAT(entry.path().filename().string(), testing::AnyOf("model.onnx", "full.h5"));
}

// The same seed gives the same showers from a model folder and from its file.
TEST_F(Optimise, FilesGenerateWhatFoldersGenerate) {
  const calo::GenerateOptions options{.geometry = "SiW",
                                      .energies_gev = {3, 30},
                                      .events = 40,
                                      .batch_size = 17,
                                      .layout = calo::Layout::kCalopipe};
  for (const Precision precision : calo::infer::kPrecisions) {
    auto file = calo::ShowerSource::open(onnx_, precision);
    auto folder = calo::ShowerSource::of_folder(model_, precision);
    EXPECT_EQ(file.precision(), precision);
    EXPECT_EQ(file.trained().max_energy_mev, 64000);
    calo::generate(file, options, folder_ / "file.h5", pool_);
    calo::generate(folder, options, folder_ / "folder.h5", pool_);
    const auto a = read_all(*calo::ShowerReader::open(folder_ / "file.h5", {}, pool_)),
               b = read_all(*calo::ShowerReader::open(folder_ / "folder.h5", {}, pool_));
    ASSERT_EQ(a.size(), 80u);
    ASSERT_EQ(b.size(), 80u);
    std::vector<float> left(4400), right(4400);
    for (std::size_t i = 0; i < a.size(); ++i) {
      a.to_dense(i, left);
      b.to_dense(i, right);
      // In a file, normalisation is part of the weights, which therefore round differently.
      EXPECT_NEAR(sum(left) / sum(right), 1, precision == Precision::kFp32 ? 1e-5 : 0.02)
          << to_string(precision);
      for (std::size_t cell = 0; cell < left.size() && precision == Precision::kFp32; ++cell)
        ASSERT_NEAR(left[cell], right[cell], 1e-4f * right[cell] + 0.001f);
    }
  }
}

}  // namespace
