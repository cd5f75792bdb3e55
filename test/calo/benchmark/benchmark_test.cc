#include "calo/benchmark/benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calo/benchmark/benchmark_page.h"
#include "calo/convert/convert.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/python_peer.h"
#include "support/random_model.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using testing::HasSubstr;

class Benchmark : public testing::Test {
 protected:
  void SetUp() override {
    model_.write(folder_ / "model");
    calo::ConvertOptions options;
    for (const calo::Contract contract : {calo::Contract::kPlain, calo::Contract::kPar04Vae}) {
      options.contract = contract;
      calo::convert(model_, options, folder_ / (to_string(contract) + ".onnx"));
    }
  }

  calo::BenchmarkReport run(const std::string& file, calo::BenchmarkOptions options) const {
    options.batch_sizes = {1, 6};
    options.seconds = 0.002;
    return calo::run_benchmark(folder_ / file, options);
  }

  test::TempFolder folder_;
  calo::ModelFolder model_ =
      test::random_model({.intermediate_dims = {12}, .latent_dim = 4}, {.mesh = test::small_mesh(),
                                                                        .min_trained_energy_mev = 1000,
                                                                        .max_trained_energy_mev = 64000,
                                                                        .min_trained_theta_deg = 90,
                                                                        .max_trained_theta_deg = 90,
                                                                        .trained_geometries = {"SiW"}});
  Benchmark() { std::filesystem::create_directory(folder_ / "model"); }
};

TEST_F(Benchmark, MeasuresEachPrecisionBatchAndNumberOfThreads) {
  const calo::BenchmarkReport report = run("plain.onnx", {.threads = {1, 2}});
  ASSERT_EQ(report.engines.size(), 8u);  // four precisions, sparse and dense
  EXPECT_DOUBLE_EQ(report.energy_gev, 8);
  EXPECT_GT(report.filled_share, 0.1);
  for (const calo::EngineFigures& engine : report.engines) {
    EXPECT_EQ(engine.batches.size(), 4u) << engine.variant;
    EXPECT_GT(engine.start_s, 0);
    for (const calo::BatchTiming& b : engine.batches) {
      EXPECT_GT(b.timing.least_s, 0);
      EXPECT_LE(b.timing.least_s, b.timing.median_s);
      EXPECT_LE(b.timing.median_s, b.timing.p99_s);
      EXPECT_GE(b.timing.calls, 3);
    }
  }
  EXPECT_THAT(report.to_table(), HasSubstr("batch 6, 2 threads"));
  EXPECT_EQ(report.to_json().at("engines").size(), 8u);
  EXPECT_TRUE(report.summary().contains("calopipe_infer_bf16_sparse_latency_ms"));
  calo::write_benchmark_page(folder_ / "page.html", report, {{"component", "<benchmark>"}});
  const std::string page = core::read_file(folder_ / "page.html");
  EXPECT_THAT(page, HasSubstr("\"engines\":[{"));
  EXPECT_THAT(page, HasSubstr("\\u003cbenchmark>"));  // cannot end the script element
}

TEST_F(Benchmark, PutsPeersBesideIt) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const calo::BenchmarkOptions options{.precisions = {"fp32"},
                                       .against = {"onnxruntime", "libtorch"},
                                       .model = folder_ / "model",
                                       .python = test::python(),
                                       .threads = {1}};
  const calo::BenchmarkReport plain = run("plain.onnx", options);
  ASSERT_EQ(plain.engines.size(), 4u);
  EXPECT_EQ(plain.engines[2].name, "onnxruntime");
  EXPECT_THAT(plain.engines[2].version, testing::MatchesRegex("[0-9]+[.][0-9.]+"));
  EXPECT_EQ(plain.engines[2].batches.size(), 2u);
  EXPECT_EQ(plain.engines[3].name, "LibTorch");
  EXPECT_EQ(plain.engines[3].batches.size(), 2u);
  // Par04 calls with batches of one, without optimisations; the file does not allow more.
  const calo::BenchmarkReport par04 = run("par04-vae.onnx", options);
  ASSERT_EQ(par04.engines.size(), 5u);
  EXPECT_EQ(par04.engines[2].batches.size(), 1u);
  EXPECT_THAT(par04.engines[3].variant, HasSubstr("as in Par04"));
}

TEST_F(Benchmark, SaysWhatIsMissing) {
  EXPECT_THROW(run("plain.onnx", {.against = {"tensorflow"}}), core::UsageError);
  EXPECT_THROW(run("plain.onnx", {.against = {"libtorch"}}), core::UsageError);
  EXPECT_THROW(
      run("plain.onnx",
          {.precisions = {"fp32"}, .against = {"onnxruntime"}, .python = "/nowhere/python", .threads = {1}}),
      core::UnavailableError);
  EXPECT_THROW(
      run("plain.onnx",
          {.precisions = {"fp32"}, .against = {"onnxruntime"}, .python = "/bin/false", .threads = {1}}),
      core::UnavailableError);
  EXPECT_THROW(run("plain.onnx", {.geometry = "ODD"}), core::UsageError);
  EXPECT_THROW(run("model/weights.h5", {}), core::InputError);
}

}  // namespace
