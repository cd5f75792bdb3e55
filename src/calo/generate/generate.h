#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/generate/shower_source.h"
#include "calo/io/layout.h"
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
  std::uint64_t seed = 42;
  std::int64_t batch_size = 256;
  double threshold_mev = 0.0005;  ///< cells below are zero; Par04 drops hits below 0.5 keV
  Layout layout = Layout::kPar04;
  nlohmann::json provenance;
};

/// What generate() made.
struct GenerateReport {
  std::int64_t showers = 0;
  double seconds = 0;  ///< of decoding, without writing
};

/// Streams showers to `out`, in bounded memory. Shower i has latent noise of (seed, i) only: the same
/// whatever the batch size or the number of threads.
/// @throws core::UsageError (nothing to make, unknown geometry), core::InputError (`like` has another mesh),
///         core::Interrupted (nothing is written)
GenerateReport generate(ShowerSource& model, const GenerateOptions& options, const std::filesystem::path& out,
                        core::ThreadPool& pool);
GenerateReport generate(const ModelFolder& model, const GenerateOptions& options,
                        const std::filesystem::path& out, core::ThreadPool& pool);

}  // namespace calo
