#pragma once

#include <optional>
#include <string>

namespace kfp::client {

/// Seconds since 1970 of a time in the API's format, "2026-11-26T21:35:06.123Z" (RFC 3339).
std::optional<double> parse_time(const std::string& text);

/// Time in the API's format, "2026-11-26T21:35:06Z", without fractions.
std::string time_text(double seconds_since_1970);

}  // namespace kfp::client
