#include "calo/io/convert_showers.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <numbers>

#include "calo/io/hdf5.h"
#include "calo/io/layouts/held.h"
#include "calo/io/layouts/shower_layout.h"
#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/remote.h"

namespace calo {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchBytes = std::size_t{64} << 20;
constexpr auto kPerpendicular = static_cast<float>(std::numbers::pi / 2);

constexpr std::pair<const char*, Droppable> kDroppables[] = {{"angle", Droppable::kAngle},
                                                             {"phi", Droppable::kPhi},
                                                             {"geometry", Droppable::kGeometry},
                                                             {"time", Droppable::kTime}};

bool is_inside(const fs::path& path, const fs::path& folder) {
  const fs::path relative = fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(folder));
  return !relative.empty() && *relative.begin() != "..";
}

// Rejects an output that would replace an input file, or that lies in the input folder, where it would be
// read as input next time.
void check_place(const DatasetInfo& info, const fs::path& out) {
  if (core::is_folder(info.path) && is_inside(out, info.path))
    throw core::UsageError({.message = fmt::format("is in {}, which is the input", info.path.string()),
                            .file = out,
                            .field = "out",
                            .hint = "choose another path"});
  for (const fs::path& file : info.files) {
    std::error_code error;
    if (fs::equivalent(file, out, error) || is_inside(file, out))
      throw core::UsageError({.message = fmt::format("would replace {}, which is an input", file.string()),
                              .file = out,
                              .field = "out",
                              .hint = "choose another path"});
  }
}

// Attributes with the same value in all files.
std::map<std::string, std::variant<std::string, double>> attributes_of(const DatasetInfo& info) {
  std::map<std::string, std::variant<std::string, double>> kept;
  std::set<std::string> differing;
  const auto keep = [&](const std::string& name, const auto& value, bool first) {
    if (!value) return void(differing.insert(name));
    const auto found = kept.find(name);
    if (found == kept.end() ? !first : found->second != std::variant<std::string, double>(*value))
      differing.insert(name);
    if (found == kept.end()) kept[name] = *value;
  };
  for (std::size_t i = 0; i < info.files.size(); ++i) {
    const hdf5::File file = hdf5::File::open(info.files[i]);
    for (const char* name : {"source", "particle"}) keep(name, file.text_attribute(name), i == 0);
    for (const char* name : {"sampling_fraction", "threshold_mev"})
      keep(name, file.number_attribute(name), i == 0);
  }
  for (const std::string& name : differing)
    if (kept.erase(name) > 0) spdlog::warn("the attribute {} differs between files: it is omitted", name);
  if (info.peak_memory_bytes > 0) kept["peak_memory_bytes"] = info.peak_memory_bytes;
  return kept;
}

}  // namespace

Droppable parse_droppable(const std::string& name) {
  for (const auto& [known, what] : kDroppables)
    if (name == known) return what;
  throw core::UsageError({.message = fmt::format("cannot be \"{}\"", name),
                          .field = "drop",
                          .hint = "allowed: angle, phi, geometry, time"});
}

std::string to_string(Droppable what) {
  const auto* found = std::find_if(std::begin(kDroppables), std::end(kDroppables),
                                   [&](const auto& entry) { return entry.second == what; });
  return found->first;
}

std::int64_t convert_showers(ShowerReader& reader, const ConvertShowersOptions& options, const fs::path& out,
                             core::ThreadPool& pool) {
  const DatasetInfo& info = reader.info();
  check_place(info, out);
  layouts::row_of(options.layout)
      .check({.info = info, .conditions = reader.conditions(), .options = options, .out = out});
  if (options.drop.contains(Droppable::kGeometry) && !info.geometry_meshes.empty())
    throw core::UsageError(
        {.message = fmt::format("cannot be geometry: the cells of the geometries differ in size ({})",
                                to_string(info.geometry_meshes, info.mesh)),
         .file = info.files.front(),
         .field = "drop",
         .hint = "convert one geometry at a time, with --geometries"});
  const bool no_geometry = options.drop.contains(Droppable::kGeometry);
  const std::vector<std::string> unknown = {"unknown"};
  const bool no_angle = options.drop.contains(Droppable::kAngle),
             no_phi = options.drop.contains(Droppable::kPhi),
             no_time = options.drop.contains(Droppable::kTime);
  const auto writer = ShowerWriter::create(out,
                                           {.layout = options.layout,
                                            .mesh = info.mesh,
                                            .geometries = no_geometry ? unknown : info.geometries,
                                            .provenance = options.provenance,
                                            .attributes = attributes_of(info),
                                            .geometry_meshes = info.geometry_meshes},
                                           pool);
  const std::int64_t step = reader.batch_within(kBatchBytes);
  core::Progress progress("convert", info.num_showers, "showers");
  for (std::int64_t begin = 0; begin < info.num_showers; begin += step) {
    if (core::interrupt_requested())
      throw core::Interrupted({.message = "the conversion was interrupted; nothing was written"});
    Showers showers = reader.read(begin, step);
    if (no_geometry) showers.geometries = unknown;
    for (Conditions& condition : showers.conditions) {
      if (no_geometry) condition.geometry = 0;
      if (no_angle) condition.theta_rad = kPerpendicular;
      if (no_phi) condition.phi_rad = 0;
      if (no_time) condition.sim_time_s = Conditions{}.sim_time_s;
    }
    writer->append(showers);
    progress.update(std::min(begin + step, info.num_showers));
  }
  writer->commit();
  return info.num_showers;
}

}  // namespace calo
