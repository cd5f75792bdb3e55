#include "calo/validate/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace calo {
namespace {

// Shares below look alike: a tail that reaches down to single keV says little of a shower.
constexpr double kSmallestShare = 1e-5;
constexpr double kContained = 0.9;
constexpr int kRingsOfLayeredMesh = 20;

Moments moments(const std::vector<double>& energies, double total, double size_mm) {
  Moments result;
  for (std::size_t k = 0; k < energies.size(); ++k)
    result.first += energies[k] * static_cast<double>(k) * size_mm;
  result.first /= total;
  for (std::size_t k = 0; k < energies.size(); ++k) {
    const double distance = static_cast<double>(k) * size_mm - result.first;
    result.second += energies[k] * distance * distance;
  }
  result.second /= total;
  return result;
}

// Distance from 0 within which a share of the energy lies.
double containment(const std::vector<double>& energies, double total, double size_mm) {
  const double wanted = kContained * total;
  double sum = 0;
  for (std::size_t k = 0; k < energies.size(); ++k) {
    if (sum + energies[k] >= wanted && energies[k] > 0)
      return (static_cast<double>(k) + (wanted - sum) / energies[k]) * size_mm;
    sum += energies[k];
  }
  return static_cast<double>(energies.size()) * size_mm;
}

double largest_radius(const VoxelMesh& mesh) {
  double result = 0;
  for (int layer = 0; layer < mesh.num_layers(); ++layer)
    if (mesh.layer(layer).n_r() > 0) result = std::max(result, mesh.layer(layer).r_edges_mm.back());
  return result;
}

// Mixes a number into a hash (the multiplier is that of splitmix64).
std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0xBF58476D1CE4E5B9ull;
  return hash ^ (hash >> 29);
}

// What is left of rounding is no width: a layer with one cell has none.
double width(double square_sum, double center, double energy) {
  constexpr double kRounding = 1e-12;
  const double square = square_sum / energy, variance = square - center * center;
  return variance > kRounding * square ? std::sqrt(variance) : 0;
}

// cos and sin of right angles are 0, not what is left of rounding: else a layer whose one cell lies there
// would have a centre of 1e-16 mm, and all other centres would be large beside it.
double snapped(double mm) {
  return std::abs(mm) < 1e-9 ? 0 : mm;
}

bool is_divided_in_alpha(const VoxelMesh& mesh, int layer) {
  return mesh.layer(layer).n_phi > 1 && mesh.layer(layer).n_r() > 0;
}

// A column of high_level_table() before those of the layers.
struct HighLevelColumn {
  const char* name;
  double (*value)(const ShowerFeatures& shower, double num_cells);
};
constexpr HighLevelColumn kHighLevelColumns[] = {
    {"log10_incident_energy",
     [](const ShowerFeatures& s, double) { return std::log10(s.incident_energy_mev / 1000); }},
    {"response", [](const ShowerFeatures& s, double) { return s.total_mev / s.incident_energy_mev; }},
    {"longitudinal_first_moment", [](const ShowerFeatures& s, double) { return s.longitudinal.first; }},
    {"longitudinal_second_moment", [](const ShowerFeatures& s, double) { return s.longitudinal.second; }},
    {"lateral_first_moment", [](const ShowerFeatures& s, double) { return s.lateral.first; }},
    {"lateral_second_moment", [](const ShowerFeatures& s, double) { return s.lateral.second; }},
    {"sparsity",
     [](const ShowerFeatures& s, double num_cells) { return 1 - static_cast<double>(s.cells) / num_cells; }},
};

// Columns of calochallenge_table(), one for each layer that is divided in alpha.
struct ShapeColumns {
  const char* name;
  double LayerShape::*member;
};
constexpr ShapeColumns kShapeColumns[] = {{"center_eta", &LayerShape::center_eta},
                                          {"center_phi", &LayerShape::center_phi},
                                          {"width_eta", &LayerShape::width_eta},
                                          {"width_phi", &LayerShape::width_phi}};

}  // namespace

