#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace core {

/// The text without spaces, tabs and ends of lines at either end.
std::string trimmed(std::string_view text);

/// The first of these environment variables that is set and not empty; empty if there is none.
std::string environment(std::initializer_list<const char*> names);

}  // namespace core
