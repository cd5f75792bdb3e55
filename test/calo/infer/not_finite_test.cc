#include <calopipe_infer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "calo/infer/detail/kernels.h"
#include "calo/infer/generator.h"
#include "calo/infer/output_layer.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/staged_output.h"
#include "support/model_refusal.h"
#include "support/onnx_writer.h"
#include "support/temp_folder.h"

namespace {

using calo::infer::Activation;
using calo::infer::Generator;
using calo::infer::Isa;
using calo::infer::Model;
using calo::infer::OutputLayer;
using calo::infer::PackedLayer;
using calo::infer::Particle;
using calo::infer::Precision;
using calo::infer::SparseShowers;
using calo::infer::Workspace;
using testing::HasSubstr;
using W = test::OnnxWriter;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr std::int64_t kIn = 37, kCells = 301;  // no whole panels or vectors

const Activation kFunctions[] = {{Activation::Kind::kIdentity},
                                 {Activation::Kind::kRelu},
                                 {Activation::Kind::kLeakyRelu, 0.3f},
                                 {Activation::Kind::kElu, 1},
                                 {Activation::Kind::kSelu, Activation::kSeluAlpha},
                                 {Activation::Kind::kTanh},
                                 {Activation::Kind::kSigmoid},
                                 {Activation::Kind::kSoftplus},
                                 {Activation::Kind::kGelu}};

std::vector<Isa> instruction_sets() {
  std::vector<Isa> out;
  for (const Isa isa : {Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Narrow, Isa::kAmx})
    if (isa <= calo::infer::best_isa()) out.push_back(isa);
  return out;
}

std::vector<float> random_numbers(std::int64_t count, std::uint64_t seed) {
  core::Philox random(seed, 0);
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& x : out) x = 0.3f * random.normal();
  return out;
}

struct Setting {
  Precision precision;
  Isa isa;
  Activation function;
};

OutputLayer layer_of(const Setting& setting, const std::vector<float>& weights,
                     const std::vector<float>& bias) {
  return {PackedLayer({.data = reinterpret_cast<const std::byte*>(weights.data()), .out_stride = kIn}, bias,
                      kIn, {.precision = setting.precision, .isa = setting.isa}),
          setting.function, setting.isa};
}

template <class Body>
void for_each_setting(const Body& body) {
  for (const Precision precision : calo::infer::kPrecisions)
    for (const Isa isa : instruction_sets())
      for (const Activation& function : kFunctions) {
        SCOPED_TRACE(std::string(to_string(precision)) + ", " + to_string(isa) + ", function " +
                     std::to_string(static_cast<int>(function.kind)));
        body(Setting{precision, isa, function});
      }
}

// Cells that are not finite, by the sparse kernel under a threshold, each of 8 rows.
std::vector<std::size_t> counts(const OutputLayer& layer, const std::vector<float>& rows,
                                const std::vector<float>& scale, float threshold) {
  OutputLayer::Work work;
  SparseShowers showers;
  layer.sparse(rows.data(), scale, threshold, nullptr, work, showers);
  std::vector<float> dense(scale.size() * kCells);
  const bool finite = layer.dense(rows.data(), scale, nullptr, work, dense.data());
  std::vector<std::size_t> out;
  std::size_t all = 0;
  for (std::size_t i = 0; i < scale.size(); ++i) {
    out.push_back(showers.num_not_finite(i));
    // The dense kernel has the same cells, and the sparse one keeps each of them.
    const auto row = std::span(dense).subspan(i * kCells, kCells);
    EXPECT_EQ(calo::infer::count_not_finite(row), out.back());
    std::size_t kept = 0;
    for (std::size_t j = 0; j < showers.cells_of(i).size(); ++j) {
      const float energy = showers.energies_of(i)[j];
      kept += std::isfinite(energy) ? 0 : 1;
      EXPECT_TRUE(!std::isfinite(energy) || energy >= threshold);
      EXPECT_EQ(std::isfinite(energy), std::isfinite(row[showers.cells_of(i)[j]]));
    }
    EXPECT_EQ(kept, out.back());
    all += out.back();
  }
  EXPECT_EQ(finite, all == 0);
  return out;
}

constexpr std::size_t kRows = 8;

