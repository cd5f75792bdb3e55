#include "calo/io/convert_showers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <tuple>

#include "calo/io/hdf5.h"
#include "calo/io/shower_writer.h"
#include "calo/shower/energy.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace calo {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchBytes = std::size_t{64} << 20;
constexpr auto kPerpendicular = static_cast<float>(std::numbers::pi / 2);
constexpr std::size_t kMostTimesInMlFastSim = 16000;  // an attribute holds no more

constexpr std::pair<const char*, Droppable> kDroppables[] = {{"angle", Droppable::kAngle},
                                                             {"phi", Droppable::kPhi},
                                                             {"geometry", Droppable::kGeometry},
                                                             {"time", Droppable::kTime}};

bool is_one_file(const fs::path& out, Layout layout) {
  return layout != Layout::kMlFastSim || out.extension() == ".h5" || out.extension() == ".hdf5";
}

double degrees(float theta_rad) {
  return theta_rad * 180 / std::numbers::pi;
}

// Angles in names of files have four digits behind the point.
bool has_short_angle(float theta_rad) {
  const double rounded = std::round(degrees(theta_rad) * 1e4) / 1e4;
  return std::abs(rounded * std::numbers::pi / 180 - double{theta_rad}) < 3e-7;
}

// Goes through the conditions before anything is written.
class Checker {
 public:
  Checker(const ShowerReader& reader, const ConvertShowersOptions& options, bool one_file)
      : info_(reader.info()), conditions_(reader.conditions()), options_(options), one_file_(one_file) {}

  void check() const {
    const Layout layout = options_.layout;
    if (layout == Layout::kCalopipe) return;  // holds everything
    if (layout != Layout::kCaloChallenge && !info_.mesh.is_cylinder())
      refuse(fmt::format("holds regular meshes [r, phi, z], and there is {}", info_.mesh.to_string()),
             "choose the layout calochallenge or calopipe");
    check_geometries();
    check_phi();
    if (layout == Layout::kMlFastSim) {
      check_energies();
      check_short_angles();
    }
    check_times();
  }

 private:
  [[noreturn]] void refuse(const std::string& message, const std::string& hint) const {
    throw core::UsageError({.message = fmt::format("the layout {} {}", to_string(options_.layout), message),
                            .file = info_.files.front(),
                            .field = "layout",
                            .hint = hint});
  }

  bool may_drop(Droppable what) const { return options_.drop.contains(what); }

  [[noreturn]] void lose(Droppable what, const std::string& message, const char* layouts) const {
    const auto* name = std::find_if(std::begin(kDroppables), std::end(kDroppables),
                                    [&](const auto& entry) { return entry.second == what; });
    refuse(message, fmt::format("choose the layout {}, or accept the loss: --drop {}", layouts, name->first));
  }

  void check_geometries() const {
    if (may_drop(Droppable::kGeometry)) return;
    std::set<std::string> names;
    for (const Conditions& condition : conditions_) names.insert(info_.geometries.at(condition.geometry));
    if (names.size() > 1 && one_file_)
      lose(Droppable::kGeometry,
           fmt::format("holds one geometry a file, and there are {}", fmt::join(names, ", ")),
           options_.layout == Layout::kMlFastSim ? "mlfastsim with a folder, or calopipe"
                                                 : "mlfastsim or calopipe");
    for (const std::string& name : names)
      if (options_.layout == Layout::kMlFastSim &&
          (name.find('/') != std::string::npos || name.starts_with('.')))
        refuse(fmt::format("makes the geometry a folder, and \"{}\" cannot be one", name),
               "choose another layout, or name the geometry with --geometry");
  }

  void check_phi() const {
    if (may_drop(Droppable::kPhi) || options_.layout != Layout::kMlFastSim) return;
    for (const Conditions& condition : conditions_)
      if (condition.phi_rad != 0)
        lose(
            Droppable::kPhi,
            fmt::format("does not hold phi of the incident particle, and there is {} rad", condition.phi_rad),
            "par04, calochallenge or calopipe");
  }

