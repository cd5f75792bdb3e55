#include "calo/geometry/voxel_mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/json_reader.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxCells = std::int64_t{1} << 31;

LayerBinning cylinder_layer(const VoxelMesh::Cylinder& cylinder) {
  LayerBinning layer{.n_phi = cylinder.n_phi};
  for (int i = 0; i <= cylinder.n_r; ++i) layer.r_edges_mm.push_back(i * cylinder.size_r_mm);
  return layer;
}

void require_positive(const char* field, double value) {
  if (!(value > 0) || !std::isfinite(value))
    throw core::UsageError({.message = fmt::format("must be above 0, not {}", value), .field = field});
}

}  // namespace

VoxelMesh::VoxelMesh(const Cylinder& cylinder) : cylinder_(cylinder), size_z_mm_(cylinder.size_z_mm) {
  require_positive("n_r", cylinder.n_r);
  require_positive("n_phi", cylinder.n_phi);
  require_positive("n_z", cylinder.n_z);
  require_positive("size_r_mm", cylinder.size_r_mm);
  require_positive("size_z_mm", cylinder.size_z_mm);
  const double cells = static_cast<double>(cylinder.n_r) * cylinder.n_phi * cylinder.n_z;
  if (cells >= static_cast<double>(kMaxCells))
    throw core::UsageError(
        {.message = fmt::format("the mesh has {} cells, more than 2^31", cells), .field = "mesh"});
  num_cells_ = static_cast<std::int64_t>(cells);
  layers_ = {cylinder_layer(cylinder)};
}

VoxelMesh::VoxelMesh(std::vector<LayerBinning> layers, double size_z_mm)
    : is_cylinder_(false), layers_(std::move(layers)), size_z_mm_(size_z_mm) {
  layer_begin_.push_back(0);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const LayerBinning& layer = layers_[i];
    const std::string place = fmt::format("layer {}", i);
    for (const double edge : layer.r_edges_mm)
      if (!std::isfinite(edge) || edge < 0)
        throw core::InputError({.message = fmt::format("{} is not a radius", edge), .field = place});
    if (!std::is_sorted(layer.r_edges_mm.begin(), layer.r_edges_mm.end(), std::less_equal<>()))
      throw core::InputError({.message = "the edges in r do not ascend", .field = place});
    if (layer.n_r() > 0 && layer.n_phi < 1)
      throw core::InputError({.message = "the number of cells in phi must be 1 or more", .field = place});
    num_cells_ += std::int64_t{layer.n_r()} * std::max(0, layer.n_phi);
    if (num_cells_ >= kMaxCells)
      throw core::InputError({.message = "has more than 2^31 cells", .field = "mesh"});
    layer_begin_.push_back(static_cast<std::uint32_t>(num_cells_));
  }
  if (num_cells_ == 0) throw core::InputError({.message = "has no cells", .field = "mesh"});
}

const VoxelMesh::Cylinder& VoxelMesh::cylinder() const {
  if (!is_cylinder_)
    throw core::InputError({.message = "must be a regular mesh, but its layers differ", .field = "mesh"});
  return cylinder_;
}

int VoxelMesh::max_n_r() const {
  int result = 0;
  for (const LayerBinning& layer : layers_) result = std::max(result, layer.n_r());
  return result;
}

std::uint32_t VoxelMesh::cell(int layer, int phi, int r) const {
  if (is_cylinder_) return static_cast<std::uint32_t>((r * cylinder_.n_phi + phi) * cylinder_.n_z + layer);
  const auto index = static_cast<std::size_t>(layer);
  return layer_begin_[index] + static_cast<std::uint32_t>(phi * layers_[index].n_r() + r);
}

CellPosition VoxelMesh::position(std::uint32_t cell) const {
  if (is_cylinder_) {
    const int index = static_cast<int>(cell);
    const int column = index / cylinder_.n_z;
    return {.layer = index % cylinder_.n_z, .phi = column % cylinder_.n_phi, .r = column / cylinder_.n_phi};
  }
  const auto after = std::upper_bound(layer_begin_.begin(), layer_begin_.end(), cell);
  const auto layer = static_cast<std::size_t>(after - layer_begin_.begin() - 1);
  const int place = static_cast<int>(cell - layer_begin_[layer]);
  const int n_r = std::max(1, layers_[layer].n_r());  // a layer without rings has no cells
  return {.layer = static_cast<int>(layer), .phi = place / n_r, .r = place % n_r};
}