// A number in a row that is not finite spoils that shower and no other, in every precision.
TEST(NotFinite, InAHiddenRowIsKeptAndCounted) {
  const std::vector<float> weights = random_numbers(kIn * kCells, 1), bias = random_numbers(kCells, 2);
  const std::vector<float> scale(kRows, 1000);
  for_each_setting([&](const Setting& setting) {
    const OutputLayer layer = layer_of(setting, weights, bias);
    std::vector<float> rows = random_numbers(kIn * kRows, 3);
    for (const float threshold : {0.0f, 400.0f, 1e9f})
      EXPECT_THAT(counts(layer, rows, scale, threshold), testing::Each(0u));
    for (const float threshold : {0.0f, 400.0f, 1e9f, kInf}) {
      std::vector<float> spoilt = rows;
      spoilt[3 * kIn + kIn - 1] = kNan;
      std::vector<std::size_t> wanted(kRows, 0);
      wanted[3] = kCells;
      EXPECT_EQ(counts(layer, spoilt, scale, threshold), wanted);
    }
  });
}

// An infinite input is an infinite sum, which a sigmoid brings back to 0 or 1, as it should; what is left of
// the others is counted. Integer rows cannot hold it at all.
TEST(NotFinite, InfiniteRowsAreNoFiniteShowers) {
  const std::vector<float> weights = random_numbers(kIn * kCells, 1), bias = random_numbers(kCells, 2);
  const std::vector<float> scale(kRows, 1000);
  for_each_setting([&](const Setting& setting) {
    using Kind = Activation::Kind;
    const Kind kind = setting.function.kind;
    std::vector<float> rows = random_numbers(kIn * kRows, 3);
    rows[5 * kIn] = kInf;
    const std::vector<std::size_t> found = counts(layer_of(setting, weights, bias), rows, scale, 0.5f);
    EXPECT_EQ(found[4], 0u);
    const auto all = static_cast<std::size_t>(kCells);
    const bool bounded = kind == Kind::kSigmoid || kind == Kind::kTanh;
    EXPECT_GE(found[5], bounded ? 0 : all / 3);
    if (kind == Kind::kIdentity || kind == Kind::kLeakyRelu) {
      EXPECT_EQ(found[5], all);
    }
  });
}

// One weight or bias that is not finite spoils its own cell in every shower.
TEST(NotFinite, InOneWeightIsOneCell) {
  const std::vector<float> rows = random_numbers(kIn * kRows, 3), scale(kRows, 1000);
  for_each_setting([&](const Setting& setting) {
    std::vector<float> weights = random_numbers(kIn * kCells, 1), bias = random_numbers(kCells, 2);
    weights[17 * kIn + 5] = kNan;
    EXPECT_THAT(counts(layer_of(setting, weights, bias), rows, scale, 1e9f), testing::Each(1u));
    bias[300] = kNan;
    EXPECT_THAT(counts(layer_of(setting, weights, bias), rows, scale, 1e9f), testing::Each(2u));
  });
}

TEST(NotFinite, FactorsOfARowAreSeen) {
  const std::vector<float> weights = random_numbers(kIn * kCells, 1), bias = random_numbers(kCells, 2);
  const std::vector<float> rows = random_numbers(kIn * kRows, 3);
  for_each_setting([&](const Setting& setting) {
    const OutputLayer layer = layer_of(setting, weights, bias);
    for (const float factor : {kNan, kInf, -kInf}) {
      std::vector<float> scale(kRows, 1000);
      scale[2] = factor;
      const std::vector<std::size_t> found = counts(layer, rows, scale, 100);
      EXPECT_EQ(found[2], static_cast<std::size_t>(kCells)) << factor;
      EXPECT_EQ(found[1] + found[3], 0u);
    }
  });
}

// Negative cells, however large, are below every threshold; minus infinity is not a small one.
TEST(NotFinite, MinusInfinityIsNoSmallCell) {
  const std::vector<float> weights(kIn * kCells, 0.0f);
  std::vector<float> bias(kCells, -3e38f);
  bias[7] = -kInf;
  const std::vector<float> rows = random_numbers(kIn, 3);
  for (const Isa isa : instruction_sets()) {
    const OutputLayer layer = layer_of({Precision::kFp32, isa, {Activation::Kind::kIdentity}}, weights, bias);
    EXPECT_THAT(counts(layer, rows, {1.0f}, 5), testing::ElementsAre(1u));
    EXPECT_THAT(counts(layer, rows, {10.0f}, 5), testing::ElementsAre(static_cast<std::size_t>(kCells)));
  }
}

