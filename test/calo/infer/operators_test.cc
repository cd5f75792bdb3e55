#include "calo/infer/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "calo/infer/model.h"
#include "core/error.h"
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

void expect_same(const OutputView& got, const Numbers& expected, const std::string& name, bool half = false) {
  EXPECT_THAT(got.shape, testing::ElementsAreArray(expected.shape)) << name;
  ASSERT_EQ(got.floats.size(), expected.floats.size()) << name;
  EXPECT_THAT(got.integers, testing::ElementsAreArray(expected.integers)) << name;
  for (std::size_t i = 0; i < expected.floats.size(); ++i) {
    const float want = expected.floats[i];
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got.floats[i])) << name << " at " << i;
      continue;
    }
    if (std::isinf(want)) {
      EXPECT_EQ(got.floats[i], want) << name << " at " << i;
      continue;
    }
    if (half) {  // rounded after each operator, to 11 bits
      ASSERT_NEAR(got.floats[i], want, 2e-3 * std::abs(want) + 1e-3) << name << " at " << i;
      continue;
    }
    // onnxruntime's own sigmoid is good to 1e-7 only.
    ASSERT_NEAR(got.floats[i], want, 1e-5 * std::abs(want) + 4e-6) << name << " at " << i;
  }
}

// Row i of some inputs.
std::vector<Numbers> row_of(const std::vector<Numbers>& inputs, std::int64_t row) {
  std::vector<Numbers> out;
  for (const Numbers& input : inputs) {
    Numbers& one = out.emplace_back(Numbers{.shape = input.shape});
    const std::int64_t rows = input.shape.at(0);
    one.shape[0] = 1;
    const auto cut = [&](const auto& from, auto& to) {
      const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(from.size()) / rows;
      to.assign(from.begin() + row * size, from.begin() + (row + 1) * size);
    };
    if (rows > 0 && !input.floats.empty()) cut(input.floats, one.floats);
    if (rows > 0 && !input.integers.empty()) cut(input.integers, one.integers);
  }
  return out;
}

// A model that says it takes any batch gives each row, in a batch of others, the bits that it has alone.
void expect_rows_alone(const Model& model, const std::vector<Numbers>& inputs, const std::string& name) {
  const std::int64_t rows = inputs.at(0).shape.at(0);
  if (rows == 0) return;
  const auto run = [&](const std::vector<Numbers>& numbers, Workspace& workspace) {
    std::vector<InputView> views;
    for (const Numbers& input : numbers)
      views.push_back({.shape = input.shape, .floats = input.floats, .integers = input.integers});
    model.run(views, {}, workspace);
  };
  std::vector<Numbers> many;  // each row 3 times
  for (const Numbers& input : inputs) {
    Numbers& more = many.emplace_back(Numbers{.shape = input.shape});
    more.shape[0] *= 3;
    for (int i = 0; i < 3; ++i) {
      more.floats.insert(more.floats.end(), input.floats.begin(), input.floats.end());
      more.integers.insert(more.integers.end(), input.integers.begin(), input.integers.end());
    }
  }
  Workspace together, alone;
  run(many, together);
  for (std::int64_t row = 0; row < 3 * rows; ++row) {
    run(row_of(inputs, row % rows), alone);
    for (std::size_t o = 0; o < model.outputs().size(); ++o) {
      const OutputView all = model.output(together, o), one = model.output(alone, o);
      ASSERT_EQ(all.shape[0], 3 * rows) << name;
      ASSERT_EQ(one.shape[0], 1) << name;
      for (std::size_t i = 0; i < one.floats.size(); ++i) {
        const float a = all.floats[static_cast<std::size_t>(row) * one.floats.size() + i], b = one.floats[i];
        ASSERT_TRUE(a == b || (std::isnan(a) && std::isnan(b)))
            << name << " row " << row << ": " << a << ", " << b;
      }
      for (std::size_t i = 0; i < one.integers.size(); ++i)
        ASSERT_EQ(all.integers[static_cast<std::size_t>(row) * one.integers.size() + i], one.integers[i])
            << name;
    }
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
  int cases = 0, by_row = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cases")) {
    const std::string name = entry.path().filename();
    const auto description = nlohmann::json::parse(std::ifstream(entry.path() / "case.json"));
    const std::vector<Numbers> inputs = read_all(entry.path(), description.at("inputs"), "in");
    const std::vector<Numbers> expected = read_all(entry.path(), description.at("outputs"), "out");
    std::vector<InputView> views;
    for (const Numbers& input : inputs)
      views.push_back({.shape = input.shape, .floats = input.floats, .integers = input.integers});
    try {
      struct Way {
        bool fuse;
        calo::infer::Isa isa;
      };
      const auto best = calo::infer::best_isa();
      for (const auto& [fuse, isa] : {Way{true, best}, Way{false, best}, Way{true, calo::infer::Isa::kPlain},
                                      Way{true, std::min(best, calo::infer::Isa::kAvx2)}}) {
        const Model model =
            Model::load(entry.path() / "model.onnx",
                        {.precision = calo::infer::Precision::kFp32, .isa = isa, .fuse = fuse});
        Workspace workspace;
        for (int again = 0; again < 2; ++again) model.run(views, {}, workspace);
        for (std::size_t i = 0; i < expected.size(); ++i)
          expect_same(model.output(workspace, i), expected[i],
                      name + (fuse ? " on " : " without fusing on ") + to_string(isa),
                      description.at("half"));
        if (model.runs_any_batch()) {
          expect_rows_alone(model, inputs, name);
          ++by_row;
        }
      }
    } catch (const core::Error& error) {
      ADD_FAILURE() << name << ": " << error.what();
    }
    ++cases;
  }
  EXPECT_GT(cases, 900);
  EXPECT_GT(by_row, 300);
}

// doc/infer.md names each operator that there is, and no other.
TEST(Operators, AreThoseOfTheDocumentation) {
  std::ifstream file(std::string(CALOPIPE_SOURCE_DIR) + "/doc/infer.md");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string start = "\nOperators: ";
  const auto begin = text.find(start);
  ASSERT_NE(begin, std::string::npos);
  const auto end = text.find('.', begin);
  std::vector<std::string> named;
  std::string word;
  for (const char c : text.substr(begin + start.size(), end - begin - start.size()) + ",") {
    if (c == ',') {
      named.push_back(std::exchange(word, ""));
    } else if (c != ' ' && c != '\n') {
      word += c;
    }
  }
  EXPECT_EQ(named, calo::infer::operator_names());
}

}  // namespace
