#include "kfp/local/text_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "kfp/yaml/utf8.h"

// Tables, and texts that are safe on a terminal.
namespace {

using kfp::local::display_width;
using kfp::local::printable_line;
using kfp::local::shortened;
using kfp::local::TextTable;

bool is_utf8(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto character = kfp::decode_utf8(text, at);
    if (!character.valid) return false;
    at += character.bytes;
  }
  return true;
}

TEST(TextTable, LineIsSafeOnATerminal) {
  EXPECT_EQ(printable_line("plain Größe 大"), "plain Größe 大");
  EXPECT_EQ(printable_line("a\nb\tc\x1b[2J\x7f"), "a\\nb\\tc\\u001b[2J\\u007f");
  EXPECT_EQ(printable_line("\u202egpj.exe\u009b"), "\\u202egpj.exe\\u009b");
  EXPECT_EQ(printable_line("a\xff\xc3"), "a\uFFFD\uFFFD");
  EXPECT_EQ(printable_line(std::string_view("\0", 1)), "\\u0000");
}

TEST(TextTable, WidthIsThatOfATerminal) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("Größe"), 5);
  EXPECT_EQ(display_width("大きさ"), 6);
  EXPECT_EQ(display_width("🎯"), 2);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(display_width(""), 0);
}

// Whatever is cut where: no half characters, never wider than asked, and as much as fits.
TEST(TextTable, ShortensBetweenCharacters) {
  EXPECT_EQ(shortened("training", 8), "training");
  EXPECT_EQ(shortened("training", 7), "traini…");
  EXPECT_EQ(shortened("大きさ", 5), "大き…");
  EXPECT_EQ(shortened("大きさ", 4), "大…");
  EXPECT_EQ(shortened("x", 0), "");
  const std::string text = "aé大🎯e\u0301b€";
  for (int width = 0; width <= display_width(text) + 1; ++width) {
    const std::string cut = shortened(text, width);
    EXPECT_TRUE(is_utf8(cut)) << width;
    EXPECT_LE(display_width(cut), width);
    EXPECT_GE(display_width(cut), std::min(width, display_width(text)) - 1);
  }
}

TEST(TextTable, AlignsAndShrinks) {
  TextTable table({{.heading = "NAME", .may_shrink = true},
                   {.heading = "SIZE", .align = TextTable::Align::kRight},
                   {.heading = "ERROR", .may_shrink = true}});
  EXPECT_TRUE(table.empty());
  table.add({"大きさ", "1 B", ""});
  table.add({"longer name", "1000 B", "exit code 1\nof the program"});
  EXPECT_EQ(table.to_text(0),
            "NAME           SIZE  ERROR\n"
            "大きさ          1 B\n"
            "longer name  1000 B  exit code 1\\nof the program\n");
  EXPECT_EQ(table.to_text(36, 2),
            "  NAME           SIZE  ERROR\n"
            "  大きさ          1 B\n"
            "  longer name  1000 B  exit code 1\\…\n");
  // Columns that must not shrink stay whole, even where the row gets too long.
  for (int width = 1; width < 60; ++width)
    EXPECT_THAT(table.to_text(width), testing::HasSubstr("1000 B")) << width;
  EXPECT_EQ(TextTable({{}, {}}).to_text(80), "");
}

TEST(TextTable, WritesDurationsSizesAndTimes) {
  EXPECT_EQ(kfp::local::duration_text(-1), "-");
  EXPECT_EQ(kfp::local::duration_text(0.25), "0.25 s");
  EXPECT_EQ(kfp::local::duration_text(9.999), "10.0 s");
  EXPECT_EQ(kfp::local::duration_text(200), "3 min 20 s");
  EXPECT_EQ(kfp::local::bytes_text(0), "0 B");
  EXPECT_EQ(kfp::local::bytes_text(1023), "1023 B");
  EXPECT_EQ(kfp::local::bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(kfp::local::bytes_text((1LL << 30) - 1), "1.0 GiB");
  EXPECT_EQ(kfp::local::bytes_text(1LL << 62), "4096.0 PiB");
  setenv("TZ", "Europe/Zurich", 1);
  tzset();
  EXPECT_EQ(kfp::local::local_time_text(1795512600.9), "2026-11-24 10:30:00");
  unsetenv("TZ");
  tzset();
  EXPECT_EQ(kfp::local::local_time_text(0), "-");
}

}  // namespace
