#include "geant4/full_sim/data_folders.h"

#include <stdlib.h>

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
  folder_.emplace("geant4");
  for (const std::string& variable : variables_) {
    const fs::path folder = *folder_ / variable;
    fs::create_directory(folder);
    setenv(variable.c_str(), folder.c_str(), 1);
  }
  if (const fs::path states = *folder_ / "G4ENSDFSTATEDATA"; fs::exists(states))
    core::write_file(states / "ENSDFSTATE.dat", "");
}

DataFolders::~DataFolders() {
  for (const std::string& variable : variables_) unsetenv(variable.c_str());
}

}  // namespace geant4
