#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/yaml.h"
#include "support/temp_folder.h"

namespace test {

/// The folder of what the Python SDK compiled from peer_pipelines.py: made by ctest once, by a program that
/// is run alone for itself. Empty where there is no SDK.
inline std::filesystem::path peer_folder() {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) return {};
  if (const char* made = std::getenv("CALOPIPE_DSL_PEER")) return made;
  static const TempFolder folder;
  static const int failed = std::system(fmt::format("'{}' '{}/test/kfp/dsl/peer_pipelines.py' compile '{}'",
                                                    python, CALOPIPE_SOURCE_DIR, folder.path().string())
                                            .c_str());
  EXPECT_EQ(failed, 0) << "the SDK did not compile its side";
  return folder.path();
}

/// The documents of a YAML text, without what names the SDK.
inline nlohmann::json documents(const std::string& text) {
  nlohmann::json documents = kfp::parse_yaml(text);
  documents.at(0).erase("sdkVersion");
  return documents;
}

/// Ours is the SDK's `name`.yaml as data, and has no mistakes.
inline void expect_same(const kfp::ir::Pipeline& ours, const std::filesystem::path& theirs) {
  for (const kfp::ir::Problem& problem : kfp::ir::validate(ours))
    EXPECT_NE(problem.severity, kfp::ir::Problem::Severity::kError) << problem.to_text();
  const nlohmann::json our_data = documents(kfp::ir::to_yaml(ours));
  const nlohmann::json their_data = documents(core::read_file(theirs));
  EXPECT_EQ(our_data, their_data) << "from the SDK's to ours: "
                                  << nlohmann::json::diff(their_data, our_data).dump(1);
}

}  // namespace test

#define EXPECT_SAME_AS_SDK(ours, name)                                                     \
  do {                                                                                     \
    const kfp::ir::Pipeline compiled_here = ours;                                          \
    if (test::peer_folder().empty()) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";         \
    test::expect_same(compiled_here, test::peer_folder() / (std::string(name) + ".yaml")); \
  } while (false)
