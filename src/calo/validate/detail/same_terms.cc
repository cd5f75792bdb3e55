#include "calo/validate/detail/same_terms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <set>

#include "core/error.h"

namespace calo {
namespace {

constexpr const char* kUnknown = "unknown";  // what a reader calls the geometry of a file that names none

// Passes on what another reader reads, under another mesh or other names.
class RenamedReader final : public ShowerReader {
 public:
  RenamedReader(ShowerReader& reader, DatasetInfo info) : reader_(reader), info_(std::move(info)) {}

  const DatasetInfo& info() const override { return info_; }
  const std::vector<Conditions>& conditions() const override { return reader_.conditions(); }
  Showers read(std::int64_t begin, std::int64_t count) override {
    Showers showers = reader_.read(begin, count);
    showers.geometries = info_.geometries;
    return showers;
  }

 private:
  ShowerReader& reader_;
  DatasetInfo info_;
};

// Geometries that showers have, under the names of `info`.
std::set<std::string> geometries_of(const ShowerReader& reader, const DatasetInfo& info) {
  std::set<std::string> names;
  for (const Conditions& condition : reader.conditions())
    names.insert(info.geometries.at(condition.geometry));
  return names;
}

void rename(DatasetInfo& info, const std::string& from, const std::string& to) {
  if (from == to) return;
  for (std::string& name : info.geometries)
    if (name == from) name = to;
  auto own = info.geometry_meshes.extract(from);
  if (own.empty()) return;
  own.key() = to;
  const auto result = info.geometry_meshes.insert(std::move(own));
  if (!result.inserted && !result.node.mapped().is_alike(result.position->second))
    throw core::InputError(
        {.message = fmt::format("has showers of {} with {}, and of {} with {}", from,
                                result.node.mapped().to_string(), to, result.position->second.to_string()),
         .file = info.files.front(),
         .field = "geometry",
         .hint = "cells of one geometry have one size"});
}

void name_by_user(const ShowerReader& reader, DatasetInfo& info, const std::string& geometry) {
  const std::set<std::string> names = geometries_of(reader, info);
  if (names.size() == 1 && *names.begin() != kUnknown && *names.begin() != geometry)
    spdlog::warn("{} names its geometry {}, and is taken for {}", info.files.front().string(), *names.begin(),
                 geometry);
  for (const std::string& name : std::set<std::string>(info.geometries.begin(), info.geometries.end()))
    if (name == kUnknown || names.size() == 1) rename(info, name, geometry);
}

void take_name(DatasetInfo& info, const std::string& to, const DatasetInfo& other) {
  rename(info, kUnknown, to);
  spdlog::info("{} does not name its geometry: taken for {}, as {}", info.files.front().string(), to,
               other.files.front().string());
}

// `unnamed` has "unknown" alone.
void name_as(DatasetInfo& unnamed, const DatasetInfo& other, const std::set<std::string>& names) {
  if (names.contains(kUnknown)) return;
  if (names.size() == 1) return take_name(unnamed, *names.begin(), other);
  throw core::InputError({.message = fmt::format("does not name its geometry, and {} has several: {}",
                                                 other.files.front().string(), fmt::join(names, ", ")),
                          .file = unnamed.files.front(),
                          .field = "geometry",
                          .hint = "name it with --geometry"});
}

[[noreturn]] void fail_meshes(const DatasetInfo& full, const VoxelMesh& full_mesh, const DatasetInfo& fast,
                              const VoxelMesh& fast_mesh) {
  throw core::InputError(
      {.message = fmt::format("has the mesh {}, and {} has {}", fast_mesh.to_string(),
                              full.files.front().string(), full_mesh.to_string()),
       .file = fast.files.front(),
       .hint = full_mesh.num_cells() == fast_mesh.num_cells()
                   ? "compare showers of one mesh; --binning gives that of files that do not say theirs"
                   : "compare showers of one mesh"});
}

}  // namespace

SameTerms::SameTerms(ShowerReader& full, ShowerReader& fast, const std::string& geometry) {
  DatasetInfo full_info = full.info(), fast_info = fast.info();
  const auto &full_file = full_info.files.front(), &fast_file = fast_info.files.front();
  const bool has_meshes = !full_info.geometry_meshes.empty() || !fast_info.geometry_meshes.empty();
  if (has_meshes ? !full_info.mesh.has_cells_of(fast_info.mesh) : !full_info.mesh.is_alike(fast_info.mesh))
    fail_meshes(full_info, full_info.mesh, fast_info, fast_info.mesh);
  if (!geometry.empty()) {
    name_by_user(full, full_info, geometry);
    name_by_user(fast, fast_info, geometry);
  }
  const std::set<std::string> full_names = geometries_of(full, full_info),
                              fast_names = geometries_of(fast, fast_info);
  const auto is_unnamed = [](const std::set<std::string>& names) {
    return names.size() == 1 && names.contains(kUnknown);
  };
  if (is_unnamed(fast_names))
    name_as(fast_info, full_info, full_names);
  else if (is_unnamed(full_names))
    name_as(full_info, fast_info, fast_names);
  else if (full_names.size() == 1 && fast_names.size() == 1 && full_names != fast_names)
    throw core::InputError({.message = fmt::format("is of the geometry {}, and {} of {}", *fast_names.begin(),
                                                   full_file.string(), *full_names.begin()),
                            .file = fast_file,
                            .field = "geometry",
                            .hint = "compare showers of one geometry"});
  GeometryMeshes meshes;
  const std::set<std::string> compared = geometries_of(full, full_info);  // under the names given above
  for (const std::string& name : geometries_of(fast, fast_info)) {
    const VoxelMesh& own = fast_info.mesh_of(name);
    if (!compared.contains(name)) {
      meshes.emplace(name, own);
      continue;
    }
    const VoxelMesh& common = full_info.mesh_of(name);
    if (!common.is_alike(own)) fail_meshes(full_info, common, fast_info, own);
    meshes.emplace(name, common);
  }
  fast_info.mesh = full_info.mesh;
  fast_info.geometry_meshes = has_meshes ? std::move(meshes) : GeometryMeshes();
  full_ = std::make_unique<RenamedReader>(full, std::move(full_info));
  fast_ = std::make_unique<RenamedReader>(fast, std::move(fast_info));
}

}  // namespace calo
