#include "calo/io/remark.h"

#include <fmt/format.h>

#include <algorithm>

namespace calo {

std::string Remark::to_string() const {
  std::string result;
  if (!file.empty()) result += file.string() + ": ";
  if (!object.empty()) result += object + ": ";
  return result + text;
}

std::string other_files_text(const std::vector<std::filesystem::path>& files) {
  constexpr std::size_t kMost = 5;
  std::string text =
      files.size() == 1 ? "1 file is not HDF5: " : fmt::format("{} files are not HDF5: ", files.size());
  for (std::size_t i = 0; i < std::min(kMost, files.size()); ++i)
    text += (i > 0 ? ", " : "") + files[i].filename().string();
  return files.size() > kMost ? text + ", …" : text;
}

}  // namespace calo
