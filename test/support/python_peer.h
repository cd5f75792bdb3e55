#pragma once

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "core/staged_output.h"

namespace test {

/// Python of the peers' virtual environment; null if the environment does not name one.
inline const char* python() {
  return std::getenv("CALOPIPE_PYTHON");
}

/// Python code `name = [..]` with all digits.
inline std::string python_list(const std::string& name, const std::vector<double>& values) {
  std::ostringstream out;
  out.precision(17);
  out << name << " = [";
  for (const double value : values) out << value << ",";
  out << "]\n";
  return out.str();
}

/// Runs a script. Returns its exit status.
inline int run_python(const std::filesystem::path& folder, const std::string& script) {
  core::write_file(folder / "peer.py", script);
  return std::system(("'" + std::string(python()) + "' '" + (folder / "peer.py").string() + "'").c_str());
}

}  // namespace test
