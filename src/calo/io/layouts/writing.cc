#include "calo/io/layouts/writing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <variant>

#include "core/error.h"

namespace calo::layouts {
namespace {

constexpr hsize_t kColumnChunk = 65536;

}  // namespace

std::vector<hsize_t> cube(const VoxelMesh& mesh) {
  if (!mesh.is_cylinder())
    throw core::UsageError(
        {.message = fmt::format("can only store regular meshes [r, phi, z], but the showers have {}",
                                mesh.to_string()),
         .field = "layout",
         .hint = "choose the layout calochallenge or calopipe"});
  const VoxelMesh::Cylinder& c = mesh.cylinder();
  return {static_cast<hsize_t>(c.n_r), static_cast<hsize_t>(c.n_phi), static_cast<hsize_t>(c.n_z)};
}

ChunkStream::Options dense_options(const WriteOptions& options, std::vector<hsize_t> row_shape) {
  const auto row_bytes = static_cast<hsize_t>(options.mesh.num_cells()) * sizeof(float);
  const hsize_t rows = options.showers_per_chunk > 0 ? static_cast<hsize_t>(options.showers_per_chunk)
                                                     : std::max<hsize_t>(1, (hsize_t{1} << 20) / row_bytes);
  return {.row_shape = std::move(row_shape), .rows_per_chunk = rows, .compression = options.compression};
}

ChunkStream::Options column_options(hid_t type, int compression, std::vector<hsize_t> row_shape) {
  return {.type = type,
          .row_shape = std::move(row_shape),
          .rows_per_chunk = kColumnChunk,
          .compression = compression};
}

void write_column(hdf5::File& file, const std::string& name, const ChunkStream::Options& options,
                  std::span<const std::uint8_t> bytes, core::ThreadPool& pool) {
  ChunkStream stream(file, name, options, pool);
  stream.append(bytes);
  stream.finish();
}

void describe(hdf5::File& file, const WriteOptions& options, const std::string& geometry) {
  if (!options.provenance.is_null()) file.set_attribute("calopipe", options.provenance.dump());
  if (!geometry.empty()) file.set_attribute("geometry", geometry);
  file.set_attribute("mesh", options.mesh_of(geometry).to_json().dump());
  for (const auto& [name, value] : options.attributes)
    std::visit([&file, &key = name](const auto& content) { file.set_attribute(key, content); }, value);
}

bool any_known(const std::vector<float>& sim_time_s) {
  return std::any_of(sim_time_s.begin(), sim_time_s.end(), [](float time) { return !std::isnan(time); });
}

void OneGeometry::check(const Showers& showers, Layout layout) {
  for (const Conditions& condition : showers.conditions) {
    const std::string& name = showers.geometries.at(condition.geometry);
    if (!name_) name_ = name;
    if (*name_ != name)
      throw core::UsageError(
          {.message =
               fmt::format("the layout {} stores one geometry per file, but the showers have {} and {}",
                           to_string(layout), *name_, name),
           .field = "layout",
           .hint = "choose one geometry, or the layout mlfastsim or calopipe"});
  }
}

}  // namespace calo::layouts
