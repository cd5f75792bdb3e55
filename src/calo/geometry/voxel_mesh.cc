#include "calo/geometry/voxel_mesh.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <pugixml.hpp>

#include "core/error.h"

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

template <class T>
T json_field(const json& object, const char* name) {
  try {
    return object.at(name).get<T>();
  } catch (const json::exception&) {
    throw core::InputError(
        {.message = "is missing or of the wrong type", .field = fmt::format("mesh.{}", name)});
  }
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
    if (!std::is_sorted(layer.r_edges_mm.begin(), layer.r_edges_mm.end(), std::less_equal<>()))
      throw core::InputError({.message = "the edges in r do not ascend", .field = place});
    if (layer.n_r() > 0 && layer.n_phi < 1)
      throw core::InputError({.message = "the number of cells in phi must be 1 or more", .field = place});
    num_cells_ += layer.num_cells();
    if (num_cells_ >= kMaxCells)
      throw core::InputError({.message = "has more than 2^31 cells", .field = "mesh"});
    layer_begin_.push_back(static_cast<std::uint32_t>(num_cells_));
  }
  if (num_cells_ == 0) throw core::InputError({.message = "has no cells", .field = "mesh"});
}

VoxelMesh VoxelMesh::from_binning_xml(const std::filesystem::path& file, const std::string& particle) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_file(file.c_str());
  if (!parsed)
    throw core::InputError(
        {.message = fmt::format("is not a binning file: {}", parsed.description()), .file = file});
  std::vector<pugi::xml_node> bins;
  std::string names;
  for (const pugi::xml_node node : document.select_node("//Bins").node().children("Bin")) {
    names += (names.empty() ? "" : ", ") + std::string(node.attribute("name").value());
    if (particle.empty() || particle == node.attribute("name").value()) bins.push_back(node);
  }
  if (bins.size() != 1)
    throw core::InputError(
        {.message = bins.empty() ? "has no Bin element for this particle" : "has several Bin elements",
         .file = file,
         .field = particle,
         .hint = "particles in the file: " + names});
  std::vector<LayerBinning> layers;
  for (const pugi::xml_node node : bins[0].children("Layer")) {
    LayerBinning layer;
    const std::string place = fmt::format("Layer {}", layers.size());
    const std::string text = node.attribute("r_edges").value();
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      char* rest = nullptr;
      const std::string number = text.substr(begin, end - begin);
      layer.r_edges_mm.push_back(std::strtod(number.c_str(), &rest));
      if (rest == number.c_str() || !std::isfinite(layer.r_edges_mm.back()))
        throw core::InputError(
            {.message = "r_edges holds something that is no number", .file = file, .field = place});
      begin = end + 1;
    }
    layer.n_phi = node.attribute("n_bin_alpha").as_int(0);
    layers.push_back(std::move(layer));
  }
  const bool alike =
      !layers.empty() && std::all_of(layers.begin(), layers.end(),
                                     [&](const LayerBinning& layer) { return layer == layers[0]; });
  if (alike && layers[0].n_r() > 0 && layers[0].n_phi > 0 && layers[0].r_edges_mm[0] == 0) {
    const auto& edges = layers[0].r_edges_mm;
    const double step = edges.back() / layers[0].n_r();
    bool equal = true;
    for (std::size_t i = 0; i < edges.size(); ++i)
      equal = equal && std::abs(edges[i] - static_cast<double>(i) * step) < 1e-6 * edges.back();
    if (equal)
      return VoxelMesh(Cylinder{.n_r = layers[0].n_r(),
                                .n_phi = layers[0].n_phi,
                                .n_z = static_cast<int>(layers.size()),
                                .size_r_mm = step});
  }
  try {
    return VoxelMesh(std::move(layers));
  } catch (const core::InputError& error) {
    core::ErrorDetails details = error.details();
    details.file = file;
    throw core::InputError(details);
  }
}

const VoxelMesh::Cylinder& VoxelMesh::cylinder() const {
  if (!is_cylinder_)
    throw core::InputError(
        {.message = "needs a regular mesh, and this one's layers differ", .field = "mesh"});
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
    return fmt::format("{} x {} x {} cells (r, phi, z) of {} x {} mm", cylinder_.n_r, cylinder_.n_phi,
                       cylinder_.n_z, cylinder_.size_r_mm, cylinder_.size_z_mm);
  return fmt::format("{} layers, {} cells", layers_.size(), num_cells_);
}

json VoxelMesh::to_json() const {
  if (is_cylinder_)
    return {{"kind", "cylinder"},
            {"n_r", cylinder_.n_r},
            {"n_phi", cylinder_.n_phi},
            {"n_z", cylinder_.n_z},
            {"size_r_mm", cylinder_.size_r_mm},
            {"size_z_mm", cylinder_.size_z_mm}};
  json layers = json::array();
  for (const LayerBinning& layer : layers_)
    layers.push_back({{"r_edges_mm", layer.r_edges_mm}, {"n_phi", layer.n_phi}});
  return {{"kind", "layered"}, {"layers", layers}, {"size_z_mm", size_z_mm_}};
}

VoxelMesh VoxelMesh::from_json(const json& object) {
  const auto kind = json_field<std::string>(object, "kind");
  try {
    if (kind == "cylinder")
      return VoxelMesh(Cylinder{.n_r = json_field<int>(object, "n_r"),
                                .n_phi = json_field<int>(object, "n_phi"),
                                .n_z = json_field<int>(object, "n_z"),
                                .size_r_mm = json_field<double>(object, "size_r_mm"),
                                .size_z_mm = json_field<double>(object, "size_z_mm")});
    if (kind == "layered") {
      std::vector<LayerBinning> layers;
      for (const json& layer : json_field<json>(object, "layers"))
        layers.push_back({.r_edges_mm = json_field<std::vector<double>>(layer, "r_edges_mm"),
                          .n_phi = json_field<int>(layer, "n_phi")});
      return VoxelMesh(std::move(layers), json_field<double>(object, "size_z_mm"));
    }
  } catch (const core::UsageError& error) {
    throw core::InputError(error.details());
  }
  throw core::InputError({.message = fmt::format("\"{}\" is no kind of mesh", kind), .field = "mesh.kind"});
}

bool VoxelMesh::operator==(const VoxelMesh& other) const {
  if (is_cylinder_ != other.is_cylinder_) return false;
  return is_cylinder_ ? cylinder_ == other.cylinder_
                      : layers_ == other.layers_ && size_z_mm_ == other.size_z_mm_;
}

VoxelMesh named_mesh(const std::string& name) {
  if (name == "SiW") return VoxelMesh();
  if (name == "SciPb") return VoxelMesh(VoxelMesh::Cylinder{.size_r_mm = 4.0, .size_z_mm = 5.6});
  if (name == "SiW-lowgran") return VoxelMesh(VoxelMesh::Cylinder{.n_r = 9, .n_phi = 16, .size_r_mm = 4.65});
  throw core::UsageError({.message = fmt::format("\"{}\" is no known mesh", name),
                          .field = "mesh",
                          .hint = "known: SiW, SciPb, SiW-lowgran"});
}

}  // namespace calo
