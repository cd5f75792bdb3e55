#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "calo/infer/generator.h"
#include "calo/infer/model.h"
#include "core/error.h"
#include "core/philox.h"
#include "support/model_refusal.h"
#include "support/onnx_writer.h"
#include "support/temp_folder.h"

namespace {

using calo::infer::Model;
using test::as_bytes;
using W = test::OnnxWriter;
using testing::HasSubstr;

// The message of the error that a model ends in.
W relu() {
  W writer;
  writer.input(W::value("x", {1, 3})).node("Relu", {"x"}, {"y"}).output(W::value("y", {1, 3}));
  return writer;
}

TEST(HostileFiles, ASoundModelIsTaken) {
  EXPECT_EQ(test::model_refusal(relu().model()), "");
}

TEST(HostileFiles, NarrowNumbersAreWeightsOnly) {
  const auto narrow = [](int type, std::size_t bytes, std::int64_t extent = 3) {
    return W::integer(1, extent) + W::integer(2, type) + W::bytes(8, "w") +
           W::bytes(9, std::string(bytes, '\1'));
  };
  const auto with = [&](const std::string& weight, const std::string& op, const std::string& attribute) {
    W writer;
    writer.initializer(weight).initializer(W::tensor("s", {}, {0.5f})).input(W::value("x", {3}));
    std::vector<std::string> attributes;
    if (!attribute.empty()) attributes.push_back(attribute);
    writer.node(op,
                op == "DequantizeLinear" ? std::vector<std::string>{"w", "s"} : std::vector<std::string>{"w"},
                {"f"}, attributes);
    return writer.node("Add", {"x", "f"}, {"y"}).output(W::value("y", {3})).model();
  };
  EXPECT_EQ(test::model_refusal(with(narrow(3, 3), "DequantizeLinear", "")), "");
  EXPECT_EQ(test::model_refusal(with(narrow(16, 6), "Cast", W::int_attribute("to", 1))), "");
  EXPECT_EQ(test::model_refusal(with(narrow(3, 3), "Cast", W::int_attribute("to", 1))), "");
  EXPECT_THAT(test::model_refusal(with(narrow(3, 3), "Relu", "")), HasSubstr("int8"));
  EXPECT_THAT(test::model_refusal(with(narrow(16, 6), "Identity", "")), HasSubstr("bfloat16"));
  EXPECT_THAT(test::model_refusal(with(narrow(16, 5), "Cast", W::int_attribute("to", 1))),
              HasSubstr("5 bytes"));
  EXPECT_THAT(test::model_refusal(with(narrow(3, 3), "DequantizeLinear", W::int_attribute("block_size", 16))),
              HasSubstr("blocks"));
  EXPECT_THAT(
      test::model_refusal(
          W().input(W::value("x", {3}, 16)).node("Relu", {"x"}, {"y"}).output(W::value("y", {3})).model()),
      HasSubstr("only weights"));
  EXPECT_THAT(test::model_refusal(relu().metadata("calopipe.precision", "fp7").model()),
              HasSubstr("calopipe.precision"));
}

TEST(HostileFiles, EveryTruncationEndsInAnError) {
  const std::string whole = test::GeneratorModel{.hidden = {3}, .n_r = 2, .n_phi = 2, .n_z = 2}.bytes();
  ASSERT_EQ(test::model_refusal(whole), "");
  int taken = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string message = test::model_refusal(whole.substr(0, size));
    // Cut between the properties at the end, it is a whole model.
    taken += message.empty();
  }
  EXPECT_LE(taken, 5);
}

TEST(HostileFiles, EveryChangedByteEndsInAnErrorOrAModel) {
  const std::string whole =
      test::GeneratorModel{.contract = "par04-calodit", .hidden = {3}, .n_r = 2, .n_phi = 2, .n_z = 2}
          .bytes();
  core::Philox random(5, 0);
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int i = 0; i < 4; ++i) {
      std::string changed = whole;
      changed[at] = static_cast<char>(i == 0 ? 0xff : i == 1 ? 0 : random.next_u32());
      test::model_refusal(changed);
    }
}