MeshAxes::MeshAxes(const VoxelMesh& mesh) : layers(mesh.num_layers()), is_cylinder(mesh.is_cylinder()) {
  if (is_cylinder) {
    const VoxelMesh::Cylinder& c = mesh.cylinder();
    rings = c.n_r;
    sectors = c.n_phi;
    layer_mm = c.size_z_mm;
    ring_mm = c.size_r_mm;
  } else {
    rings = kRingsOfLayeredMesh;
    has_depth = mesh.size_z_mm() > 0;
    layer_mm = has_depth ? mesh.size_z_mm() : 1;
    ring_mm = largest_radius(mesh) / kRingsOfLayeredMesh;
  }
  for (int layer = 0; layer < layers; ++layer) {
    const LayerBinning& binning = mesh.layer(layer);
    has_cells.push_back(binning.num_cells() > 0);
    has_sectors.push_back(is_divided_in_alpha(mesh, layer));
    radius_mm.push_back(binning.num_cells() > 0 ? binning.r_edges_mm.back() : 0);
  }
}

std::size_t MeshAxes::layers_with_cells() const {
  return static_cast<std::size_t>(std::count(has_cells.begin(), has_cells.end(), true));
}

FeatureExtractor::FeatureExtractor(const VoxelMesh& mesh, double threshold_mev)
    : axes_(mesh), threshold_mev_(threshold_mev) {
  cells_.reserve(static_cast<std::size_t>(mesh.num_cells()));
  std::vector<std::uint32_t> first_annulus;  // of each layer
  if (!axes_.is_cylinder) {
    for (int layer = 0; layer < mesh.num_layers(); ++layer) {
      const std::vector<double>& edges = mesh.layer(layer).r_edges_mm;
      first_annulus.push_back(static_cast<std::uint32_t>(annuli_.size()));
      if (!axes_.has_cells[static_cast<std::size_t>(layer)]) continue;
      for (std::size_t i = 0; i + 1 < edges.size(); ++i) annuli_.push_back({edges[i], edges[i + 1], 0});
      edges_mm_.insert(edges_mm_.end(), edges.begin(), edges.end());
    }
    std::sort(edges_mm_.begin(), edges_mm_.end());
    edges_mm_.erase(std::unique(edges_mm_.begin(), edges_mm_.end()), edges_mm_.end());
  }
  for (std::int64_t cell = 0; cell < mesh.num_cells(); ++cell) {
    const CellPosition position = mesh.position(static_cast<std::uint32_t>(cell));
    const LayerBinning& binning = mesh.layer(position.layer);
    const auto edge = binning.r_edges_mm.begin() + position.r;
    const double r = (edge[0] + edge[1]) / 2;
    const double alpha = -std::numbers::pi + (position.phi + 0.5) * 2 * std::numbers::pi / binning.n_phi;
    const bool divided = is_divided_in_alpha(mesh, position.layer);
    const int ring =
        axes_.is_cylinder ? position.r : std::min(axes_.rings - 1, static_cast<int>(r / axes_.ring_mm));
    cells_.push_back({.eta = static_cast<float>(divided ? snapped(r * std::cos(alpha)) : 0),
                      .phi = static_cast<float>(divided ? snapped(r * std::sin(alpha)) : 0),
                      .r = static_cast<float>(r),
                      .layer = static_cast<std::uint16_t>(position.layer),
                      .ring = static_cast<std::uint16_t>(ring),
                      .sector = static_cast<std::uint16_t>(axes_.is_cylinder ? position.phi : 0),
                      .annulus = axes_.is_cylinder ? 0
                                                   : first_annulus[static_cast<std::size_t>(position.layer)] +
                                                         static_cast<std::uint32_t>(position.r)});
  }
  for (int layer = 0; layer < axes_.layers; ++layer) layer_cells_.push_back(mesh.layer(layer).num_cells());
  sums_.resize(layer_cells_.size());
}

