#include "pipeline/known_models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"

namespace pipeline {
namespace {

namespace fs = std::filesystem;

// Folders of models, one subfolder for each.
std::vector<fs::path> shelves() {
  std::vector<fs::path> found;
  if (const char* said = std::getenv("CALOPIPE_MODELS"); said != nullptr && *said != '\0')
    found.emplace_back(said);
  std::error_code error;
  if (const fs::path program = fs::read_symlink("/proc/self/exe", error); !error) {
    const fs::path bin = program.parent_path();
    found.push_back(bin.parent_path() / "share" / "calopipe" / "models");
    found.push_back(bin.parent_path().parent_path().parent_path() /
                    "models");  // the program is in build/release/bin
  }
  return found;
}

std::set<std::string> names() {
  std::set<std::string> found;
  std::error_code error;
  for (const fs::path& shelf : shelves())
    for (const fs::directory_entry& entry : fs::directory_iterator(shelf, error))
      if (fs::exists(entry.path() / "model.json")) found.insert(entry.path().filename().string());
  return found;
}

}  // namespace

fs::path known_model(const fs::path& name) {
  if (!name.has_parent_path())
    for (const fs::path& shelf : shelves())
      if (fs::exists(shelf / name / "model.json")) return shelf / name;
  const std::string known = fmt::format("{}", fmt::join(names(), ", "));
  throw core::InputError({.message = "does not exist",
                          .file = name,
                          .field = "model",
                          .hint = known.empty() ? "" : "models that are part of calopipe: " + known});
}

}  // namespace pipeline
