#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/benchmark/timing.h"
#include "calo/infer/foreign_contract.h"

namespace calo {

struct BenchmarkOptions {
  std::vector<std::string> precisions = {"fp32", "bf16", "int8",
                                         "w8a8"};  ///< precisions of calopipe's engine
  std::vector<std::string> against;                ///< engines to compare with: onnxruntime, libtorch
  std::filesystem::path model;                     ///< model folder, for libtorch
  std::string python = "python3";                  ///< a Python with onnxruntime
  std::vector<std::int64_t> batch_sizes = {1, 8, 32, 128, 512, 1024, 4096};
  std::vector<std::int64_t> threads;  ///< empty = 1, and all that the process may use
  std::string geometry;               ///< empty = the model's first geometry
  double energy_gev = 0;              ///< 0 = geometric mean of the training's range
  double threshold_mev = 0.0005;
  double seconds = 0.3;  ///< length of each measurement
  std::uint64_t seed = 42;
  infer::ForeignContract contract = {};  ///< for a model that does not state its own contract
};

/// Timing of one batch size on a number of threads.
struct BatchTiming {
  std::int64_t batch = 1, threads = 1;
  Timing timing;
  double showers_per_s() const { return static_cast<double>(batch) / timing.median_s; }
};

/// Figures of one engine with one model.
struct EngineFigures {
  std::string name;     ///< "calopipe-infer"
  std::string version;  ///< empty if it has no version of its own
  std::string variant;  ///< "bf16, sparse"
  double start_s = 0;   ///< time from the file to a model ready to run, median of several
  /// Largest growth of resident memory, from before loading until after showers of batch size 1, in bytes.
  std::int64_t memory_bytes = 0;
  std::int64_t weight_bytes = 0;  ///< 0 = unknown
  std::vector<BatchTiming> batches;
};

struct BenchmarkReport {
  std::string file, contract, mesh, machine, instructions;
  std::int64_t file_bytes = 0, cells = 0;
  int cores = 0;
  double load = 0;          ///< load of the machine before the benchmark (running processes)
  double filled_share = 0;  ///< share of cells above the threshold
  double energy_gev = 0;
  std::vector<EngineFigures> engines;

  nlohmann::json to_json() const;
  /// Contents of the Metrics artifact.
  nlohmann::json summary() const;
  std::string to_table() const;
};

/// Measures a model's start-up, latency, throughput and memory, and those of the requested peers with the
/// same batches and threads. calopipe's engine gives sparse showers (as Geant4 deposits them) and, like the
/// peers, dense ones.
/// @throws core::InputError (the file), core::UsageError (libtorch without a model folder),
///         core::UnavailableError (a requested peer is missing)
BenchmarkReport run_benchmark(const std::filesystem::path& onnx, const BenchmarkOptions& options);

}  // namespace calo
