#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "calo/io/layout.h"
#include "calo/io/shower_reader.h"
#include "core/thread_pool.h"

namespace calo {

/// Properties of showers that a layout may lack, and that the user may allow to be lost.
enum class Droppable {
  kAngle,     ///< polar angle theta; becomes 90 degrees
  kPhi,       ///< azimuth of the incident particle; becomes 0
  kGeometry,  ///< becomes "unknown"
  kTime,      ///< Conditions::sim_time_s
};

/// "angle", "phi", "geometry", "time". @throws core::UsageError
Droppable parse_droppable(const std::string& name);
std::string to_string(Droppable what);

struct ConvertShowersOptions {
  Layout layout = Layout::kCalopipe;
  std::set<Droppable> drop;  ///< properties that may be lost
  nlohmann::json provenance;
};

/// Writes the showers of a reader in another layout, in bounded memory; nothing appears at `out` before all
/// is written. Values are float32. Attributes of the files (source, particle, sampling fraction, threshold,
/// peak memory) are kept if they are the same in all files.
/// @return number of showers
/// @throws core::UsageError, before anything is written, if the layout lacks a property of the showers that
///         is not in `drop`, if the geometry is in `drop` and the cells of the geometries differ in size, or
///         if `out` is one of the input files or in the input folder; core::UnavailableError;
///         core::Interrupted
std::int64_t convert_showers(ShowerReader& reader, const ConvertShowersOptions& options,
                             const std::filesystem::path& out, core::ThreadPool& pool);

}  // namespace calo
