#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "calo/benchmark/benchmark.h"

namespace calo {

/// One self-contained HTML page: throughput against batch size for each number of threads, and the tables.
/// @throws core::UnavailableError
void write_benchmark_page(const std::filesystem::path& file, const BenchmarkReport& report,
                          const nlohmann::json& provenance);

}  // namespace calo
