#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace core {

/// Base64 with padding, on one line. @param bytes  less than 1 GiB
std::string to_base64(std::string_view bytes);

/// Bytes of base64 with padding; none if it is not base64. Spaces and line breaks are ignored.
std::optional<std::string> from_base64(std::string text);

}  // namespace core
