#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace calo {

/// A remark of a reader of showers for its user.
struct Remark {
  std::filesystem::path file;  ///< file or folder
  std::string object;          ///< dataset, column … of the file; may be empty
  std::string text;            ///< one sentence without a full stop

  /// "file: object: text".
  std::string to_string() const;
  bool operator==(const Remark&) const = default;
};

/// "3 files are not HDF5: README.md, notes.txt, run.log".
std::string other_files_text(const std::vector<std::filesystem::path>& files);

}  // namespace calo
