#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "calo/infer/model.h"
#include "support/temp_folder.h"

namespace {

using calo::infer::InputView;
using calo::infer::Model;
using calo::infer::OutputView;
using calo::infer::Workspace;

struct Numbers {
  std::vector<std::int64_t> shape, integers;
  std::vector<float> floats;
};

template <class T>
std::vector<T> read(const std::filesystem::path& file) {
  std::vector<T> out(std::filesystem::file_size(file) / sizeof(T));
  std::ifstream(file, std::ios::binary)
      .read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(T)));
  return out;
}

std::vector<Numbers> read_all(const std::filesystem::path& folder, const nlohmann::json& entries,
                              const std::string& prefix) {
  std::vector<Numbers> all;
  for (const auto& entry : entries) {
    Numbers numbers{.shape = entry.at("shape")};
    const auto file = folder / (prefix + "_" + std::to_string(all.size()) + ".bin");
    if (entry.at("integers"))
      numbers.integers = read<std::int64_t>(file);
    else
      numbers.floats = read<float>(file);
    all.push_back(std::move(numbers));
  }
  return all;
}

void expect_same(const OutputView& got, const Numbers& expected, const std::string& name) {
  EXPECT_THAT(got.shape, testing::ElementsAreArray(expected.shape)) << name;
  ASSERT_EQ(got.floats.size(), expected.floats.size()) << name;
  EXPECT_THAT(got.integers, testing::ElementsAreArray(expected.integers)) << name;
  for (std::size_t i = 0; i < expected.floats.size(); ++i) {
    const float want = expected.floats[i];
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got.floats[i])) << name << " at " << i;
      continue;
    }
    // onnxruntime's own sigmoid is good to 1e-7 only.
    ASSERT_NEAR(got.floats[i], want, 1e-5 * std::abs(want) + 4e-6) << name << " at " << i;
  }
}

// Operators and what is fused from them give what onnxruntime gives.
TEST(Operators, AgreeWithOnnxruntime) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const std::string command = std::string(python) + " " + CALOPIPE_SOURCE_DIR +
                              "/test/calo/infer/onnx_cases.py " + (folder / "cases").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cases")) {
    const std::string name = entry.path().filename();
    const auto description = nlohmann::json::parse(std::ifstream(entry.path() / "case.json"));
    const std::vector<Numbers> inputs = read_all(entry.path(), description.at("inputs"), "in");
    const std::vector<Numbers> expected = read_all(entry.path(), description.at("outputs"), "out");
    std::vector<InputView> views;
    for (const Numbers& input : inputs)
      views.push_back({.shape = input.shape, .floats = input.floats, .integers = input.integers});
    for (const bool fuse : {true, false}) {
      const Model model = Model::load(entry.path() / "model.onnx",
                                      {.precision = calo::infer::Precision::kFp32, .fuse = fuse});
      Workspace workspace;
      for (int again = 0; again < 2; ++again) model.run(views, {}, workspace);
      for (std::size_t i = 0; i < expected.size(); ++i)
        expect_same(model.output(workspace, i), expected[i], name + (fuse ? "" : " without fusing"));
    }
    ++cases;
  }
  EXPECT_GT(cases, 150);
}

}  // namespace