std::string VoxelMesh::to_string() const {
  if (is_cylinder_)
    return fmt::format("{} x {} x {} cells (r, phi, z) of {:.6g} x {:.6g} mm", cylinder_.n_r, cylinder_.n_phi,
                       cylinder_.n_z, cylinder_.size_r_mm, cylinder_.size_z_mm);
  return fmt::format("{} layers, {} cells", layers_.size(), num_cells_);
}

json VoxelMesh::to_json() const {
  json object;
  if (is_cylinder_)
    object = core::JsonWriter::written(cylinder_);
  else
    object = {{"layers", core::JsonWriter::written(layers_)}, {"size_z_mm", size_z_mm_}};
  object["kind"] = is_cylinder_ ? "cylinder" : "layered";
  return object;
}

void VoxelMesh::read(const json& object, core::JsonPlace& place) {
  core::JsonFields fields(object, place);
  std::string kind;
  fields("kind", kind, {.choices = {"cylinder", "layered"}, .required = true});
  Cylinder cylinder;
  std::vector<LayerBinning> layers;
  double size_z_mm = 0;
  if (kind == "cylinder") {
    cylinder.describe(fields);
  } else {
    fields("layers", layers, {.required = true});
    fields("size_z_mm", size_z_mm, {.required = true});
  }
  fields.done();
  *this = place.checked(
      [&] { return kind == "cylinder" ? VoxelMesh(cylinder) : VoxelMesh(std::move(layers), size_z_mm); });
}

VoxelMesh VoxelMesh::from_json(const json& object) {
  core::JsonPlace place({}, "mesh");
  VoxelMesh mesh;
  mesh.read(object, place);
  return mesh;
}

bool VoxelMesh::operator==(const VoxelMesh& other) const {
  if (is_cylinder_ != other.is_cylinder_) return false;
  return is_cylinder_ ? cylinder_ == other.cylinder_
                      : layers_ == other.layers_ && size_z_mm_ == other.size_z_mm_;
}

bool VoxelMesh::has_cells_of(const VoxelMesh& other) const {
  if (is_cylinder_ != other.is_cylinder_) return false;
  if (is_cylinder_)
    return cylinder_.n_r == other.cylinder_.n_r && cylinder_.n_phi == other.cylinder_.n_phi &&
           cylinder_.n_z == other.cylinder_.n_z;
  const auto n_r = [](const VoxelMesh& mesh, std::size_t i) {
    return i < mesh.layers_.size() ? mesh.layers_[i].n_r() : 0;
  };
  for (std::size_t i = 0; i < std::max(layers_.size(), other.layers_.size()); ++i) {
    if (n_r(*this, i) != n_r(other, i)) return false;
    if (n_r(*this, i) > 0 && layers_[i].n_phi != other.layers_[i].n_phi) return false;
  }
  return true;
}

bool VoxelMesh::is_alike(const VoxelMesh& other) const {
  const auto close = [](double a, double b) {
    return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b));
  };
  if (!has_cells_of(other)) return false;
  if (size_z_mm() > 0 && other.size_z_mm() > 0 && !close(size_z_mm(), other.size_z_mm())) return false;
  if (is_cylinder_) return close(cylinder_.size_r_mm, other.cylinder_.size_r_mm);
  for (std::size_t i = 0; i < std::min(layers_.size(), other.layers_.size()); ++i) {
    if (layers_[i].n_r() == 0) continue;
    const auto& edges = layers_[i].r_edges_mm;
    if (!std::equal(edges.begin(), edges.end(), other.layers_[i].r_edges_mm.begin(), close)) return false;
  }
  return true;
}

VoxelMesh named_mesh(const std::string& name) {
  if (name == "SiW") return VoxelMesh();
  if (name == "SciPb") return VoxelMesh(VoxelMesh::Cylinder{.size_r_mm = 4.0, .size_z_mm = 5.6});
  if (name == "SiW-lowgran") return VoxelMesh(VoxelMesh::Cylinder{.n_r = 9, .n_phi = 16, .size_r_mm = 4.65});
  throw core::UsageError({.message = fmt::format("\"{}\" is not a known mesh", name),
                          .field = "mesh",
                          .hint = "known: SiW, SciPb, SiW-lowgran"});
}

}  // namespace calo
