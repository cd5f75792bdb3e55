#pragma once

#include <map>
#include <string>
#include <vector>

namespace core {

/// What exec and posix_spawn take: pointers to the texts, which must outlive them, and a null pointer.
std::vector<char*> c_strings(std::vector<std::string>& texts);

/// The environment of this process as "NAME=VALUE", with these variables added or in place of its own.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables);

}  // namespace core
