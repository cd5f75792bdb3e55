#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "calo/io/layouts/detail/calopipe_writer.h"
#include "calo/io/layouts/shower_layout.h"

namespace calo::layouts {
namespace {

using hdf5::File;

bool matches(const File& file) {
  return file.text_attribute("format") == "calopipe";
}

nlohmann::json json_attribute(const File& file, const char* name) {
  const auto text = file.text_attribute(name);
  nlohmann::json json = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  if (!text || json.is_discarded()) file.fail_reading(name, "attribute is missing or is not JSON");
  return json;
}

Content open(const File& file, const ReadOptions& options) {
  const double version = file.number_attribute("format_version").value_or(0);
  if (version != 1)
    file.fail_reading("format_version", fmt::format("is {}, but this program reads 1", version));
  Content content;
  Rows rows{
      .dataset = "cells",
      .mesh = options.mesh_beside(VoxelMesh::from_json(json_attribute(file, "mesh")), file.path(), "cells")};
  for (const auto& name : json_attribute(file, "geometries")) {
    if (!name.is_string()) file.fail_reading("geometries", "attribute is not a list of names");
    content.geometries.push_back(name.get<std::string>());
    if (content.geometries.back() == "unknown" && !options.geometry.empty())
      content.geometries.back() = options.geometry;
  }
  const auto energy = file.read_floats("incident_energy");
  const auto theta = file.read_floats("incident_theta");
  const auto phi = file.read_floats("incident_phi");
  const auto geometry = file.read_integers("geometry");
  rows.offsets = file.read_integers("offsets");
  const std::size_t count = energy.size();
  const std::vector<float> time = file.has(kSimTime)
                                      ? file.read_floats(kSimTime)
                                      : std::vector<float>(count, std::numeric_limits<float>::quiet_NaN());
  if (time.size() != count || theta.size() != count || phi.size() != count || geometry.size() != count ||
      rows.offsets.size() != count + 1)
    file.fail_reading("offsets", "the columns have different lengths");
  file.require("cells", H5T_INTEGER);
  file.require("energies", H5T_FLOAT);
  const auto hits = file.shape("cells");
  if (hits.size() != 1 || file.shape("energies") != hits || rows.offsets.front() != 0 ||
      rows.offsets.back() != hits[0] || !std::is_sorted(rows.offsets.begin(), rows.offsets.end()))
    file.fail_reading("offsets", "does not match the cells");
  rows.conditions.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (geometry[i] >= content.geometries.size())
      file.fail_reading("geometry", "has an index outside the list of geometries");
    rows.conditions[i] = {.incident_energy_mev = energy[i],
                          .theta_rad = theta[i],
                          .phi_rad = phi[i],
                          .geometry = static_cast<std::uint16_t>(geometry[i]),
                          .sim_time_s = time[i]};
  }
  content.rows.push_back(std::move(rows));
  content.used = {"incident_energy", "incident_theta", "incident_phi", "geometry",
                  "offsets",         "cells",          "energies",     kSimTime};
  return content;
}

}  // namespace

const ShowerLayout kCalopipe{.layout = Layout::kCalopipe,
                             .matches = matches,
                             .open = open,
                             .check = [](const Wanted&) {},  // this layout can store all showers
                             .create = create_calopipe};

}  // namespace calo::layouts
