#pragma once

namespace geant4 {

/// From now on, what Geant4 cannot go on with on this thread ends the program with one line and exit code 1
/// (finished parts are on disk), instead of a core dump. Warnings are shown where `verbose`.
void install_complaints(bool verbose);

}  // namespace geant4
