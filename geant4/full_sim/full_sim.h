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
  std::string mesh;               ///< a named mesh instead of the detector's; empty = its own
  std::string sampling_fraction;  ///< a number or "measure"; empty = the detector's
  GunOptions gun;
  std::string physics = "em-no-data";
  double cut_mm = 0.7;
  std::string fast_model;                 ///< ONNX; empty = full simulation
  std::vector<std::string> fast_options;  ///< "name=text", as the commands under /calopipe/
  std::string macro;
  calo::Layout layout = calo::Layout::kPar04;
  std::filesystem::path out;
  std::filesystem::path parts;  ///< folder of finished parts; empty = beside `out`
  std::int64_t events_per_part = 100;
  bool resume = false;
  bool verbose = false;
  nlohmann::json provenance;  ///< of whoever started this; null = our own
};

/// What a simulation made.
struct FullSimReport {
  std::int64_t showers = 0;
  std::int64_t resumed = 0;       ///< of them, from parts that were already there
  std::int64_t not_entered = 0;   ///< particles that did not reach the calorimeter
  std::int64_t fast_showers = 0;  ///< with deposits of the fast simulation
  double sampling_fraction = 0;
  double mean_sim_time_s = 0;  ///< of one shower on one thread, of those simulated now
  double wall_s = 0;           ///< of simulating them, on all threads
  double response = 0;         ///< mean of energy in the mesh over incident energy, of those simulated now

  nlohmann::json to_json() const;
};

/// Simulates showers and writes them, in parts that outlive an interruption.
/// @throws core::UsageError, core::InputError, core::UnavailableError, core::Interrupted
FullSimReport full_sim(const FullSimOptions& options, core::ThreadPool& pool);

}  // namespace geant4
