#include "core/staged_output.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "core/error.h"
#include "support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using core::StagedOutput;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(StagedOutput, AppearsOnlyWhenCommitted) {
  const test::TempFolder folder;
  {
    StagedOutput output(folder / "a.txt", StagedOutput::Kind::kFile);
    std::ofstream(output.path()) << "new";
    EXPECT_FALSE(fs::exists(folder / "a.txt"));
    output.commit();
  }
  EXPECT_EQ(core::read_file(folder / "a.txt"), "new");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(StagedOutput, LeavesTheOldOutputWhereTheWorkFails) {
  const test::TempFolder folder;
  core::write_file(folder / "out" / "old", "old");
  {
    StagedOutput output(folder / "out", StagedOutput::Kind::kFolder);
    std::ofstream(output.path() / "half") << "half";
  }
  EXPECT_EQ(core::read_file(folder / "out" / "old"), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(StagedOutput, ReplacesAnOldFolderAsAWhole) {
  const test::TempFolder folder;
  core::write_file(folder / "out" / "old", "old");
  StagedOutput output(folder / "out", StagedOutput::Kind::kFolder);
  core::write_file(output.path() / "new", "new");
  output.commit();
  EXPECT_FALSE(fs::exists(folder / "out" / "old"));
  EXPECT_EQ(core::read_file(folder / "out" / "new"), "new");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(StagedOutput, MakesMissingParentsAndTakesATrailingSlash) {
  const test::TempFolder folder;
  StagedOutput output(folder.path() / "a" / "b" / "", StagedOutput::Kind::kFolder);
  output.commit();
  EXPECT_TRUE(fs::is_directory(folder.path() / "a" / "b"));
}

TEST(StagedOutput, RefusesAnOutputOfTheOtherKind) {
  const test::TempFolder folder;
  core::write_file(folder / "file", "x");
  EXPECT_THROW(StagedOutput(folder / "file", StagedOutput::Kind::kFolder), core::UsageError);
  EXPECT_THROW(StagedOutput(folder.path(), StagedOutput::Kind::kFile), core::UsageError);
}

TEST(StagedOutput, DoesNotReplaceADevice) {
  const test::TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  fs::create_symlink(folder / "pipe", folder / "link");
  for (const char* name : {"pipe", "link"}) {
    EXPECT_THROW(StagedOutput(folder / name, StagedOutput::Kind::kFile), core::UsageError);
    EXPECT_THROW(StagedOutput(folder / name, StagedOutput::Kind::kFolder), core::UsageError);
  }
  EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
  EXPECT_EQ(entries(folder.path()), 2u);
}

TEST(StagedOutput, SaysThatAPlaceCannotBeWritten) {
  EXPECT_THROW(StagedOutput("/proc/nothing/here", StagedOutput::Kind::kFile), core::UnavailableError);
}

TEST(ReadFile, NamesWhatIsWrong) {
  const test::TempFolder folder;
  EXPECT_THROW(core::read_file(folder / "missing"), core::InputError);
  EXPECT_THROW(core::read_file(folder.path()), core::InputError);
}

}  // namespace
