#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

namespace calo {

/// TensorBoard's event files: records of protobuf Events behind masked CRC-32C checksums.
class EventFile {
 public:
  /// @throws core::UnavailableError
  explicit EventFile(const std::filesystem::path& folder);
  /// Adds scalars of one step.
  void add(std::int64_t step, const std::map<std::string, double>& scalars);

 private:
  void write_record(std::string_view event);

  std::ofstream stream_;
};

/// CRC-32C (Castagnoli), as of RFC 3720.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace calo