// The rows of VNNI and AMX are integers, which have no NaN: the row's factors carry it.
TEST(NotFinite, IntegerRowsCarryIt) {
  for (const Precision precision : {Precision::kInt8, Precision::kW8a8}) {
    const std::vector<float> weights = random_numbers(kIn * 64, 1), bias(64, 0.0f);
    const PackedLayer layer({.data = reinterpret_cast<const std::byte*>(weights.data()), .out_stride = kIn},
                            bias, kIn, {.precision = precision, .isa = Isa::kAvx512Narrow});
    for (const float bad : {kNan, kInf, -kInf, 0.0f}) {
      std::vector<float> row = random_numbers(kIn, 3);
      row[kIn - 1] = bad;
      std::vector<std::byte> prepared(layer.prepared_bytes(1));
      layer.prepare(row.data(), kIn, 1, prepared.data());
      float low = 0;
      std::memcpy(&low, prepared.data(), sizeof low);
      EXPECT_EQ(std::isnan(low), bad != 0) << bad;
    }
    // A range that no float has.
    std::vector<float> row(kIn, 3e38f);
    row[0] = -3e38f;
    std::vector<std::byte> prepared(layer.prepared_bytes(1));
    layer.prepare(row.data(), kIn, 1, prepared.data());
    float low = 0;
    std::memcpy(&low, prepared.data(), sizeof low);
    EXPECT_TRUE(std::isnan(low));
  }
}

TEST(NotFinite, FunctionsPassItOn) {
  for (const Activation& function : kFunctions) EXPECT_TRUE(std::isnan(function(kNan)));
  EXPECT_EQ(Activation{Activation::Kind::kRelu}(-1), 0);
  EXPECT_EQ(Activation{Activation::Kind::kRelu}(2), 2);
}

// Weights that are finite and too large: the sums run over while the generator runs.
std::string runaway(const std::string& contract) {
  return test::GeneratorModel{.contract = contract, .hidden = {11, 100}, .weight_deviation = 1e20f}.bytes();
}

TEST(NotFinite, GeneratorsEndInAnErrorThatNamesTheCell) {
  const test::TempFolder folder;
  for (const std::string contract : {"plain", "par04-vae", "par04-calodit"}) {
    core::write_file(folder / "runaway.onnx", runaway(contract));
    for (const Precision precision : calo::infer::kPrecisions)
      for (const bool fuse : {true, false}) {
        SCOPED_TRACE(contract + (fuse ? "" : ", interpreted"));
        const Generator generator =
            Generator::load(folder / "runaway.onnx", {.precision = precision, .fuse = fuse});
        std::vector<Particle> particles;
        for (std::uint64_t event = 0; event < 600; ++event)
          particles.push_back(
              {.energy_mev = 64000, .theta_rad = 1.5f, .geometry = 1, .event = event, .particle = 2});
        Workspace workspace;
        SparseShowers showers;
        for (const std::size_t count : {1, 3, 600}) {
          if (!fuse && count > 3) continue;
          const auto some = std::span(particles).first(count);
          std::string sparse, dense;
          try {
            generator.generate(some, 1, 1e6f, workspace, showers);
          } catch (const calo::infer::NotFiniteError& error) {
            sparse = error.what();
          }
          std::vector<float> cells(count * 660);
          try {
            generator.generate_dense(some, 1, workspace, cells);
          } catch (const calo::infer::NotFiniteError& error) {
            dense = error.what();
          }
          EXPECT_EQ(sparse, dense);
          for (const char* part :
               {"runaway.onnx", "event ", "particle 2", "64000 MeV", "SiW", "cell ", "r 0, phi "})
            EXPECT_THAT(sparse, HasSubstr(part));
        }
      }
  }
}

TEST(NotFinite, ThresholdsMustBeNumbers) {
  const Generator generator(Model::from_bytes(test::as_bytes(test::GeneratorModel{}.bytes())));
  Workspace workspace;
  SparseShowers showers;
  const Particle particle{.energy_mev = 1000};
  EXPECT_THROW(generator.generate({&particle, 1}, 1, kNan, workspace, showers), core::UsageError);
}