TEST(HostileFiles, NamesWhatIsWrong) {
  const auto with_constant = [](const std::string& tensor) {
    W writer;
    writer.input(W::value("x", {1, 3})).initializer(tensor).node("Add", {"x", "c"}, {"y"});
    return test::model_refusal(writer.output(W::value("y", {1, 3})).model());
  };
  EXPECT_EQ(with_constant(W::tensor("c", {3}, std::vector<float>{1, 2, 3})), "");
  const std::string name = W::bytes(8, "c"), real = W::integer(2, 1);
  EXPECT_THAT(with_constant(W::integer(1, -3) + real + name), HasSubstr("negative extent -3"));
  EXPECT_THAT(with_constant(W::integer(1, std::numeric_limits<std::int64_t>::max()) + real + name),
              HasSubstr("elements"));
  EXPECT_THAT(
      with_constant(W::integer(1, 1 << 20) + W::integer(1, 1 << 20) + W::integer(1, 1 << 24) + real + name),
      HasSubstr("elements"));
  EXPECT_THAT(with_constant(W::integer(1, 1 << 28) + real + name), HasSubstr("\"c\""));
  EXPECT_THAT(with_constant(W::integer(1, 3) + real + name + W::bytes(9, "12345678")), HasSubstr("8 bytes"));
  EXPECT_THAT(with_constant(W::integer(1, 3) + real + name +
                            W::bytes(13, W::bytes(1, "location") + W::bytes(2, "/etc/passwd"))),
              HasSubstr("outside of the file"));
  EXPECT_THAT(with_constant(W::integer(1, 3) + real + name + W::integer(14, 1)),
              HasSubstr("outside of the file"));
  EXPECT_THAT(with_constant(W::integer(1, 3) + W::integer(2, 8) + name), HasSubstr("type 8"));
  EXPECT_THAT(with_constant(W::tensor("c", {4}, std::vector<float>(4))), HasSubstr("node_y"));
  EXPECT_THAT(with_constant(W::tensor("x", {3}, std::vector<float>(3))), HasSubstr("\"c\""));
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += W::integer(1, 1);
  EXPECT_THAT(with_constant(nine + real + name + W::bytes(9, "1234")), HasSubstr("\"c\""));

  W cycle;
  cycle.input(W::value("x", {1, 3})).node("Add", {"x", "b"}, {"a"}).node("Relu", {"a"}, {"b"});
  EXPECT_THAT(test::model_refusal(cycle.output(W::value("b", {1, 3})).model()), HasSubstr("cycle"));
  W itself;
  itself.input(W::value("x", {1, 3})).node("Add", {"x", "a"}, {"a"});
  EXPECT_THAT(test::model_refusal(itself.output(W::value("a", {1, 3})).model()), HasSubstr("cycle"));
  EXPECT_THAT(test::model_refusal(relu().node("Relu", {"x"}, {"y"}).model()), HasSubstr("second time"));
  EXPECT_THAT(test::model_refusal(relu().node("Relu", {"nowhere"}, {"z"}).model()), HasSubstr("nowhere"));
  EXPECT_THAT(test::model_refusal(relu().node("NonMaxSuppression", {"x"}, {"z"}).model()),
              HasSubstr("node_z\" (NonMaxSuppression)"));
  EXPECT_THAT(test::model_refusal(relu().output(W::value("z", {1, 3})).model()), HasSubstr("\"z\""));
  EXPECT_THAT(test::model_refusal(relu().input(W::value("w", {1, -1, 1 << 28, 8})).model()),
              HasSubstr("\"w\""));
  EXPECT_THAT(test::model_refusal(relu().node("Relu", {"x"}, {"z"}, {W::int_attribute("axis", 1)}).model()),
              HasSubstr("axis"));
  EXPECT_THAT(test::model_refusal(relu().node("Elu", {"x"}, {"z"}, {W::int_attribute("alpha", 1)}).model()),
              HasSubstr("alpha"));
  EXPECT_THAT(test::model_refusal(relu().add(15, "").model()), HasSubstr("sparse"));
  EXPECT_THAT(test::model_refusal(relu().model(99)), HasSubstr("99"));
  W wrong;
  wrong.input(W::value("x", {1, 3})).node("Relu", {"x"}, {"y"}).output(W::value("y", {1, 4}));
  EXPECT_THAT(test::model_refusal(wrong.model()), HasSubstr("\"y\""));
  // Subgraph, and an operator of somebody else.
  EXPECT_THAT(
      test::model_refusal(relu().node("Relu", {"x"}, {"z"}, {W::bytes(1, "body") + W::bytes(6, "")}).model()),
      HasSubstr("subgraph"));
  EXPECT_THAT(test::model_refusal(
                  relu()
                      .add(1, W::bytes(1, "x") + W::bytes(2, "z") + W::bytes(4, "Relu") + W::bytes(7, "evil"))
                      .model()),
              HasSubstr("evil"));
  EXPECT_THAT(test::model_refusal(""), HasSubstr("no graph"));
  EXPECT_THAT(test::model_refusal(std::string(40, '\xff')), HasSubstr("64 bits"));
}

