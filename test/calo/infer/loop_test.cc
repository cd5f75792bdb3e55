#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "calo/infer/model.h"
#include "calo/infer/onnx_reader.h"
#include "calo/infer/program.h"
#include "core/error.h"
#include "core/philox.h"
#include "support/counting_new.h"
#include "support/onnx_writer.h"

namespace {

using calo::infer::Model;
using calo::infer::OnnxLimits;
using calo::infer::OutputView;
using calo::infer::Precision;
using calo::infer::Workspace;
using test::as_bytes;
using testing::HasSubstr;
using W = test::OnnxWriter;

constexpr int kFloat = 1, kInt64 = 7, kBool = 9;

std::string refused_loop(const std::string& bytes, const OnnxLimits& limits = {}) {
  try {
    calo::infer::compile(calo::infer::read_onnx(as_bytes(bytes), limits), {.limits = limits});
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "(taken)";
}

// A body with inputs and outputs as they should be: c goes on, v is carried.
W body(const std::string& made = "w") {
  W writer;
  writer.input(W::value("i", {}, kInt64)).input(W::value("c", {}, kBool)).input(W::value("v", {1, 3}));
  return writer.output(W::value("c", {}, kBool)).output(W::value(made, {1, 3}));
}

std::string int64_tensor(const std::string& name, std::int64_t value) {
  return W::tensor(name, std::vector<std::int64_t>{value});
}

// Around a body: y = Loop(m, "", x).
W around(const std::string& graph, std::int64_t trips = 3, const std::vector<std::string>& outputs = {"y"}) {
  W writer;
  writer.input(W::value("x", {1, 3})).initializer(int64_tensor("m", trips));
  writer.initializer(W::tensor("one", {}, std::vector<float>{1})).node("Neg", {"x"}, {"before"});
  writer.node("Loop", {"m", "", "x"}, outputs, {W::graph_attribute("body", graph)});
  return writer.node("Neg", {outputs[0]}, {"after"}).output(W::value(outputs[0], {-1, -1}));
}

std::string sound() {
  return around(body().node("Add", {"v", "before"}, {"s"}).node("Add", {"s", "one"}, {"w"}).graph()).model();
}

std::string with(const W& inner) {
  return refused_loop(around(inner.graph()).model());
}

TEST(Loop, ASoundOneIsTaken) {
  EXPECT_EQ(refused_loop(sound()), "(taken)");
}

TEST(Loop, NamesOfABodyAreChecked) {
  EXPECT_THAT(with(body().node("Add", {"v", "nowhere"}, {"w"})), HasSubstr("\"nowhere\", which is neither"));
  EXPECT_THAT(with(body().node("Add", {"v", "after"}, {"w"})), HasSubstr("before it is made"));
  EXPECT_THAT(with(body().node("Add", {"v", "y"}, {"w"})), HasSubstr("before it is made"));
  EXPECT_THAT(
      with(body().node("Add", {"v", "b"}, {"a"}).node("Add", {"v", "a"}, {"b"}).node("Neg", {"b"}, {"w"})),
      HasSubstr("cycle"));
  EXPECT_THAT(with(body().node("Neg", {"v"}, {"w"}).node("Neg", {"v"}, {"w"})), HasSubstr("second time"));
  EXPECT_THAT(with(body().initializer(W::tensor("v", {3}, {1, 2, 3})).node("Neg", {"v"}, {"w"})),
              HasSubstr("second time"));
  EXPECT_THAT(with(body("before").node("Neg", {"v"}, {"before"})), HasSubstr("the graph around it has made"));
  EXPECT_THAT(with(body("w")), HasSubstr("output \"w\""));
  EXPECT_THAT(with(body("after").node("Neg", {"v"}, {"w"})), HasSubstr("made by no node"));
  EXPECT_THAT(with(W()), HasSubstr("no output"));
  // The name of a value around it is the body's own where it has one, and a value around it may be an output.
  EXPECT_EQ(with(body().initializer(W::tensor("one", {3}, {1, 2, 3})).node("Add", {"v", "one"}, {"w"})),
            "(taken)");
  EXPECT_EQ(with(body("before")), "(taken)");
}

TEST(Loop, InputsAndOutputsAreThoseOfItsBody) {
  const W inner = body().node("Neg", {"v"}, {"w"});
  EXPECT_THAT(refused_loop(around(inner.graph(), 3, {"y", "z"}).model()), HasSubstr("2 outputs"));
  EXPECT_THAT(with(body().input(W::value("u", {1})).node("Neg", {"v"}, {"w"})), HasSubstr("4 inputs"));
  EXPECT_THAT(with(W().input(W::value("i", {}, kInt64)).output(W::value("i", {}, kInt64))),
              HasSubstr("1 inputs"));
  const auto typed = [&](int number, int condition, int state, const std::string& more = {}) {
    W writer;
    writer.input(W::value("i", {}, number))
        .input(W::value("c", {}, condition))
        .input(W::value("v", {1, 3}, state));
    writer.node("Neg", {"v"}, {"w"}).output(more.empty() ? W::value("c", {}, condition) : more);
    return with(writer.output(W::value("w", {1, 3}, state)));
  };
  EXPECT_EQ(typed(kInt64, kBool, kFloat), "(taken)");
  EXPECT_THAT(typed(kFloat, kBool, kFloat), HasSubstr("iteration number is float"));
  EXPECT_THAT(typed(kInt64, kFloat, kFloat), HasSubstr("condition is float"));
  EXPECT_THAT(typed(kInt64, kBool, 11), HasSubstr("is given float"));
  EXPECT_THAT(typed(kInt64, kBool, kFloat, W::value("v", {1, 3})), HasSubstr("condition is float"));
  EXPECT_THAT(typed(kInt64, kBool, kFloat, W::bytes(1, "v")), HasSubstr("one bool as its condition"));
  EXPECT_THAT(typed(kInt64, kBool, kFloat, W::value("i", {}, kBool)), HasSubstr("declares bool"));
  EXPECT_THAT(with(body("i").node("Neg", {"v"}, {"w"})), HasSubstr("declares float"));

  const auto node = [](const std::vector<std::string>& inputs, const std::vector<std::string>& attributes) {
    W writer;
    writer.input(W::value("x", {1, 3}))
        .initializer(int64_tensor("m", 3))
        .node("Loop", inputs, {"y"}, attributes);
    return refused_loop(writer.output(W::value("y", {1, 3})).model());
  };
  const std::string attribute = W::graph_attribute("body", inner.graph());
  EXPECT_EQ(node({"m", "", "x"}, {attribute}), "(taken)");
  EXPECT_THAT(node({"m", "", "x"}, {}), HasSubstr("misses its body"));
  EXPECT_THAT(node({"m", "", "x"}, {W::int_attribute("body", 1)}), HasSubstr("misses its body"));
  EXPECT_THAT(node({"m", "", "x"}, {W::bytes(1, "body") + W::integer(20, 5)}), HasSubstr("without a graph"));
  EXPECT_THAT(node({"m", "", "x"}, {attribute + W::bytes(6, inner.graph())}), HasSubstr("two graphs"));
  EXPECT_THAT(node({"m", "", "x"}, {attribute, W::int_attribute("axis", 1)}), HasSubstr("axis"));
  EXPECT_THAT(node({"m", "", ""}, {attribute}), HasSubstr("misses its input 2"));
  EXPECT_THAT(node({"x", "", "x"}, {attribute}), HasSubstr("one int64 as its trip count"));
  EXPECT_THAT(node({"m", "m", "x"}, {attribute}), HasSubstr("one bool as its condition"));
  EXPECT_THAT(node({"m", "", "m"}, {attribute}), HasSubstr("is given int64"));
  // Operators of a body are known, needed or not.
  EXPECT_THAT(with(body().node("Neg", {"v"}, {"w"}).node("NonMaxSuppression", {"v"}, {"u"})),
              HasSubstr("not known"));
  EXPECT_THAT(
      with(body().node("Neg", {"v"}, {"w"}).node("Neg", {"v"}, {"u"}, {W::graph_attribute("body", "")})),
      HasSubstr("subgraph"));
}

TEST(Loop, BranchesAreChecked) {
  const auto branch = [](const std::string& op, const std::string& from = "x") {
    return W().node(op, {from}, {"a"}).output(W::value("a", {1, 3})).graph();
  };
  const auto node = [](const std::vector<std::string>& inputs, const std::vector<std::string>& attributes) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(W::tensor("zero", {}, std::vector<float>{0}));
    writer.node("IsNaN", {"zero"}, {"q"}).node("If", inputs, {"y"}, attributes);
    return refused_loop(writer.output(W::value("y", {1, 3})).model());
  };
  const std::string yes = W::graph_attribute("then_branch", branch("Neg"));
  const auto no = [](const std::string& graph) { return W::graph_attribute("else_branch", graph); };
  EXPECT_EQ(node({"q"}, {yes, no(branch("Exp"))}), "(taken)");
  EXPECT_THAT(node({"q"}, {yes}), HasSubstr("misses its body \"else_branch\""));
  EXPECT_THAT(node({"x"}, {yes, no(branch("Exp"))}), HasSubstr("one bool as its condition"));
  EXPECT_THAT(node({""}, {yes, no(branch("Exp"))}), HasSubstr("one condition"));
  EXPECT_THAT(node({"q"}, {yes, no(branch("Exp", "y"))}), HasSubstr("before it is made"));
  EXPECT_THAT(node({"q"}, {yes, no(branch("Exp") + W::bytes(11, W::value("u", {1})))}),
              HasSubstr("branch with inputs"));
  EXPECT_THAT(node({"q"}, {yes, no(branch("Exp") + W::bytes(12, W::value("x", {1, 3})))}),
              HasSubstr("else_branch\" 2"));
}

TEST(Loop, WhatIsTooMuchIsRefused) {
  const auto nested = [](int depth) {
    std::string inner;
    for (int k = 0; k < depth; ++k) {
      const std::string n = std::to_string(k), v = "v" + n, w = "w" + n;
      W writer;
      writer.input(W::value("i" + n, {}, kInt64))
          .input(W::value("c" + n, {}, kBool))
          .input(W::value(v, {1, 3}));
      if (k == 0)
        writer.node("Neg", {v}, {w});
      else
        writer.node("Loop", {"m", "", v}, {w}, {W::graph_attribute("body", inner)});
      inner = writer.output(W::value("c" + n, {}, kBool)).output(W::value(w, {1, 3})).graph();
    }
    return around(inner, 1).model();
  };
  EXPECT_EQ(refused_loop(nested(8)), "(taken)");
  EXPECT_THAT(refused_loop(nested(9)), HasSubstr("body in more than 7 others"));
  EXPECT_THAT(refused_loop(nested(200)), HasSubstr("body in more than 7 others"));

  const OnnxLimits few{.elements = 1 << 10};
  const auto scanned = [](std::int64_t trips) {
    return around(body().node("Neg", {"v"}, {"w"}).output(W::value("w", {1, 3})).graph(), trips, {"y", "z"})
        .model();
  };
  EXPECT_EQ(refused_loop(scanned(341), few), "(taken)");
  EXPECT_THAT(refused_loop(scanned(342), few), HasSubstr("more than 1024 elements"));
  const auto grown =
      around(body().node("Concat", {"v", "v"}, {"w"}, {W::int_attribute("axis", 1)}).graph(), 60);
  EXPECT_THAT(refused_loop(grown.model(), few), HasSubstr("more than 1024 elements"));
  EXPECT_THAT(refused_loop(sound(), {.nodes = 4}), HasSubstr("4 nodes"));
  EXPECT_THAT(refused_loop(sound(), {.constants = 1}), HasSubstr("1 constants"));
  EXPECT_THAT(refused_loop(around(body().node("Neg", {"v"}, {"w"}).graph(), 900).model(), {.work = 10'000}),
              HasSubstr("more work"));
}

TEST(Loop, ScansAndCarriesOneType) {
  const auto changing =
      body().node("Concat", {"v", "v"}, {"w"}, {W::int_attribute("axis", 1)}).output(W::value("w", {1, -1}));
  EXPECT_THAT(refused_loop(around(changing.graph(), 3, {"y", "z"}).model()),
              HasSubstr("scans float [1, 12]"));
  W carried;
  carried.input(W::value("i", {}, kInt64)).input(W::value("c", {}, kBool)).input(W::bytes(1, "v"));
  carried.output(W::value("c", {}, kBool)).output(W::bytes(1, "i"));
  EXPECT_THAT(with(carried), HasSubstr("makes int64 of the carried value 0, which is float"));
}

// Zeros may never end a loop that other numbers end, so that only a run tells.
TEST(Loop, EndlessOnesAreRefusedWhenTheyRun) {
  W writer;
  writer.input(W::value("x", {1, 3}));
  writer.node("Loop", {"", "", "x"}, {"y"},
              {W::graph_attribute("body", body().node("Neg", {"v"}, {"w"}).graph())});
  const Model model = Model::from_bytes(as_bytes(writer.output(W::value("y", {1, 3})).model()));
  Workspace workspace;
  const std::vector<std::int64_t> shape = {1, 3};
  const std::vector<float> numbers(3);
  try {
    model.run(std::vector<calo::infer::InputView>{{.shape = shape, .floats = numbers}}, {}, workspace);
    ADD_FAILURE();
  } catch (const core::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("does not end within 1000000 iterations"));
    EXPECT_THAT(error.what(), HasSubstr("node_y"));
  }
}

TEST(Loop, NumbersOfABodyAreFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const auto own = [&](float number, const std::string& op) {
    return with(body().initializer(W::tensor("k", {3}, {1, number, 3})).node(op, {"v", "k"}, {"w"}));
  };
  EXPECT_THAT(own(nan, "Max"), HasSubstr("\"k\""));
  EXPECT_THAT(own(infinity, "Mul"), HasSubstr("\"k\", used by node \"node_w\""));
  EXPECT_EQ(own(infinity, "Min"), "(taken)");
  // From around it, and as what is carried on.
  const auto outer = [&](const std::string& op, const std::string& behind) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(int64_tensor("m", 3));
    writer.initializer(W::tensor("k", {1, 3}, {1, -infinity, 3}));
    const std::string inner = body().node(op, {"v", "x"}, {"w"}).graph();
    writer.node("Loop", {"m", "", "k"}, {"l"}, {W::graph_attribute("body", inner)})
        .node(behind, {"l", "x"}, {"y"});
    return refused_loop(writer.output(W::value("y", {1, 3})).model());
  };
  EXPECT_EQ(outer("Max", "Max"), "(taken)");
  EXPECT_THAT(outer("Mul", "Max"), HasSubstr("\"k\", used by node \"node_w\""));
  const auto captured = [&](const std::string& op) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(int64_tensor("m", 3));
    writer.initializer(W::tensor("k", {1, 3}, {1, -infinity, 3})).node("Neg", {"k"}, {"n"});
    const std::string inner = body().node(op, {"v", "n"}, {"w"}).graph();
    writer.node("Loop", {"m", "", "x"}, {"y"}, {W::graph_attribute("body", inner)});
    return refused_loop(writer.output(W::value("y", {1, 3})).model());
  };
  EXPECT_EQ(captured("Min"), "(taken)");
  EXPECT_THAT(captured("Mul"), HasSubstr("\"k\", used by node \"node_w\""));
}