TEST(NotFinite, TheCInterfaceHasACodeForIt) {
  const test::TempFolder folder;
  const std::string file = folder / "runaway.onnx";
  core::write_file(file, runaway("par04-vae"));
  calopipe_infer_model* model = nullptr;
  ASSERT_EQ(calopipe_infer_load(file.c_str(), CALOPIPE_INFER_FP32, &model), CALOPIPE_INFER_OK);
  calopipe_infer_workspace* workspace = calopipe_infer_workspace_new();
  const calopipe_infer_particle particle{.energy_mev = 64000, .theta_rad = 1.5f, .event = 7};
  calopipe_infer_showers showers;
  EXPECT_EQ(calopipe_infer_generate(model, workspace, &particle, 1, 1, 0.5f, &showers),
            CALOPIPE_INFER_NOT_FINITE);
  EXPECT_EQ(showers.count, 0u);
  EXPECT_THAT(calopipe_infer_error(), HasSubstr("event 7, particle 0"));
  EXPECT_THAT(calopipe_infer_error(), HasSubstr("runaway.onnx"));
  std::vector<float> cells(660);
  EXPECT_EQ(calopipe_infer_generate_dense(model, workspace, &particle, 1, 1, cells.data(), cells.size()),
            CALOPIPE_INFER_NOT_FINITE);
  calopipe_infer_workspace_free(workspace);
  calopipe_infer_free(model);
}

// What loading says of a model; empty where it takes it.
std::string bytes_of(float x) {
  return {reinterpret_cast<const char*>(&x), sizeof x};
}

// y = Gemm(x, w), with the constant as it is given.
std::string product(W writer) {
  writer.input(W::value("x", {1, 2})).node("MatMul", {"x", "w"}, {"y"}).output(W::value("y", {1, 2}));
  return writer.model();
}

TEST(FiniteWeights, EveryWayToStoreThemIsLookedAt) {
  for (const float bad : {kNan, -kNan, kInf, -kInf}) {
    SCOPED_TRACE(bad);
    const std::string raw =
        test::model_refusal(product(W().initializer(W::tensor("w", {2, 2}, {1, 2, bad, 4}))));
    EXPECT_THAT(raw, HasSubstr("tensor \"w\""));
    EXPECT_THAT(raw, HasSubstr("[1, 0]"));
    EXPECT_THAT(raw, HasSubstr("1 of its 4 numbers"));
    const std::string head = W::integer(1, 2) + W::integer(1, 2) + W::bytes(8, "w");
    std::string packed;
    for (const float x : {1.0f, 2.0f, 3.0f, bad}) packed += bytes_of(x);
    EXPECT_THAT(test::model_refusal(product(W().initializer(head + W::integer(2, 1) + W::bytes(4, packed)))),
                HasSubstr("[1, 1]"));
    EXPECT_THAT(
        test::model_refusal(product(W().initializer(head + W::integer(2, 1) + W::real(4, 1) +
                                                    W::real(4, bad) + W::real(4, 1) + W::real(4, 1)))),
        HasSubstr("[0, 1]"));
    // As the value of a Constant, whole or in its attributes.
    EXPECT_THAT(test::model_refusal(product(
                    W().node("Constant", {}, {"w"},
                             {W::bytes(1, "value") + W::bytes(5, W::tensor("", {2, 2}, {1, 2, bad, 4})) +
                              W::integer(20, 4)}))),
                HasSubstr("\"w\""));
    EXPECT_THAT(
        test::model_refusal(W().input(W::value("x", {1, 2}))
                                .node("Constant", {}, {"w"},
                                      {W::bytes(1, "value_floats") + W::bytes(7, packed) + W::integer(20, 6)})
                                .node("Mul", {"x", "w"}, {"y"})
                                .output(W::value("y", {1, 4}))
                                .model()),
        HasSubstr("\"w\""));
    EXPECT_THAT(test::model_refusal(W().input(W::value("x", {1, 2}))
                                        .node("Constant", {}, {"w"}, {W::float_attribute("value_float", bad)})
                                        .node("Mul", {"x", "w"}, {"y"})
                                        .output(W::value("y", {1, 2}))
                                        .model()),
                HasSubstr("\"w\""));
    // bfloat16 behind a Cast, and the scale of int8.
    std::string half;
    for (const float x : {1.0f, bad, 3.0f, 4.0f}) half += bytes_of(x).substr(2);
    EXPECT_THAT(
        test::model_refusal(product(W().initializer(W::integer(1, 2) + W::integer(1, 2) + W::integer(2, 16) +
                                                    W::bytes(8, "h") + W::bytes(9, half))
                                        .node("Cast", {"h"}, {"w"}, {W::int_attribute("to", 1)}))),
        HasSubstr("tensor \"h\""));
    EXPECT_THAT(
        test::model_refusal(product(W().initializer(W::integer(1, 2) + W::integer(1, 2) + W::integer(2, 3) +
                                                    W::bytes(8, "q") + W::bytes(9, "abcd"))
                                        .initializer(W::tensor("s", {2}, {0.1f, bad}))
                                        .node("DequantizeLinear", {"q", "s"}, {"w"}))),
        HasSubstr("tensor \"s\""));
    // An attribute.
    EXPECT_THAT(test::model_refusal(W().input(W::value("x", {1, 2}))
                                        .node("Elu", {"x"}, {"y"}, {W::float_attribute("alpha", bad)})
                                        .output(W::value("y", {1, 2}))
                                        .model()),
                HasSubstr("\"alpha\""));
    // The bias of a layer, in a Gemm or added.
    EXPECT_THAT(test::model_refusal(W().input(W::value("x", {1, 2}))
                                        .initializer(W::tensor("w", {2, 2}, {1, 2, 3, 4}))
                                        .initializer(W::tensor("b", {2}, {1, bad}))
                                        .node("MatMul", {"x", "w"}, {"z"})
                                        .node("Add", {"z", "b"}, {"a"})
                                        .node("Sigmoid", {"a"}, {"y"})
                                        .output(W::value("y", {1, 2}))
                                        .model()),
                HasSubstr("tensor \"b\""));
  }
  EXPECT_EQ(test::model_refusal(product(W().initializer(W::tensor("w", {2, 2}, {1, 2, 3, 3.4e38f})))), "");
}

