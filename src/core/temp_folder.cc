#include "core/temp_folder.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace core {

TempFolder::TempFolder(const std::string& purpose) {
  std::string pattern =
      (std::filesystem::temp_directory_path() / fmt::format("calopipe-{}-XXXXXX", purpose)).string();
  if (mkdtemp(pattern.data()) == nullptr)
    throw UnavailableError(
        {.message = fmt::format("no temporary folder can be created: {}", std::strerror(errno)),
         .file = std::filesystem::temp_directory_path()});
  path_ = pattern;
}

TempFolder::~TempFolder() {
  if (kept_) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace core
