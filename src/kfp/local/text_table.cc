#include "kfp/local/text_table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/progress.h"
#include "kfp/yaml/utf8.h"

namespace kfp::local {
namespace {

using Range = std::pair<std::uint32_t, std::uint32_t>;

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, std::uint32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return code >= range.first && code <= range.second; });
}

// Unicode's EastAsianWidth W and F, in coarse ranges.
constexpr std::array<Range, 11> kWide = {{{0x1100, 0x115F},
                                          {0x2E80, 0x303E},
                                          {0x3041, 0xA4CF},
                                          {0xA960, 0xA97C},
                                          {0xAC00, 0xD7A3},
                                          {0xF900, 0xFAFF},
                                          {0xFE30, 0xFE6F},
                                          {0xFF01, 0xFF60},
                                          {0xFFE0, 0xFFE6},
                                          {0x1F300, 0x1FAFF},
                                          {0x20000, 0x3FFFD}}};
constexpr std::array<Range, 6> kNoWidth = {{{0x0300, 0x036F},
                                            {0x1AB0, 0x1AFF},
                                            {0x1DC0, 0x1DFF},
                                            {0x200B, 0x200D},
                                            {0x20D0, 0x20FF},
                                            {0xFE00, 0xFE0F}}};
// Control characters, and characters that change the direction or break lines, which could disguise a line as
// another one.
constexpr std::array<Range, 8> kUnsafe = {{{0x00, 0x1F},
                                           {0x7F, 0x9F},
                                           {0x061C, 0x061C},
                                           {0x200E, 0x200F},
                                           {0x2028, 0x202E},
                                           {0x2060, 0x206F},
                                           {0xFEFF, 0xFEFF},
                                           {0xFFF9, 0xFFFB}}};

int width_of(std::uint32_t code) {
  return is_in(kNoWidth, code) ? 0 : is_in(kWide, code) ? 2 : 1;
}

std::string padded(const std::string& text, int width, TextTable::Align align) {
  const std::string spaces(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
  return align == TextTable::Align::kLeft ? text + spaces : spaces + text;
}

}  // namespace

std::string printable_line(std::string_view text) {
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character character = decode_utf8(text, at);
    if (!character.valid)
      line += "\uFFFD";
    else if (character.code == '\n')
      line += "\\n";
    else if (character.code == '\t')
      line += "\\t";
    else if (is_in(kUnsafe, character.code))
      line += fmt::format("\\u{:04x}", character.code);
    else
      line += text.substr(at, character.bytes);
    at += character.bytes;
  }
  return line;
}

int display_width(std::string_view text) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character character = decode_utf8(text, at);
    width += width_of(character.valid ? character.code : 0xFFFD);
    at += character.bytes;
  }
  return width;
}

std::string shortened(std::string_view text, int width) {
  if (display_width(text) <= width) return std::string(text);
  if (width <= 0) return {};
  int used = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Character character = decode_utf8(text, at);
    const int more = width_of(character.valid ? character.code : 0xFFFD);
    if (used + more > width - 1) break;
    used += more;
    at += character.bytes;
  }
  return std::string(text.substr(0, at)) + "…";
}

void TextTable::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = printable_line(cell);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::to_text(int width, int indent) const {
  constexpr int kGap = 2, kLeast = 8;
  std::vector<std::vector<std::string>> lines;
  if (std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.heading.empty(); })) {
    lines.emplace_back();
    for (const Column& column : columns_) lines.back().push_back(column.heading);
  }
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  std::vector<int> widths(columns_.size(), 0);
  for (const auto& cells : lines)
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], display_width(cells[i]));
  if (width > 0) {
    int excess = indent - width;
    for (const int column : widths) excess += column + kGap;
    excess -= kGap;
    // The widest column shrinks first, so that every column still shows something.
    for (; excess > 0; --excess) {
      int* widest = nullptr;
      for (std::size_t i = 0; i < columns_.size(); ++i)
        if (columns_[i].may_shrink && widths[i] > kLeast && (widest == nullptr || widths[i] > *widest))
          widest = &widths[i];
      if (widest == nullptr) break;
      --*widest;
    }
  }
  std::string text;
  for (const auto& cells : lines) {
    std::string line(static_cast<std::size_t>(indent), ' ');
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line += std::string(kGap, ' ');
      line += padded(shortened(cells[i], widths[i]), widths[i], columns_[i].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string value_text(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string duration_text(double seconds) {
  if (seconds < 0) return "-";
  return seconds < 9.995 ? fmt::format("{:.2f} s", seconds) : core::human_duration(seconds);
}

std::string bytes_text(long long bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB", "PiB"}) {
    if (value < 1023.95) break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string local_time_text(double seconds_since_1970) {
  if (seconds_since_1970 == 0) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(static_cast<std::time_t>(seconds_since_1970)));
}

}  // namespace kfp::local
