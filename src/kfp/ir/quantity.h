#pragma once

#include <optional>
#include <string_view>

namespace kfp::ir {

/// The value of a Kubernetes quantity as a cluster reads it ("500m", "4Gi", "1e3"); nullopt if invalid.
std::optional<double> quantity(std::string_view text);

// Kubernetes accepts more quantities; a pipeline may use the following:

/// Cores of a Kubernetes quantity ("2", "0.5", "500m"); nullopt if invalid.
std::optional<double> cpu_cores(std::string_view quantity);

/// Bytes of a Kubernetes quantity ("1000", "4Gi", "500M", suffixes K to E, Ki to Ei); nullopt if invalid.
std::optional<double> memory_bytes(std::string_view quantity);

}  // namespace kfp::ir
