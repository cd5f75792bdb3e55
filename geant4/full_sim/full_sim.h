#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/io/layout.h"
#include "core/thread_pool.h"
#include "geant4/full_sim/simulation_plan.h"

namespace geant4 {

struct FullSimOptions {
  std::string detector = "SiW";   ///< a name, or a YAML file
  std::string mesh;               ///< name of a mesh to use instead of the detector's; empty = the detector's
  std::string sampling_fraction;  ///< a number or "measure"; empty = as in the detector
  GunOptions gun;
  std::string physics = "em-no-data";
  double cut_mm = 0.7;
  std::string fast_model;                 ///< ONNX file; empty = full simulation
  std::vector<std::string> fast_options;  ///< "name=text", as in the commands under /calopipe/
  std::string macro;
  calo::Layout layout = calo::Layout::kPar04;
  std::filesystem::path out;
  std::filesystem::path parts;  ///< folder of finished parts; empty = next to `out`
  std::int64_t events_per_part = 100;
  bool resume = false;
  bool verbose = false;
  nlohmann::json provenance;  ///< provenance of the calling program; null = our own
};

/// Figures of a simulation.
struct FullSimReport {
  std::int64_t showers = 0;
  std::int64_t resumed = 0;       ///< showers from parts that already existed
  std::int64_t not_entered = 0;   ///< particles that did not reach the calorimeter
  std::int64_t fast_showers = 0;  ///< showers with deposits of the fast simulation
  double sampling_fraction = 0;
  double mean_sim_time_s = 0;  ///< for one shower on one thread, over the showers simulated now
  double wall_s = 0;           ///< time to simulate them, on all threads
  double response = 0;  ///< mean of energy in the mesh over incident energy, over the showers simulated now

  nlohmann::json to_json() const;
};

/// Simulates showers and writes them, in parts that survive an interruption.
/// @throws core::UsageError, core::InputError, core::UnavailableError, core::Interrupted
FullSimReport full_sim(const FullSimOptions& options, core::ThreadPool& pool);

}  // namespace geant4