// Radius within which a share of the energy lies, each cell's spread evenly between its radii.
double FeatureExtractor::radius_of_share(double share) const {
  const auto inside = [&](double radius) {
    double sum = 0;
    for (const Annulus& a : annuli_)
      sum += a.energy * std::clamp((radius - a.inner_mm) / (a.outer_mm - a.inner_mm), 0.0, 1.0);
    return sum;
  };
  const double wanted = share * inside(edges_mm_.back());
  double low = edges_mm_.front(), low_sum = 0;
  for (const double edge : edges_mm_) {
    const double sum = inside(edge);
    if (sum >= wanted && sum > low_sum) return low + (wanted - low_sum) / (sum - low_sum) * (edge - low);
    low = edge;
    low_sum = sum;
  }
  return edges_mm_.back();
}

const ShowerFeatures& FeatureExtractor::extract(const Showers& showers, std::size_t shower) {
  ShowerFeatures& out = features_;
  const Conditions& condition = showers.conditions[shower];
  out.incident_energy_mev = condition.incident_energy_mev;
  out.ring_mev.assign(static_cast<std::size_t>(axes_.rings), 0.0);
  // A layered mesh has one sector that is thrown away.
  out.sector_mev.assign(static_cast<std::size_t>(std::max(1, axes_.sectors)), 0.0);
  std::fill(sums_.begin(), sums_.end(), LayerSums{});
  for (Annulus& annulus : annuli_) annulus.energy = 0;
  out.hottest_cell_mev = out.log_sum = 0;
  out.cell_counts.fill(0);
  std::uint64_t hash = mixed(std::bit_cast<std::uint32_t>(condition.incident_energy_mev),
                             std::bit_cast<std::uint32_t>(condition.theta_rad));
  const auto cells = showers.cells_of(shower);
  const auto energies = showers.energies_of(shower);
  double count = 0;
  for (std::size_t hit = 0; hit < cells.size(); ++hit) {
    const float value = energies[hit];
    const double energy = value;
    hash = mixed(hash, std::uint64_t{cells[hit]} << 32 | std::bit_cast<std::uint32_t>(value));
    if (!counts(energy)) continue;
    const Cell& cell = cells_[cells[hit]];
    LayerSums& sums = sums_[cell.layer];
    const double eta = cell.eta * energy, phi = cell.phi * energy, r = cell.r * energy;
    sums.energy += energy;
    sums.eta += eta;
    sums.eta2 += eta * cell.eta;
    sums.phi += phi;
    sums.phi2 += phi * cell.phi;
    sums.r += r;
    sums.r2 += r * cell.r;
    sums.cells += 1;
    out.ring_mev[cell.ring] += energy;
    if (!annuli_.empty()) annuli_[cell.annulus].energy += energy;
    out.sector_mev[cell.sector] += energy;
    out.hottest_cell_mev = std::max(out.hottest_cell_mev, energy);
    const float logarithm = std::log10(value);
    out.log_sum += logarithm;
    const double place = (logarithm - kCellLow) / (kCellHigh - kCellLow) * kCellBins;
    out.cell_counts[static_cast<std::size_t>(std::clamp(place, 0.0, kCellBins - 0.5))] += 1;
    count += 1;
  }
  out.fingerprint = hash;
  out.cells = static_cast<std::int64_t>(count);
  if (axes_.sectors == 0) out.sector_mev.clear();
  out.layer_mev.resize(sums_.size());
  out.layers.resize(sums_.size());
  out.total_mev = 0;
  for (std::size_t layer = 0; layer < sums_.size(); ++layer) {
    const LayerSums& sums = sums_[layer];
    out.total_mev += out.layer_mev[layer] = sums.energy;
    LayerShape& shape = out.layers[layer] = {};
    if (layer_cells_[layer] > 0) shape.sparsity = 1 - sums.cells / layer_cells_[layer];
    if (!(sums.energy > 0)) continue;
    shape.center_eta = sums.eta / sums.energy;
    shape.center_phi = sums.phi / sums.energy;
    shape.center_r = sums.r / sums.energy;
    shape.width_eta = width(sums.eta2, shape.center_eta, sums.energy);
    shape.width_phi = width(sums.phi2, shape.center_phi, sums.energy);
    shape.width_r = width(sums.r2, shape.center_r, sums.energy);
  }
  out.longitudinal = out.lateral = {};
  out.depth_90_mm = out.radius_90_mm = out.peak_depth_mm = 0;
  if (!out.is_empty()) {
    out.longitudinal = moments(out.layer_mev, out.total_mev, axes_.layer_mm);
    out.depth_90_mm = containment(out.layer_mev, out.total_mev, axes_.layer_mm);
    if (axes_.is_cylinder) {
      out.lateral = moments(out.ring_mev, out.total_mev, axes_.ring_mm);
      out.radius_90_mm = containment(out.ring_mev, out.total_mev, axes_.ring_mm);
    } else {  // rings differ, so positions are the cells' own
      double first = 0, second = 0;
      for (const LayerSums& sums : sums_) {
        first += sums.r / out.total_mev;
        second += sums.r2 / out.total_mev;
      }
      out.lateral = {.first = first, .second = std::max(0.0, second - first * first)};
      out.radius_90_mm = radius_of_share(kContained);
    }
    const auto peak = std::max_element(out.layer_mev.begin(), out.layer_mev.end());
    out.peak_depth_mm = static_cast<double>(peak - out.layer_mev.begin()) * axes_.layer_mm;
  }
  return out;
}

