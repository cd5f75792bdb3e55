#include "geant4/full_sim/data_folders.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/staged_output.h"

namespace geant4 {

namespace fs = std::filesystem;

const std::vector<std::string>& data_variables() {
  static const std::vector<std::string> names = {
      "G4ABLADATA",       "G4CHANNELINGDATA",  "G4ENSDFSTATEDATA",  "G4INCLDATA",       "G4LEDATA",
      "G4LEVELGAMMADATA", "G4NEUTRONHPDATA",   "G4NUDEXLIBDATA",    "G4PARTICLEHPDATA", "G4PARTICLEXSDATA",
      "G4PIIDATA",        "G4RADIOACTIVEDATA", "G4REALSURFACEDATA", "G4SAIDXSDATA",     "G4URRPTDATA"};
  return names;
}

DataFolders::DataFolders(std::vector<std::string> missing) : variables_(std::move(missing)) {
  if (variables_.empty()) return;
  std::string pattern = (fs::temp_directory_path() / "calopipe-geant4-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr)
    throw core::UnavailableError({.message = std::string("no folder can be made: ") + std::strerror(errno),
                                  .file = fs::temp_directory_path()});
  folder_ = pattern;
  for (const std::string& variable : variables_) {
    const fs::path folder = folder_ / variable;
    fs::create_directory(folder);
    setenv(variable.c_str(), folder.c_str(), 1);
  }
  if (fs::exists(folder_ / "G4ENSDFSTATEDATA"))
    core::write_file(folder_ / "G4ENSDFSTATEDATA" / "ENSDFSTATE.dat", "");
}

DataFolders::~DataFolders() {
  if (folder_.empty()) return;
  for (const std::string& variable : variables_) unsetenv(variable.c_str());
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace geant4
