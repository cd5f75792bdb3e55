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

/// What counts when one precision is chosen.
enum class Objective { kLatency, kThroughput, kSize };

/// @throws core::UsageError
Objective parse_objective(const std::string& name);

struct OptimiseOptions {
  std::vector<std::string> precisions = {"bf16", "int8", "w8a8"};  ///< tried beside fp32
  /// Largest shift of an observable's mean that is let through, in statistical errors of the full sample's
  /// mean.
  double max_shift_sigma = 0.5;
  Objective objective = Objective::kSize;
  /// Store the weights in the chosen precision; else floats, and the engine narrows them as it loads.
  bool narrow_weights = true;
  ReadOptions reading;            ///< of the full simulation's showers
  std::int64_t batch_size = 128;  ///< of the throughput
  double seconds = 0.5;           ///< of each measurement of speed
  double threshold_mev = 0.0005;
  std::uint64_t seed = 42;
  /// Of a model that does not say its own; it is written into the optimised file.
  infer::ForeignContract contract = {};
  nlohmann::json provenance = nlohmann::json::object();
};

/// An observable of one condition under a precision, beside fp32 and the full simulation.
struct ObservableShift {
  std::string condition, observable, unit;
  double full_mean = 0, full_error = 0;  ///< error: statistical, of the mean
  double fp32_mean = 0, mean = 0;
  double ks = 0;              ///< Kolmogorov–Smirnov distance from fp32's showers; 0 if there is none
  double jensen_shannon = 0;  ///< from fp32's, bits
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
  std::int64_t showers = 0;  ///< compared
  std::int64_t batch_size = 0;
  double max_shift_sigma = 0;
  std::string mesh, contract;

  nlohmann::json to_json() const;
  /// What the Metrics artifact carries.
  nlohmann::json summary() const;
};

/// Finds the precision in which a converted model runs best while the observables of `calopipe validate` stay
/// where they are, and writes the file for it. Showers of every condition of the full sample are made in each
/// precision from the same noise, so that what differs is the precision alone.
/// The file is whole in itself: weights from files beside the model are taken in.
/// @param onnx a file of `calopipe convert`, or another under OptimiseOptions::contract  @param full showers
/// of the full simulation
/// @throws core::InputError (infer::NotFiniteError too), core::UsageError, core::UnavailableError
OptimiseReport optimise(const std::filesystem::path& onnx, const std::filesystem::path& full,
                        const OptimiseOptions& options, const std::filesystem::path& out,
                        core::ThreadPool& pool);

/// Describes an optimised model in Markdown: what it is, what each precision costs and gains, how to run it.
std::string model_card(const OptimiseReport& report, const std::filesystem::path& optimised,
                       const nlohmann::json& provenance);

}  // namespace calo
