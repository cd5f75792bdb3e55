#pragma once

#include <filesystem>
#include <string>

namespace test {

/// A file beside the tests of the Argo compiler.
inline std::filesystem::path argo_source(const std::string& name) {
  return std::filesystem::path(CALOPIPE_SOURCE_DIR) / "test/kfp/compile/argo" / name;
}

}  // namespace test
