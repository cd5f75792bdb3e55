#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "calo/io/layouts/detail/calopipe_writer.h"
#include "calo/io/layouts/shower_layout.h"
#include "core/json_file.h"

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
  if (version != 1 && version != kVersionWithMeshes)
    file.fail_reading("format_version",
                      fmt::format("is {}, but this program reads 1 and {}", version, kVersionWithMeshes));
  Content content;
  const VoxelMesh own = VoxelMesh::from_json(json_attribute(file, "mesh"));
  Rows rows{.dataset = "cells", .mesh = options.mesh_beside(own, file.path(), "cells")};
  GeometryMeshes meshes;
  if (version == kVersionWithMeshes)
    meshes = core::in_file(file.path(),
                           [&] { return meshes_from_json(json_attribute(file, "geometry_meshes"), own); });
  for (const auto& name : json_attribute(file, "geometries")) {
    if (!name.is_string()) file.fail_reading("geometries", "attribute is not a list of names");
    const auto in_file = name.get<std::string>();
    const bool is_renamed = in_file == "unknown" && !options.geometry.empty();
    content.geometries.push_back(is_renamed ? options.geometry : in_file);
    if (meshes.empty()) continue;
    const VoxelMesh mesh = options.mesh_beside(mesh_of(meshes, in_file, own), file.path(), "cells");
    const auto [first, is_new] = content.geometry_meshes.emplace(content.geometries.back(), mesh);
    if (!is_new && !first->second.is_alike(mesh))
      file.fail_reading("geometry_meshes", fmt::format("gives the geometry {} both {} and {}", first->first,
                                                       first->second.to_string(), mesh.to_string()));
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
                             .holds_several_geometries = [](const std::filesystem::path&) { return true; },
                             .create = create_calopipe};

}  // namespace calo::layouts
