#include "calo/infer/external_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <map>

#include "calo/infer/model.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/onnx_writer.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using calo::infer::Model;
using calo::infer::Workspace;
using testing::HasSubstr;
using W = test::OnnxWriter;

std::vector<float> floats_in(const fs::path& file) {
  const std::string bytes = core::read_file(file);
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

std::vector<float> run(const Model& model, const std::vector<std::int64_t>& shape,
                       const std::vector<float>& x) {
  Workspace workspace;
  const calo::infer::InputView view{.shape = shape, .floats = x};
  model.run({&view, 1}, {}, workspace);
  const auto y = model.output(workspace, 0).floats;
  return {y.begin(), y.end()};
}

void expect_near(const std::vector<float>& found, const std::vector<float>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], wanted[i], 1e-4 * std::abs(wanted[i]) + 1e-5);
}

// As the onnx package writes them, in all its ways; onnxruntime says what comes out.
TEST(ExternalData, IsReadAsOnnxruntimeReadsIt) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const std::string command = std::string(test::python()) + " " + CALOPIPE_SOURCE_DIR +
                              "/test/calo/infer/external_data_cases.py " + (folder / "cases").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(folder / "cases")) {
    SCOPED_TRACE(entry.path().filename());
    const Model model = Model::load(entry.path() / "model.onnx");
    expect_near(run(model, {2, 6}, floats_in(entry.path() / "in.bin")), floats_in(entry.path() / "out.bin"));
    EXPECT_FALSE(calo::infer::external_files(entry.path() / "model.onnx").empty());
    // Nothing depends on where the program runs.
    const fs::path before = fs::current_path();
    fs::current_path(entry.path());
    EXPECT_NO_THROW(Model::load("model.onnx"));
    fs::current_path(before);
    ++cases;
  }
  EXPECT_EQ(cases, 9);
}

using Place = std::vector<std::pair<std::string, std::string>>;

// y = x · w with the weights `[2, 2]` in another file.
std::string model_with(const Place& place, const std::string& more = "") {
  std::string tensor =
      W::integer(1, 2) + W::integer(1, 2) + W::integer(2, 1) + W::bytes(8, "w") + W::integer(14, 1);
  for (const auto& [key, value] : place) tensor += W::bytes(13, W::bytes(1, key) + W::bytes(2, value));
  W writer;
  writer.initializer(tensor + more).input(W::value("x", {1, 2})).node("MatMul", {"x", "w"}, {"y"});
  return writer.output(W::value("y", {1, 2})).model();
}

class ExternalFile : public testing::Test {
 protected:
  void SetUp() override {
    const float weights[] = {9, 9, 1, 2, 3, 4, 9};
    fs::create_directory(model_.parent_path());
    bytes_.assign(reinterpret_cast<const char*>(weights), sizeof weights);
    core::write_file(model_.parent_path() / "w.data", bytes_);
    core::write_file(folder_ / "outside.data", bytes_);
  }

  // What the model says; empty where it is taken.
  std::string refusal(const Place& place, const std::string& more = "") {
    core::write_file(model_, model_with(place, more));
    try {
      EXPECT_THAT(run(Model::load(model_), {1, 2}, {1, 10}), testing::ElementsAre(31, 42));
    } catch (const core::InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("model.onnx"));
      EXPECT_THAT(error.what(), HasSubstr("\"w\""));
      return error.what();
    }
    return "";
  }

  test::TempFolder folder_;
  fs::path model_ = folder_ / "models/model.onnx";
  std::string bytes_;
};

TEST_F(ExternalFile, IsTakenWhereItIsInsideOfTheFolder) {
  const fs::path beside = model_.parent_path();
  fs::create_directories(beside / "a/b");
  core::write_file(beside / "a/b/w.data", bytes_);
  fs::create_symlink("w.data", beside / "link.data");
  fs::create_directory_symlink("a", beside / "linked");
  for (const char* location :
       {"w.data", "./w.data", "a/b/w.data", "a//b/./w.data", "link.data", "linked/b/w.data"})
    EXPECT_EQ(refusal({{"location", location}, {"offset", "8"}, {"length", "16"}}), "") << location;
  EXPECT_EQ(refusal({{"offset", "8"}, {"location", "w.data"}}), "");  // as long as the shape asks for
  // The model through a link in another folder: its own folder is that of the link.
  fs::create_directory(folder_ / "other");
  fs::create_symlink(model_, folder_ / "other/model.onnx");
  EXPECT_THROW(Model::load(folder_ / "other/model.onnx"), core::InputError);
  core::write_file(folder_ / "other/w.data", bytes_);
  EXPECT_NO_THROW(Model::load(folder_ / "other/model.onnx"));
}