TEST(FiniteWeights, MasksAndBoundsMayBeInfinite) {
  const auto softmax = [](float masked) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(W::tensor("mask", {1, 3}, {0, masked, 0}));
    writer.node("Add", {"x", "mask"}, {"scores"}).node("Softmax", {"scores"}, {"y"});
    return test::model_refusal(writer.output(W::value("y", {1, 3})).model());
  };
  EXPECT_EQ(softmax(-kInf), "");
  EXPECT_THAT(softmax(kNan), HasSubstr("\"mask\""));
  // Behind operators that move numbers only.
  const auto where = [](float otherwise) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(W::tensor("none", {1}, std::vector<float>{otherwise}));
    writer.initializer(W::tensor("zero", {1}, std::vector<float>{0})).initializer(W::tensor("shape", {1, 1}));
    writer.node("Greater", {"x", "zero"}, {"above"}).node("Reshape", {"none", "shape"}, {"wide"});
    writer.node("Where", {"above", "x", "wide"}, {"z"}).node("Softmax", {"z"}, {"y"});
    return test::model_refusal(writer.output(W::value("y", {1, 3})).model());
  };
  EXPECT_EQ(where(-kInf), "");
  EXPECT_THAT(where(kNan), HasSubstr("\"none\""));
  const auto clip = [](float least, float most) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(W::tensor("least", {}, std::vector<float>{least}));
    writer.initializer(W::tensor("most", {}, std::vector<float>{most}));
    return test::model_refusal(
        writer.node("Clip", {"x", "least", "most"}, {"y"}).output(W::value("y", {1, 3})).model());
  };
  EXPECT_EQ(clip(0, kInf), "");
  EXPECT_EQ(clip(-kInf, 6), "");
  EXPECT_THAT(clip(kNan, 6), HasSubstr("\"least\""));
  const auto bound = [](const std::string& op) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(W::tensor("b", {}, std::vector<float>{-kInf}));
    return test::model_refusal(writer.node(op, {"x", "b"}, {"y"}).output(W::value("y", {1, 3})).model());
  };
  EXPECT_EQ(bound("Max"), "");
  EXPECT_THAT(bound("Mul"), HasSubstr("Mul"));
  EXPECT_THAT(bound("Div"), HasSubstr("Div"));
  EXPECT_THAT(bound("Add"), HasSubstr("output"));
}

}  // namespace
