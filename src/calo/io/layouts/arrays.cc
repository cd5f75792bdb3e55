#include "calo/io/layouts/arrays.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numbers>

#include "calo/io/layouts/arrangement.h"

namespace calo::layouts {

using hdf5::File;

std::string geometry_of(const File& file, const ReadOptions& options, const std::string& name_says,
                        std::vector<Remark>& notes) {
  const std::string attribute = file.text_attribute("geometry").value_or("");
  const std::string& said = attribute.empty() ? name_says : attribute;
  if (!attribute.empty() && !name_says.empty() && attribute != name_says && options.geometry.empty())
    notes.push_back({.file = file.path(),
                     .text = fmt::format("its attribute geometry is {}, which is used, but its name says {}",
                                         attribute, name_says)});
  if (options.geometry.empty()) return said.empty() ? "unknown" : said;
  if (!said.empty() && said != options.geometry)
    notes.push_back({.file = file.path(),
                     .text = fmt::format("the given geometry, {}, is used instead of the file's, {}",
                                         options.geometry, said)});
  return options.geometry;
}

std::vector<float> read_column(const File& file, const std::string& name, std::size_t rows) {
  const std::vector<hsize_t> shape = file.shape(name);
  const bool one_each = !shape.empty() && shape[0] == rows &&
                        std::all_of(shape.begin() + 1, shape.end(), [](hsize_t n) { return n == 1; });
  if (!one_each)
    file.fail_reading(name, fmt::format("has the shape [{}] for {} showers: it must have one "
                                        "number for each",
                                        fmt::join(shape, ", "), rows));
  return file.read_floats(name);
}

Content open_arrays(const File& file, const ReadOptions& options, const ArrayNames& names) {
  Content content;
  const std::string geometry = geometry_of(file, options, "", content.notes);
  content.geometries.push_back(geometry);
  Arrangement arrangement = arrange(file, "showers", geometry, options, names.axes);
  for (const std::string& note : arrangement.notes)
    content.notes.push_back({.file = file.path(), .object = "showers", .text = note});
  Rows rows{.dataset = "showers",
            .mesh = arrangement.mesh,
            .dense = std::make_unique<DenseDataset>(file, "showers", std::move(arrangement.cell_of))};
  const auto count = static_cast<std::size_t>(rows.dense->rows());
  const auto column = [&](const std::string& name, float otherwise) {
    return file.has(name) ? read_column(file, name, count) : std::vector<float>(count, otherwise);
  };
  const std::vector<float> energy = read_column(file, names.energy, count);
  constexpr auto kPerpendicular = static_cast<float>(std::numbers::pi / 2);
  const std::vector<float> theta = column("incident_theta", kPerpendicular);
  const std::vector<float> phi = column("incident_phi", 0);
  const std::vector<float> time = column(kSimTime, std::numeric_limits<float>::quiet_NaN());
  rows.conditions.resize(count);
  for (std::size_t i = 0; i < count; ++i)
    rows.conditions[i] = {
        .incident_energy_mev = energy[i], .theta_rad = theta[i], .phi_rad = phi[i], .sim_time_s = time[i]};
  content.rows.push_back(std::move(rows));
  content.used = {"showers", names.energy, "incident_theta", "incident_phi", kSimTime};
  return content;
}

}  // namespace calo::layouts
