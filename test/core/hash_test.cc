#include "core/hash.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "core/staged_output.h"
#include "support/temp_folder.h"

namespace {

// The example of FIPS 180-4.
constexpr auto kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Hash, MatchesThePublishedVector) {
  EXPECT_EQ(core::sha256("abc"), kAbc);
}

TEST(Hash, OfAFileIsTheHashOfItsBytes) {
  const test::TempFolder folder;
  core::write_file(folder / "abc", "abc");
  EXPECT_EQ(core::sha256_of_path(folder / "abc"), kAbc);
}

TEST(Hash, OfAFolderDependsOnNamesAndContentButNotOnThePlace) {
  const test::TempFolder a;
  const test::TempFolder b;
  for (const auto* folder : {&a, &b}) {
    core::write_file(folder->path() / "x" / "one", "1");
    core::write_file(folder->path() / "two", "2");
  }
  EXPECT_EQ(core::sha256_of_path(a.path()), core::sha256_of_path(b.path()));
  core::write_file(b / "two", "3");
  EXPECT_NE(core::sha256_of_path(a.path()), core::sha256_of_path(b.path()));
}

TEST(Hash, OfSomethingMissingIsAnError) {
  EXPECT_THROW(core::sha256_of_path("/nonexistent/file"), core::InputError);
}

TEST(Fingerprint, ChangesWithNamesSizesAndTimesAndNotWithThePlace) {
  const test::TempFolder folder;
  core::write_file(folder / "a/x", "1");
  core::write_file(folder / "a/y", "2");
  const std::string before = core::fingerprint_of_path(folder / "a");
  EXPECT_EQ(core::fingerprint_of_path(folder / "a"), before);
  std::filesystem::rename(folder / "a", folder / "b");
  EXPECT_EQ(core::fingerprint_of_path(folder / "b"), before);
  const auto time = std::filesystem::last_write_time(folder / "b/x");
  std::filesystem::last_write_time(folder / "b/x", time + std::chrono::seconds(1));
  EXPECT_NE(core::fingerprint_of_path(folder / "b"), before);
  std::filesystem::last_write_time(folder / "b/x", time);
  EXPECT_EQ(core::fingerprint_of_path(folder / "b"), before);
  std::filesystem::rename(folder / "b/x", folder / "b/z");
  EXPECT_NE(core::fingerprint_of_path(folder / "b"), before);
  EXPECT_THROW(core::fingerprint_of_path(folder / "none"), core::InputError);
}

// Data in folders that are linked change as others do; a loop ends.
TEST(Fingerprint, FollowsLinksToFolders) {
  const test::TempFolder folder;
  core::write_file(folder / "elsewhere/x", "1");
  std::filesystem::create_directory(folder / "data");
  std::filesystem::create_directory_symlink("../elsewhere", folder / "data/link");
  std::filesystem::create_directory_symlink("..", folder / "elsewhere/up");
  const std::string fingerprint = core::fingerprint_of_path(folder / "data");
  const std::string hash = core::sha256_of_path(folder / "data");
  core::write_file(folder / "elsewhere/x", "22");
  EXPECT_NE(core::fingerprint_of_path(folder / "data"), fingerprint);
  EXPECT_NE(core::sha256_of_path(folder / "data"), hash);
}

}  // namespace
