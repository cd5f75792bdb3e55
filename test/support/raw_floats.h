#pragma once

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/staged_output.h"

namespace test {

/// Floats as the bytes of a file, for peers, and back.
inline std::string raw(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

inline std::vector<float> read_raw(const std::filesystem::path& file) {
  const std::string bytes = core::read_file(file);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace test
