#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kfp::local {

/// Text from files and users as one line that is safe on a terminal: control characters and those that change
/// the direction of writing as `\n`, `\u202e`, bytes that are no UTF-8 as U+FFFD.
std::string printable_line(std::string_view text);

/// Columns that a printable text takes on a terminal: East Asian characters and pictures two, combining marks
/// none.
int display_width(std::string_view text);

/// At most `width` columns of it, with "…" where something is left out; never half a character.
std::string shortened(std::string_view text, int width);

/// Rows of cells in aligned columns, two spaces between them.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;  ///< all empty: no line of headings
    Align align = Align::kLeft;
    bool may_shrink = false;  ///< may be cut to make a row fit on the terminal
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One text per column, of any content.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// @param width  columns of the terminal; 0 = as wide as it is
  /// @param indent spaces before each line
  std::string to_text(int width, int indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "0.25 s", "41 s", "3 min 20 s"; "-" where it is negative.
std::string duration_text(double seconds);

/// "512 B", "3.4 MiB".
std::string bytes_text(long long bytes);

/// "2026-11-24 10:30:00" in the local time zone; "-" for 0.
std::string local_time_text(double seconds_since_1970);

}  // namespace kfp::local
