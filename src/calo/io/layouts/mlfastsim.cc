#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>

#include "calo/io/layouts/arrangement.h"
#include "calo/io/layouts/arrays.h"
#include "calo/io/layouts/detail/mlfastsim_names.h"
#include "calo/io/layouts/detail/mlfastsim_writer.h"
#include "calo/io/layouts/detail/objects.h"

namespace calo::layouts {
namespace {

using hdf5::File;

constexpr double kMevPerGev = 1000;

bool matches(const File& file) {
  const std::vector<std::string> names = file.names();
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return energy_gev_of(name).has_value(); });
}

double angle_of(const File& file, const std::optional<MlFastSimName>& name, const ReadOptions& options,
                std::vector<Remark>& notes) {
  const std::optional<double> attribute = file.number_attribute("angle_deg");
  const std::optional<double> said = name ? name->angle_deg : std::nullopt;
  if (!attribute && !said)
    throw core::InputError(
        {.message = "its name does not contain the angle" +
                    (name && !name->problem.empty() ? ": " + name->problem : std::string()),
         .file = file.path(),
         .hint = "name it <GEO>_angle_<deg>.h5, or give it the attribute angle_deg"});
  // The angle in a name may be rounded.
  if (attribute && said && !(std::abs(*attribute - *said) <= name->rounding_deg + 1e-6))
    refuse({.message = fmt::format("its name says {} degrees, but its attribute angle_deg says {}", *said,
                                   *attribute),
            .file = file.path(),
            .hint = "correct one of them"},
           options, notes);
  const double angle_deg = attribute ? *attribute : *said;
  if (!(angle_deg >= 0 && angle_deg <= 180))
    throw core::InputError(
        {.message = fmt::format("has the angle {}, which is not between 0 and 180 degrees", angle_deg),
         .file = file.path(),
         .hint = "name it <GEO>_angle_<deg>.h5"});
  return angle_deg;
}

// Rejects showers that would be lost because of their dataset's name, unless the user chose energies.
void check_the_rest(const File& file, const Content& content, const ReadOptions& options,
                    std::vector<Remark>& notes) {
  if (!options.energies_mev.empty()) return;
  std::vector<std::optional<ObjectId>> read;
  for (const Rows& rows : content.rows) {
    read.push_back(id_of(file, rows.dataset));
    // A virtual dataset may gather datasets of its own file.
    if (!virtual_sources(file, rows.dataset).empty()) return;
  }
  for (const Object& object : objects_beside(file, content.used)) {
    if (!object.looks_like_showers(static_cast<std::uint64_t>(content.rows[0].mesh.num_cells()))) continue;
    if (std::find(read.begin(), read.end(), id_of(file, object.name)) != read.end()) continue;
    refuse({.message =
                fmt::format("has the shape of {} showers, but its name is not an energy", object.shape[0]),
            .file = file.path(),
            .field = object.name,
            .hint = "they would be lost: name it by the energy in GeV (64, 64GeV), or choose energies"},
           options, notes);
  }
}

Content open(const File& file, const ReadOptions& options) {
  Content content;
  const auto name = parse_file_name(file.path());
  const double angle_deg = angle_of(file, name, options, content.notes);
  const std::string geometry = geometry_of(file, options, name ? name->geometry : "", content.notes);
  content.geometries.push_back(geometry);
  // Several names can have the same energy ("64" and "64.0").
  std::vector<std::pair<double, std::string>> energies;
  for (const std::string& dataset : file.names())
    if (const auto energy_gev = energy_gev_of(dataset)) energies.emplace_back(*energy_gev, dataset);
  std::sort(energies.begin(), energies.end());
  for (const auto& [energy_gev, dataset] : energies) {
    content.used.push_back(dataset);
    Arrangement arrangement = arrange(file, dataset, geometry, options, kRPhiZ);
    for (const std::string& note : arrangement.notes)
      content.notes.push_back({.file = file.path(), .object = dataset, .text = note});
    Rows rows{.dataset = dataset,
              .mesh = arrangement.mesh,
              .dense = std::make_unique<DenseDataset>(file, dataset, std::move(arrangement.cell_of))};
    const Conditions condition{.incident_energy_mev = static_cast<float>(energy_gev * kMevPerGev),
                               .theta_rad = static_cast<float>(angle_deg * std::numbers::pi / 180)};
    rows.conditions.assign(static_cast<std::size_t>(rows.dense->rows()), condition);
    const std::vector<float> times = file.attribute_floats(kSimTime, dataset);
    if (times.size() == rows.conditions.size()) {
      for (std::size_t i = 0; i < times.size(); ++i) rows.conditions[i].sim_time_s = times[i];
    } else if (!times.empty()) {
      content.notes.push_back(
          {.file = file.path(),
           .object = dataset,
           .text = fmt::format("its attribute {} has {} entries for {} showers: it is ignored", kSimTime,
                               times.size(), rows.conditions.size())});
    }
    content.rows.push_back(std::move(rows));
  }
  check_the_rest(file, content, options, content.notes);
  return content;
}

}  // namespace

const ShowerLayout kMlFastSim{
    .layout = Layout::kMlFastSim,
    .matches = matches,
    .open = open,
    .check = check_mlfastsim,
    .holds_several_geometries = [](const std::filesystem::path& path) { return !is_one_file(path); },
    .create = create_mlfastsim};

}  // namespace calo::layouts