TEST(HostileFiles, HugeShapesMadeWhileRunningAreRefused) {
  W expand;
  expand.input(W::value("x", {1, 1})).initializer(W::tensor("shape", {1 << 20, 1 << 20}));
  EXPECT_THAT(test::model_refusal(
                  expand.node("Expand", {"x", "shape"}, {"y"}).output(W::value("y", {-1, -1})).model()),
              HasSubstr("node_y"));
  W noise;
  noise.node("RandomNormal", {}, {"y"}, {W::ints_attribute("shape", {-1, 4})}).output(W::value("y", {-1, 4}));
  EXPECT_THAT(test::model_refusal(noise.model()), HasSubstr("node_y"));
  W minus;
  minus.input(W::value("x", {1, 4})).initializer(W::tensor("shape", {-1, -1}));
  EXPECT_THAT(test::model_refusal(
                  minus.node("Reshape", {"x", "shape"}, {"y"}).output(W::value("y", {-1, -1})).model()),
              HasSubstr("node_y"));
  W gather;
  gather.input(W::value("x", {1, 4})).initializer(W::tensor("i", {4}));
  EXPECT_THAT(test::model_refusal(gather.node("Gather", {"x", "i"}, {"y"}, {W::int_attribute("axis", 1)})
                                      .output(W::value("y", {1, 1}))
                                      .model()),
              HasSubstr("place 4 of 4"));
}

TEST(HostileFiles, AreNamedWithTheirPath) {
  const test::TempFolder folder;
  std::ofstream(folder / "bad.onnx") << "no model";
  std::ofstream(folder / "empty.onnx").flush();
  for (const char* file : {"bad.onnx", "empty.onnx", "missing.onnx"}) {
    try {
      Model::load(folder / file);
      ADD_FAILURE() << file;
    } catch (const core::InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(file));
    }
  }
  EXPECT_THROW(Model::load(folder.path()), core::InputError);
}

TEST(HostileFiles, GeneratorsWithPropertiesThatLieAreRefused) {
  const auto refused = [](const std::string& key, const std::string& text) {
    try {
      calo::infer::Generator generator(Model::from_bytes(
          as_bytes(test::GeneratorModel{}.bytes() + W::bytes(14, W::bytes(1, key) + W::bytes(2, text)))));
    } catch (const core::InputError&) {
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused("other", "x"));
  EXPECT_TRUE(refused("calopipe.contract", "par04-vae"));
  EXPECT_TRUE(refused("calopipe.contract", "x"));
  EXPECT_TRUE(refused("calopipe.latent_dim", "5"));
  EXPECT_TRUE(refused("calopipe.latent_dim", "x"));
  EXPECT_TRUE(refused("calopipe.latent_dim", "99999999999999999999"));
  EXPECT_TRUE(refused("calopipe.conditions", "[]"));
  EXPECT_TRUE(refused("calopipe.conditions", "{"));
  EXPECT_TRUE(refused("calopipe.conditions", "[1,2,3,4]"));
  EXPECT_TRUE(refused("calopipe.geometries", "[1]"));
  EXPECT_TRUE(refused("calopipe.mesh", "[]"));
  EXPECT_THROW(calo::infer::Generator(Model::from_bytes(as_bytes(relu().model()))), core::InputError);
}

}  // namespace
