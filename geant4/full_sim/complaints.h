#pragma once

namespace geant4 {

/// After this call, a fatal error of Geant4 on this thread ends the program with one line and exit code 1
/// (finished parts are on disk), instead of a core dump. Warnings are shown if `verbose`.
void install_complaints(bool verbose);

}  // namespace geant4
