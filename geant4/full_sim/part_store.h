#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/io/shower_writer.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace geant4 {

/// Finished parts of a simulation, in their own folder until all exist, so that an interruption does not lose
/// them. Part i holds the events [i * events_per_part, (i + 1) * events_per_part).
class PartStore {
 public:
  struct Options {
    std::filesystem::path folder;
    /// Everything that determines the events. Parts of another plan are refused.
    nlohmann::json plan;
    calo::VoxelMesh mesh;
    std::string geometry;
    std::int64_t num_events = 0;
    std::int64_t events_per_part = 100;
    bool resume = false;  ///< continue with the parts that exist
  };

  /// @throws core::UsageError if parts exist without `resume`, or have another plan (the difference is
  ///         named); core::UnavailableError if the folder cannot be created
  explicit PartStore(Options options);

  std::int64_t num_parts() const;
  std::int64_t first_event(std::int64_t part) const { return part * options_.events_per_part; }
  /// Index after the part's last event.
  std::int64_t end_event(std::int64_t part) const;
  bool has(std::int64_t part) const;
  /// Number of events in the existing parts.
  std::int64_t events_done() const;

  /// @throws core::UnavailableError (disk full)
  void write(std::int64_t part, const calo::Showers& showers, core::ThreadPool& pool);

  /// A number that was measured during the simulation and must be the same for all parts (the sampling
  /// fraction).
  std::optional<double> number(const std::string& name) const;
  void keep_number(const std::string& name, double value);

  /// Appends all parts, in order, to `writer` (without committing it).
  /// @param progress called with the events appended so far
  /// @throws core::InputError if a part is damaged
  void append_all(calo::ShowerWriter& writer, core::ThreadPool& pool,
                  const std::function<void(std::int64_t)>& progress) const;

  /// Deletes the folder.
  void remove();

 private:
  std::filesystem::path file(std::int64_t part) const;

  Options options_;
};

}  // namespace geant4
