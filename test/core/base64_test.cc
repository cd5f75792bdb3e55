#include "core/base64.h"

#include <gtest/gtest.h>

#include <utility>

namespace {

TEST(Base64, HasTheExamplesOfRfc4648) {
  for (const auto& [bytes, text] : {std::pair{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(core::to_base64(bytes), text);
    EXPECT_EQ(core::from_base64(text), bytes);
  }
}

TEST(Base64, IgnoresLineBreaksAndRefusesTheRest) {
  EXPECT_EQ(core::from_base64("Zm9v\nYmFy\n"), "foobar");
  EXPECT_EQ(core::from_base64("Zm9"), std::nullopt);
  EXPECT_EQ(core::from_base64("Zm9?"), std::nullopt);
}

}  // namespace
