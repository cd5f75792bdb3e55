#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/temp_folder.h"

namespace geant4 {

/// Geant4's kernel asks for the folders of its data files when it starts, even if no model reads them: an
/// existing folder for each variable, and an `ENSDFSTATE.dat`, which may be empty. This object creates them
/// in a temporary folder and sets the variables accordingly during its lifetime.
class DataFolders {
 public:
  /// @param missing  variables that have no folder yet
  /// @throws core::UnavailableError if no temporary folder can be created
  explicit DataFolders(std::vector<std::string> missing);
  ~DataFolders();
  DataFolders(const DataFolders&) = delete;
  DataFolders& operator=(const DataFolders&) = delete;

  /// Empty if no variable was missing.
  std::filesystem::path folder() const { return folder_ ? folder_->path() : std::filesystem::path(); }

 private:
  std::optional<core::TempFolder> folder_;
  std::vector<std::string> variables_;
};

/// Names of Geant4's data variables.
const std::vector<std::string>& data_variables();

}  // namespace geant4