TEST(Loop, EveryChangedOrMissingByteEndsInAnErrorOrAModel) {
  const std::string whole = sound();
  core::Philox random(7, 0);
  const OnnxLimits limits{.elements = 1 << 16, .work = 1 << 22};
  for (std::size_t at = 0; at < whole.size(); ++at) {
    refused_loop(whole.substr(0, at), limits);
    for (int i = 0; i < 6; ++i) {
      std::string changed = whole;
      changed[at] = static_cast<char>(i == 0 ? 0xff : i == 1 ? 0 : random.next_u32());
      refused_loop(changed, limits);
    }
  }
}

// A loop around a layer whose weights stand in the graph around it.
std::string layered(std::int64_t width) {
  core::Philox random(3, 0);
  std::vector<float> weights(static_cast<std::size_t>(width * width));
  for (float& weight : weights) weight = 0.01f * random.normal();
  W inner;
  inner.input(W::value("i", {}, kInt64)).input(W::value("c", {}, kBool)).input(W::value("v", {1, width}));
  inner.node("MatMul", {"v", "weights"}, {"p"}).node("Tanh", {"p"}, {"w"});
  inner.output(W::value("c", {}, kBool)).output(W::value("w", {1, width})).output(W::value("p", {1, width}));
  W writer;
  writer.input(W::value("x", {1, width})).initializer(int64_tensor("m", 5));
  writer.initializer(W::tensor("weights", {width, width}, weights));
  writer.node("Loop", {"m", "", "x"}, {"y", "all"}, {W::graph_attribute("body", inner.graph())});
  return writer.output(W::value("y", {1, width})).output(W::value("all", {5, 1, width})).model();
}

