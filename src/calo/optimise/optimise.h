#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/benchmark/timing.h"
#include "calo/infer/foreign_contract.h"
#include "calo/infer/precision.h"
#include "calo/io/shower_reader.h"
#include "core/thread_pool.h"

namespace calo {

/// Criterion for the choice of a precision.
enum class Objective { kLatency, kThroughput, kSize };

/// @throws core::UsageError
Objective parse_objective(const std::string& name);

struct OptimiseOptions {
  std::vector<std::string> precisions = {"bf16", "int8", "w8a8"};  ///< precisions to try, in addition to fp32
  /// Largest accepted shift of an observable's mean, in statistical errors of the full sample's mean.
  double max_shift_sigma = 0.5;
  Objective objective = Objective::kSize;
  /// Store the weights in the chosen precision; if false, they are floats, which the engine narrows when it
  /// loads them.
  bool narrow_weights = true;
  ReadOptions reading;            ///< options for reading the full simulation's showers
  std::int64_t batch_size = 128;  ///< batch size for the throughput
  double seconds = 0.5;           ///< length of each measurement of speed
  double threshold_mev = 0.0005;
  std::uint64_t seed = 42;
  /// For a model that does not state its own; it is written into the optimised file.
  infer::ForeignContract contract = {};
  nlohmann::json provenance = nlohmann::json::object();
};

/// An observable of one condition in a precision, with its values for fp32 and the full simulation.
struct ObservableShift {
  std::string condition, observable, unit;
  double full_mean = 0, full_error = 0;  ///< mean and its statistical error
  double fp32_mean = 0, mean = 0;
  double ks = 0;              ///< Kolmogorov–Smirnov distance from fp32's showers; 0 if there is none
  double jensen_shannon = 0;  ///< Jensen–Shannon divergence from fp32's showers in bits
  double shift_sigma() const { return full_error > 0 ? (mean - fp32_mean) / full_error : 0; }
};

struct Candidate {
  infer::Precision precision = infer::Precision::kFp32;
  Timing one;    ///< batch 1, one thread
  Timing batch;  ///< OptimiseOptions::batch_size, one thread
  double start_s = 0;
  std::int64_t weight_bytes = 0, file_bytes = 0;
  std::vector<ObservableShift> shifts;  ///< empty for fp32
  double largest_shift_sigma = 0;
  bool accepted = false;
};

struct OptimiseReport {
  std::vector<Candidate> candidates;  ///< fp32 first
  std::size_t chosen = 0;
  std::int64_t showers = 0;  ///< number of compared showers
  std::int64_t batch_size = 0;
  double max_shift_sigma = 0;
  std::string mesh, contract;

  nlohmann::json to_json() const;
  /// Contents of the Metrics artifact.
  nlohmann::json summary() const;
};

/// Finds the precision in which a converted model runs best without changing the observables of `calopipe
/// validate`, and writes the file for it. Showers of every condition of the full sample are made in each
/// precision from the same noise, so that only the precision differs. The file includes all weights, also
/// those from files beside the model.
/// @param onnx a file of `calopipe convert`, or a foreign one with OptimiseOptions::contract
/// @param full showers of the full simulation
/// @throws core::InputError (including infer::NotFiniteError), core::UsageError, core::UnavailableError
OptimiseReport optimise(const std::filesystem::path& onnx, const std::filesystem::path& full,
                        const OptimiseOptions& options, const std::filesystem::path& out,
                        core::ThreadPool& pool);

/// Description of an optimised model in Markdown: properties, cost and gain of each precision, instructions
/// for running it.
std::string model_card(const OptimiseReport& report, const std::filesystem::path& optimised,
                       const nlohmann::json& provenance);

}  // namespace calo
