#pragma once

#include <string>

namespace app {

/// True if this terminal has a graphical desktop.
bool has_display();

/// Opens a file or an address with the desktop's program for it.
/// @param place  a path, or an address
/// @return false if there is no xdg-open, or it found no program for it
bool open_on_desktop(std::string place);

}  // namespace app