TEST(Loop, LayersOfABodyArePacked) {
  constexpr std::int64_t kWidth = 256;
  const std::string bytes = layered(kWidth);
  const Model fp32 = Model::from_bytes(as_bytes(bytes)),
              int8 = Model::from_bytes(as_bytes(bytes), {.precision = Precision::kInt8});
  EXPECT_EQ(fp32.precision(), Precision::kFp32);
  EXPECT_EQ(int8.precision(), Precision::kInt8);
  EXPECT_GE(fp32.weight_bytes(), kWidth * kWidth * 4);
  EXPECT_LT(fp32.weight_bytes(), kWidth * kWidth * 5);  // nowhere a second time
  EXPECT_LT(int8.weight_bytes(), kWidth * kWidth * 2);
  EXPECT_FALSE(fp32.runs_any_batch());
}

TEST(Loop, AllocatesNothingAfterTheFirstRun) {
  const Model model = Model::from_bytes(as_bytes(layered(64)));
  Workspace workspace;
  const std::vector<std::int64_t> shape = {1, 64};
  const std::vector<float> numbers(64, 0.5f);
  const std::vector<calo::infer::InputView> inputs = {{.shape = shape, .floats = numbers}};
  // Memory changes places between the iterations and the output: after a few runs all of it is large enough.
  for (int i = 0; i < 4; ++i) model.run(inputs, {}, workspace);
  const std::int64_t before = test::allocations();
  for (int i = 0; i < 4; ++i) model.run(inputs, {}, workspace);
  EXPECT_EQ(test::allocations() - before, 0);
}

