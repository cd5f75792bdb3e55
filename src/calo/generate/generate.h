#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/generate/shower_source.h"
#include "calo/io/layout.h"
#include "calo/io/shower_reader.h"
#include "core/thread_pool.h"

namespace calo {

/// Which showers to make: `events` of each energy and angle, or `events` in all with energies log-uniform
/// between two limits, or one for each shower of another data set.
struct GenerateOptions {
  std::string geometry;  ///< empty = the model's, where it knows one
  std::vector<double> energies_gev;
  std::vector<double> angles_deg = {90};
  std::int64_t events = 1000;
  double min_energy_gev = 0;  ///< log-uniform range, where energies_gev is empty
  double max_energy_gev = 0;
  std::filesystem::path like;  ///< data set whose conditions are taken; outranks the others
  ReadOptions reading;         ///< of `like`; the geometry above outranks its
  std::uint64_t seed = 42;
  std::int64_t batch_size = 256;
  double threshold_mev = 0.0005;  ///< cells below are zero; Par04 drops hits below 0.5 keV
  Layout layout = Layout::kPar04;
  nlohmann::json provenance;
};

/// What generate() made, and what that took: making showers alone, without reading the model and writing.
struct GenerateReport {
  std::int64_t showers = 0;
  std::int64_t batch_size = 0;
  int threads = 1;
  std::string precision;                  ///< "fp32"
  double seconds = 0;                     ///< of the clock, with `threads` at work
  std::int64_t working_memory_bytes = 0;  ///< for one batch, beside the model
  std::int64_t peak_memory_bytes = 0;     ///< of the whole process

  /// Of one thread, to be put beside Geant4's.
  double seconds_per_shower() const;
  double memory_per_shower_bytes() const;

  nlohmann::json to_json() const;
  /// Reads what to_json() wrote. @throws core::InputError with the field
  static GenerateReport read(const std::filesystem::path& file);
};

/// Streams showers to `out`, in bounded memory. Shower i has latent noise of (seed, i) only: the same
/// whatever the batch size or the number of threads.
/// @throws core::UsageError (nothing to make, unknown geometry), core::InputError (`like` has another mesh,
/// or
///         energies that cannot be; infer::NotFiniteError: the model makes cells that are NaN or infinite),
///         core::Interrupted (nothing is written)
GenerateReport generate(ShowerSource& model, const GenerateOptions& options, const std::filesystem::path& out,
                        core::ThreadPool& pool);
GenerateReport generate(const ModelFolder& model, const GenerateOptions& options,
                        const std::filesystem::path& out, core::ThreadPool& pool);

}  // namespace calo
