#include "core/error.h"

#include <gtest/gtest.h>

namespace {

TEST(Error, SaysWhereWhatAndWhatToDoOnOneLine) {
  const core::InputError error(
      {.message = "is empty", .file = "a.h5", .field = "showers", .hint = "simulate first"});
  EXPECT_STREQ(error.what(), "a.h5: showers: is empty (simulate first)");
  EXPECT_EQ(error.exit_code(), core::ExitCode::kInput);
  EXPECT_EQ(error.details().field, "showers");
}

TEST(Error, LeavesOutWhatIsNotKnown) {
  EXPECT_STREQ(core::UsageError({.message = "is wrong"}).what(), "is wrong");
}

}  // namespace
