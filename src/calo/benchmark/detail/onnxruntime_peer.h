#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calo/benchmark/benchmark.h"
#include "calo/infer/generator.h"

namespace calo {

/// Measures onnxruntime in a Python process: with all its optimisations and, for the contracts of Par04, as
/// Par04 configures it (one thread, no optimisations, batches of one). Skips batches that the file does not
/// allow.
/// @throws core::UnavailableError
std::vector<EngineFigures> measure_onnxruntime(const std::filesystem::path& onnx,
                                               const infer::Generator& generator,
                                               const infer::Particle& particle,
                                               const BenchmarkOptions& options);

}  // namespace calo
