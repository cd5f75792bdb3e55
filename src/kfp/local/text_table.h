#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace kfp::local {

/// Text from files and users as one line that is safe on a terminal: control characters and characters that
/// change the writing direction become `\n`, `\u202e`; invalid UTF-8 becomes U+FFFD.
std::string printable_line(std::string_view text);

/// Number of terminal columns of a printable string: East Asian characters and pictographs have two,
/// combining marks none.
int display_width(std::string_view text);

/// At most `width` columns of a string, with "…" if something is left out; characters are never cut.
std::string shortened(std::string_view text, int width);

/// Rows of cells in aligned columns, separated by two spaces.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;  ///< if all are empty, there is no line of headings
    Align align = Align::kLeft;
    bool may_shrink = false;  ///< may be cut so that a row fits on the terminal
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Adds a row: one string per column, with any content.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// @param width  columns of the terminal; 0 = no limit
  /// @param indent spaces before each line
  std::string to_text(int width, int indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// A value of a record for a person: strings unchanged, other values as JSON.
std::string value_text(const nlohmann::json& value);

/// "0.25 s", "41 s", "3 min 20 s"; "-" if negative.
std::string duration_text(double seconds);

/// "512 B", "3.4 MiB".
std::string bytes_text(long long bytes);

/// "2026-11-24 10:30:00" in the local time zone; "-" for 0.
std::string local_time_text(double seconds_since_1970);

}  // namespace kfp::local
