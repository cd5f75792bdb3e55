#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace calo {

/// Something that a reader of showers met and its user should know.
struct Remark {
  std::filesystem::path file;  ///< file or folder
  std::string object;          ///< dataset, column … inside it; may be empty
  std::string text;            ///< in one sentence without a full stop

  /// "file: object: text".
  std::string to_string() const;
  bool operator==(const Remark&) const = default;
};

/// "3 files are no HDF5: README.md, notes.txt, run.log".
std::string other_files_text(const std::vector<std::filesystem::path>& files);

}  // namespace calo