void FeatureTable::set_row(std::size_t i, const std::vector<double>& numbers) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  for (std::size_t k = 0; k < columns(); ++k)
    values[i * columns() + k] =
        static_cast<float>(std::isfinite(numbers[k]) ? std::clamp(numbers[k], -kLargest, kLargest) : 0.0);
}

FeatureTable FeatureTable::first(std::size_t rows) const {
  return {.names = names,
          .values = {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rows * columns())}};
}

FeatureTable high_level_table(const VoxelMesh& mesh) {
  FeatureTable table;
  for (const HighLevelColumn& column : kHighLevelColumns) table.names.emplace_back(column.name);
  for (int layer = 0; layer < mesh.num_layers(); ++layer)
    table.names.push_back(fmt::format("log10_share_of_layer_{}", layer));
  return table;
}

std::vector<double> high_level_row(const ShowerFeatures& features, std::int64_t num_cells) {
  std::vector<double> row;
  row.reserve(std::size(kHighLevelColumns) + features.layer_mev.size());
  for (const HighLevelColumn& column : kHighLevelColumns)
    row.push_back(column.value(features, static_cast<double>(num_cells)));
  for (const double energy : features.layer_mev)
    row.push_back(
        std::log10(std::max(kSmallestShare, features.is_empty() ? 0.0 : energy / features.total_mev)));
  return row;
}

FeatureTable calochallenge_table(const VoxelMesh& mesh) {
  FeatureTable table{.names = {"log10_incident_energy"}};
  for (int layer = 0; layer < mesh.num_layers(); ++layer)
    if (mesh.layer(layer).num_cells() > 0)
      table.names.push_back(fmt::format("log10_energy_of_layer_{}", layer));
  for (const ShapeColumns& shape : kShapeColumns)
    for (int layer = 0; layer < mesh.num_layers(); ++layer)
      if (is_divided_in_alpha(mesh, layer))
        table.names.push_back(fmt::format("{}_of_layer_{}", shape.name, layer));
  return table;
}

std::vector<double> calochallenge_row(const ShowerFeatures& features, const VoxelMesh& mesh) {
  constexpr double kUnitMm = 100;
  std::vector<double> row{std::log10(features.incident_energy_mev)};
  for (int layer = 0; layer < mesh.num_layers(); ++layer)
    if (mesh.layer(layer).num_cells() > 0)
      row.push_back(std::log10(features.layer_mev[static_cast<std::size_t>(layer)] + 1e-8));
  for (const ShapeColumns& shape : kShapeColumns)
    for (int layer = 0; layer < mesh.num_layers(); ++layer)
      if (is_divided_in_alpha(mesh, layer))
        row.push_back(features.layers[static_cast<std::size_t>(layer)].*shape.member / kUnitMm);
  return row;
}

}  // namespace calo
