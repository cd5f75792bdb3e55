#include "kfp/ir/goldens.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/yaml.h"
#include "support/temp_folder.h"

// Pipelines that the Python SDK compiled, read, checked, shown and written again; what we wrote is compared
// by the SDK's own parsers.
namespace {

using nlohmann::json;

TEST(Goldens, AreWrittenAgainAsTheSameData) {
  for (const auto& file : test::goldens()) {
    SCOPED_TRACE(file.filename());
    const std::string text = core::read_file(file);
    const std::string written = kfp::ir::to_yaml(kfp::ir::parse_pipeline(text, file));
    EXPECT_EQ(kfp::parse_yaml(written), kfp::parse_yaml(text));
    EXPECT_EQ(kfp::ir::to_yaml(kfp::ir::parse_pipeline(written)), written);  // a fixed point
  }
}

TEST(Goldens, HaveNoErrors) {
  for (const auto& file : test::goldens()) {
    SCOPED_TRACE(file.filename());
    for (const kfp::ir::Problem& problem : kfp::ir::validate(kfp::ir::read_pipeline(file)))
      EXPECT_NE(problem.severity, kfp::ir::Problem::Severity::kError) << problem.to_text();
  }
}

// The independent peers: PyYAML, protobuf and the SDK's descriptors.
TEST(Goldens, TheSdkReadsWhatWeWrite) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  for (const auto& goldens : {test::own_goldens_folder(), test::goldens_folder()}) {
    if (goldens.empty()) continue;
    const test::TempFolder folder;
    for (const auto& file : test::goldens())
      if (file.parent_path() == goldens)
        core::write_file(folder / file.filename(), kfp::ir::to_yaml(kfp::ir::read_pipeline(file)));
    const std::string command = fmt::format("'{}' '{}/test/kfp/ir/peer.py' same '{}' '{}'", python,
                                            CALOPIPE_SOURCE_DIR, goldens.string(), folder.path().string());
    EXPECT_EQ(std::system(command.c_str()), 0);
  }
}

TEST(Schema, KnowsEveryFieldOfTheSdksDescriptors) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  core::write_file(folder / "schema.json", kfp::ir::schema().dump());
  const std::string command = fmt::format("'{}' '{}/test/kfp/ir/peer.py' schema '{}'", python,
                                          CALOPIPE_SOURCE_DIR, (folder / "schema.json").string());
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