TEST_F(ExternalFile, IsRefusedElsewhere) {
  const fs::path beside = model_.parent_path();
  fs::create_symlink("../outside.data", beside / "out.data");
  fs::create_directory_symlink("..", beside / "up");
  fs::create_directory(beside / "folder");
  ASSERT_EQ(mkfifo((beside / "pipe").c_str(), 0600), 0);
  const auto at = [&](const std::string& location) {
    return refusal({{"location", location}, {"offset", "8"}});
  };
  EXPECT_THAT(at("../outside.data"), HasSubstr("\"..\""));
  EXPECT_THAT(at("folder/../w.data"), HasSubstr("\"..\""));
  EXPECT_THAT(at((folder_ / "outside.data").string()), HasSubstr("absolute"));
  EXPECT_THAT(at("/etc/passwd"), HasSubstr("absolute"));
  EXPECT_THAT(at("C:w.data"), HasSubstr("absolute"));
  EXPECT_THAT(at("folder\\w.data"), HasSubstr("backslash"));
  EXPECT_THAT(at(std::string("w.data\0x", 8)), HasSubstr("control character"));
  EXPECT_THAT(at(""), HasSubstr("is empty"));
  EXPECT_THAT(at("."), HasSubstr("folder"));
  EXPECT_THAT(at("folder/"), HasSubstr("folder"));
  EXPECT_THAT(at(std::string(5000, 'a')), HasSubstr("too long"));
  EXPECT_THAT(at("out.data"), HasSubstr("a link leads out"));
  EXPECT_THAT(at("up/outside.data"), HasSubstr("a link leads out"));
  EXPECT_EQ(at("up/models/w.data"), "");  // comes back: it is inside after all
  EXPECT_THAT(at("folder"), HasSubstr("is no file"));
  EXPECT_THAT(at("pipe"), HasSubstr("is no file"));
  EXPECT_THAT(at("gone.data"), HasSubstr("the weights file \"gone.data\" beside the model is missing"));
  EXPECT_THAT(at("w.data/x"), HasSubstr("beside the model cannot be read"));
}

TEST_F(ExternalFile, MustHoldWhatTheTensorSays) {
  const auto at = [&](const Place& more) {
    Place place = {{"location", "w.data"}};
    place.insert(place.end(), more.begin(), more.end());
    return refusal(place);
  };
  EXPECT_EQ(at({{"offset", "8"}}), "");
  EXPECT_THAT(at({{"offset", "8"}, {"length", "12"}}),
              HasSubstr("has 12 bytes in \"w.data\", and its shape asks for 16"));
  EXPECT_THAT(at({{"offset", "8"}, {"length", "20"}}), HasSubstr("20 bytes"));
  EXPECT_THAT(at({{"offset", "16"}}), HasSubstr("bytes 16 to 32 of \"w.data\", which has 28"));
  EXPECT_THAT(at({{"offset", "18446744073709551612"}}), HasSubstr("cut off"));
  EXPECT_THAT(at({{"offset", "99999999999999999999"}}), HasSubstr("no number of bytes"));
  for (const char* text : {"-8", "8x", " 8", "0x8", "", "8.0"})
    EXPECT_THAT(at({{"offset", text}}), HasSubstr("no number of bytes")) << text;
  EXPECT_THAT(at({{"offset", "8"}, {"offset", "8"}}), HasSubstr("two of \"offset\""));
  EXPECT_THAT(at({{"offset", "8"}, {"basepath", "/etc"}}), HasSubstr("\"basepath\""));
  EXPECT_THAT(refusal({{"offset", "8"}}), HasSubstr("no location"));
  EXPECT_THAT(refusal({}), HasSubstr("not where"));
  EXPECT_THAT(refusal({{"location", "w.data"}}, W::integer(14, 0)), HasSubstr("not that it does"));
  EXPECT_THAT(refusal({{"location", "w.data"}}, W::integer(14, 2)), HasSubstr("kind 2"));
  EXPECT_THAT(refusal({{"location", "w.data"}}, W::bytes(9, std::string(16, 'a'))),
              HasSubstr("holds numbers"));
  // Cut off, and emptied.
  core::write_file(model_.parent_path() / "w.data", bytes_.substr(0, 20));
  EXPECT_THAT(at({{"offset", "8"}}), HasSubstr("which has 20"));
  core::write_file(model_.parent_path() / "w.data", "");
  EXPECT_THAT(at({{"offset", "8"}}), HasSubstr("which has 0"));
}

TEST_F(ExternalFile, IsTheOneThatTheChecksumIsOf) {
  const auto with = [&](const std::string& checksum) {
    return refusal({{"location", "w.data"}, {"offset", "8"}, {"checksum", checksum}});
  };
  EXPECT_THAT(with("da39a3ee5e6b4b0d3255bfef95601890afd80709"), HasSubstr("another one"));
  EXPECT_THAT(with("x"), HasSubstr("another one"));
  // RFC 3174's own: of what FIPS 180-1 has, and of sizes around a block's end.
  const std::pair<std::string, const char*> known[] = {
      {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
      {std::string(1'000'000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
      {std::string(64, 'a'), "0098ba824b5c16427bd7a1122a5a442a25ec644d"}};
  for (const auto& [text, digest] : known) {
    core::write_file(model_.parent_path() / "c.data", text);
    core::write_file(model_, model_with({{"location", "c.data"}, {"checksum", digest}}));
    try {
      Model::load(model_);
      EXPECT_GE(text.size(), 16u);
    } catch (const core::InputError& error) {
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("checksum")));
    }
  }
}

TEST_F(ExternalFile, WeightsInItMustBeFinite) {
  const float nan = std::nanf("");
  std::memcpy(bytes_.data() + 12, &nan, 4);
  core::write_file(model_.parent_path() / "w.data", bytes_);
  EXPECT_THAT(refusal({{"location", "w.data"}, {"offset", "8"}}), HasSubstr("holds NaN at [0, 1]"));
}

TEST_F(ExternalFile, IsNotLookedForByAModelFromMemory) {
  const std::string bytes = model_with({{"location", "w.data"}, {"offset", "8"}});
  try {
    Model::from_bytes(test::as_bytes(bytes));
    ADD_FAILURE();
  } catch (const core::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("came from memory"));
    EXPECT_THAT(error.what(), HasSubstr("w.data"));
  }
}

}  // namespace