TEST(Loop, DrawsOtherNumbersInEachIteration) {
  W inner;
  inner.input(W::value("i", {}, kInt64)).input(W::value("c", {}, kBool)).output(W::value("c", {}, kBool));
  inner.node("RandomNormal", {}, {"r"}, {W::ints_attribute("shape", {1, 4})}).output(W::value("r", {1, 4}));
  W writer;
  writer.input(W::value("x", {1, 1})).initializer(int64_tensor("m", 6));
  writer.node("Loop", {"m", ""}, {"y"}, {W::graph_attribute("body", inner.graph())});
  const Model model = Model::from_bytes(as_bytes(writer.output(W::value("y", {6, 1, 4})).model()));
  const std::vector<std::int64_t> shape = {1, 1};
  const std::vector<float> numbers(1);
  const auto drawn = [&](std::uint64_t event) {
    Workspace workspace;
    model.run(std::vector<calo::infer::InputView>{{.shape = shape, .floats = numbers}},
              std::vector<calo::infer::NoiseKey>{{.seed = 1, .event = event}}, workspace);
    const OutputView out = model.output(workspace, 0);
    return std::vector<float>(out.floats.begin(), out.floats.end());
  };
  const std::vector<float> first = drawn(1);
  EXPECT_EQ(std::set<float>(first.begin(), first.end()).size(), 24u);
  EXPECT_EQ(drawn(1), first);
  EXPECT_NE(drawn(2), first);
}

}  // namespace