  void check_energies() const {
    for (const Conditions& condition : conditions_) {
      const double whole = std::round(condition.incident_energy_mev / 1000.0);
      if (!(whole >= 1) || static_cast<float>(whole * 1000) != condition.incident_energy_mev)
        refuse(fmt::format("names its datasets by whole GeV, and there is {} GeV",
                           energy_gev(condition.incident_energy_mev)),
               "choose the layout par04, calochallenge or calopipe");
    }
  }

  void check_short_angles() const {
    std::set<float> angles;
    for (const Conditions& condition : conditions_) {
      if (may_drop(Droppable::kAngle)) break;
      if (!(condition.theta_rad >= 0) || degrees(condition.theta_rad) > 180.00001)
        refuse(fmt::format("names its files by angles from 0 to 180 degrees, and there is {}",
                           degrees(condition.theta_rad)),
               "choose the layout par04, calochallenge or calopipe");
      if (!has_short_angle(condition.theta_rad))
        lose(Droppable::kAngle,
             fmt::format("has a file for each angle, named to 0.0001 degrees, and there is {} degrees",
                         degrees(condition.theta_rad)),
             "par04, calochallenge or calopipe");
      angles.insert(condition.theta_rad);
    }
    if (one_file_ && angles.size() > 1)
      lose(Droppable::kAngle, fmt::format("holds one angle a file, and there are {}", angles.size()),
           "mlfastsim with a folder, par04, calochallenge or calopipe");
  }

  void check_times() const {
    if (may_drop(Droppable::kTime) || options_.layout != Layout::kMlFastSim) return;
    struct Times {
      std::size_t showers = 0;
      bool known = false;
    };
    std::map<std::tuple<std::uint16_t, float, float>, Times> datasets;
    for (const Conditions& c : conditions_) {
      Times& times = datasets[{c.geometry, c.theta_rad, c.incident_energy_mev}];
      ++times.showers;
      times.known = times.known || !std::isnan(c.sim_time_s);
    }
    for (const auto& [key, times] : datasets)
      if (times.known && times.showers > kMostTimesInMlFastSim)
        lose(
            Droppable::kTime,
            fmt::format("holds the times (sim_time_s) of {} showers of an energy, and there are {} of {} GeV",
                        kMostTimesInMlFastSim, times.showers, energy_gev(std::get<2>(key))),
            "par04, calochallenge or calopipe");
  }

  const DatasetInfo& info_;
  const std::vector<Conditions>& conditions_;
  const ConvertShowersOptions& options_;
  bool one_file_;
};

bool is_inside(const fs::path& path, const fs::path& folder) {
  const fs::path relative = fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(folder));
  return !relative.empty() && *relative.begin() != "..";
}

// A file that is read would be replaced; and showers beside those they were made of would be read twice the
// next time.
void check_place(const DatasetInfo& info, const fs::path& out) {
  if (fs::is_directory(info.path) && is_inside(out, info.path))
    throw core::UsageError({.message = fmt::format("lies in {}, which is read", info.path.string()),
                            .file = out,
                            .field = "out",
                            .hint = "give another place"});
  for (const fs::path& file : info.files) {
    std::error_code error;
    if (fs::equivalent(file, out, error) || is_inside(file, out))
      throw core::UsageError({.message = fmt::format("would replace {}, which is read", file.string()),
                              .file = out,
                              .field = "out",
                              .hint = "give another place"});
  }
}

// Attributes in which all files agree.
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
    if (kept.erase(name) > 0) spdlog::warn("not all files have the same attribute {}: it is left out", name);
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

std::int64_t convert_showers(ShowerReader& reader, const ConvertShowersOptions& options, const fs::path& out,
                             core::ThreadPool& pool) {
  const DatasetInfo& info = reader.info();
  check_place(info, out);
  Checker(reader, options, is_one_file(out, options.layout)).check();
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
                                            .attributes = attributes_of(info)},
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
