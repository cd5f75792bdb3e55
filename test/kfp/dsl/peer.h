#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/goldens.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/yaml.h"
#include "support/temp_folder.h"

namespace test {

/// The folder of what the Python SDK compiled from peer_pipelines.py: made by ctest once, by a program that
/// is run alone for itself; without the SDK what it compiled for the repository.
inline std::filesystem::path peer_folder() {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) return own_goldens_folder();
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

/// Ours is the SDK's file as data, up to `differences` (a JSON patch from theirs to ours), and has no
/// mistakes.
inline void expect_same(const kfp::ir::Pipeline& ours, const std::filesystem::path& theirs,
                        const nlohmann::json& differences) {
  for (const kfp::ir::Problem& problem : kfp::ir::validate(ours))
    EXPECT_NE(problem.severity, kfp::ir::Problem::Severity::kError) << problem.to_text();
  const nlohmann::json found =
      nlohmann::json::diff(documents(core::read_file(theirs)), documents(kfp::ir::to_yaml(ours)));
  EXPECT_TRUE(found == differences) << "from the SDK's to ours: " << found.dump(1);
}

}  // namespace test

#define EXPECT_SAME_AS_SDK(ours, name) EXPECT_SDK_BUT(ours, name, nlohmann::json::array())

#define EXPECT_SDK_BUT(ours, name, differences)                                                         \
  do {                                                                                                  \
    const kfp::ir::Pipeline compiled_here = ours;                                                       \
    test::expect_same(compiled_here, test::peer_folder() / (std::string(name) + ".yaml"), differences); \
  } while (false)
