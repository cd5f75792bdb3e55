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

/// Showers to generate: `events` of each energy and angle, or `events` in all with log-uniform energies
/// between two limits, or one for each shower of another data set.
struct GenerateOptions {
  std::string geometry;  ///< empty = the model's, if it has only one
  std::vector<double> energies_gev;
  std::vector<double> angles_deg = {90};
  std::int64_t events = 1000;
  double min_energy_gev = 0;  ///< log-uniform range, if energies_gev is empty
  double max_energy_gev = 0;
  std::filesystem::path like;  ///< data set whose conditions are used; overrides the others
  ReadOptions reading;         ///< options for reading `like`; `geometry` above overrides its geometry
  std::uint64_t seed = 42;
  std::int64_t batch_size = 256;
  double threshold_mev = 0.0005;  ///< cells below are set to zero; Par04 drops hits below 0.5 keV
  Layout layout = Layout::kPar04;
  nlohmann::json provenance;
};

/// Showers of one geometry for which the model was not trained: they may be meaningless.
struct OutsideTraining {
  enum class What { kGeometry, kEnergy, kAngle };

  What what = What::kGeometry;
  std::string geometry;
  std::int64_t showers = 0;                     ///< outside
  std::int64_t of = 0;                          ///< all showers of the geometry
  double trained_min = 0, trained_max = 0;      ///< GeV or degrees; unused for kGeometry
  std::vector<std::string> trained_geometries;  ///< for kGeometry

  std::string to_string() const;
  nlohmann::json to_json() const;
};

/// What generate() made, and its cost: only making showers, without reading the model and writing.
struct GenerateReport {
  std::int64_t showers = 0;
  std::int64_t batch_size = 0;
  int threads = 1;
  std::string precision;                  ///< "fp32"
  double seconds = 0;                     ///< wall time with `threads` threads
  std::int64_t working_memory_bytes = 0;  ///< memory for one batch, without the model
  std::int64_t peak_memory_bytes = 0;     ///< peak memory of the whole process
  std::vector<OutsideTraining> outside_training = {};

  /// Time on one thread, comparable with Geant4's.
  double seconds_per_shower() const;
  double memory_per_shower_bytes() const;

  nlohmann::json to_json() const;
  /// Reads the output of to_json(). @throws core::InputError with the field
  static GenerateReport read(const std::filesystem::path& file);
};

/// Each shower has the mesh of its geometry, which every file states. What was asked outside of the training
/// is logged as a warning, and is in the files' provenance as `outside_training`; so are geometries whose
/// mesh the model does not record (ShowerSource::knows_mesh_of), as `mesh_not_recorded`.
///
/// Writes showers to `out` block by block, in bounded memory. The latent noise of shower i depends only on
/// (seed, i): showers are the same for any batch size and number of threads.
/// @throws core::UsageError (nothing to generate, unknown geometry, several geometries in a layout that
/// stores
///         one), core::InputError (`like` has another mesh than the model for a geometry, or invalid
///         energies; infer::NotFiniteError: the model makes cells that are NaN or infinite),
///         core::Interrupted (nothing is written)
GenerateReport generate(ShowerSource& model, const GenerateOptions& options, const std::filesystem::path& out,
                        core::ThreadPool& pool);
GenerateReport generate(const ModelFolder& model, const GenerateOptions& options,
                        const std::filesystem::path& out, core::ThreadPool& pool);

}  // namespace calo
