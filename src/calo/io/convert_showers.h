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

/// What a layout may not be able to hold, and a user can do without.
enum class Droppable {
  kAngle,     ///< theta: 90 degrees then
  kPhi,       ///< of the incident particle: 0 then
  kGeometry,  ///< "unknown" then
  kTime,      ///< Conditions::sim_time_s
};

/// "angle", "phi", "geometry", "time". @throws core::UsageError
Droppable parse_droppable(const std::string& name);
std::string to_string(Droppable what);

struct ConvertShowersOptions {
  Layout layout = Layout::kCalopipe;
  std::set<Droppable> drop;  ///< what may be lost
  nlohmann::json provenance;
};

/// Writes the showers of a reader in another layout, in bounded memory; nothing appears under `out` before
/// all is written. Values are float32. What files say of themselves (source, particle, sampling fraction,
/// threshold, peak memory) is kept where all files say the same.
/// @return number of showers
/// @throws core::UsageError, before anything is written, where the layout cannot hold something of the
/// showers
///         and `drop` does not allow that it is lost, and where `out` is among the files that are read, or in
///         the folder; core::UnavailableError; core::Interrupted
std::int64_t convert_showers(ShowerReader& reader, const ConvertShowersOptions& options,
                             const std::filesystem::path& out, core::ThreadPool& pool);

}  // namespace calo
