#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calo/benchmark/benchmark.h"
#include "calo/infer/generator.h"

namespace calo {

/// onnxruntime with all its optimisations and, for the contracts of Par04, as Par04 sets it up (one thread,
/// no optimisations, batches of one), by a Python process. Batches that the file does not allow are left out.
/// @throws core::UnavailableError
std::vector<EngineFigures> measure_onnxruntime(const std::filesystem::path& onnx,
                                               const infer::Generator& generator,
                                               const infer::Particle& particle,
                                               const BenchmarkOptions& options);

}  // namespace calo
