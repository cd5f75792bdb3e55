#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

namespace calo {

/// TensorBoard's event files: records of protobuf Events, each after a masked CRC-32C checksum.
class EventFile {
 public:
  /// @param time_unix_s  start of the training, s since 1970
  /// @throws core::UnavailableError if the file cannot be written
  EventFile(const std::filesystem::path& folder, double time_unix_s);
  /// Adds scalars of a step that ended at this time, s since 1970. TensorBoard shows it, and the time since
  /// the first event.
  void add(std::int64_t step, double time_unix_s, const std::map<std::string, double>& scalars);

 private:
  void write_record(std::string_view event);

  std::ofstream stream_;
};

/// CRC-32C (Castagnoli), as in RFC 3720.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace calo
