#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/backend.h"

namespace storage {

/// Starts an output. @throws Fault
std::unique_ptr<Sender> xrootd_sender(const std::string& url, bool is_folder, const Settings& settings);

/// Adler-32 of a file as the server knows it, in 8 hexadecimal digits; none if it has no checksums.
/// @throws Fault
std::optional<std::string> adler32_at(const std::string& url, const Settings& settings);

}  // namespace storage
