#pragma once

#include <optional>
#include <string>

namespace kfp::kubernetes {

std::string to_base64(const std::string& bytes);

/// Empty if it is not base64. Line breaks are ignored.
std::optional<std::string> from_base64(const std::string& text);

}  // namespace kfp::kubernetes
