#include "calo/infer/cascade/nets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.h"

namespace calo::cascade {

PhiTree::PhiTree(int n_phi) {
  levels_.push_back({{.begin = 0, .end = n_phi, .first_child = 0, .is_split = n_phi > 1}});
  for (bool more = n_phi > 1; more;) {
    more = false;
    std::vector<Node> next;
    for (Node& node : levels_.back()) {
      node.first_child = static_cast<int>(next.size());
      const int middle = node.is_split ? node.begin + (node.end - node.begin) / 2 : node.end;
      const auto add = [&](int begin, int end) {
        next.push_back({.begin = begin, .end = end, .first_child = 0, .is_split = end - begin > 1});
        more = more || end - begin > 1;
      };
      add(node.begin, middle);
      if (node.is_split) add(middle, node.end);
    }
    levels_.push_back(std::move(next));
  }
}

CascadeMesh CascadeMesh::cylinder(int n_r, int n_phi, int n_z, double size_r_mm) {
  Segmentation all{.r_edges_mm = {}, .n_phi = n_phi};
  for (int edge = 0; edge <= n_r; ++edge) all.r_edges_mm.push_back(edge * size_r_mm);
  return {.segmentations = {std::move(all)},
          .of_layer = std::vector<std::size_t>(static_cast<std::size_t>(std::max(n_z, 0))),
          .is_cylinder = true};
}

CascadeMesh CascadeMesh::of_layers(const std::vector<Segmentation>& layers) {
  CascadeMesh mesh;
  for (const Segmentation& layer : layers) {
    const auto found = std::find(mesh.segmentations.begin(), mesh.segmentations.end(), layer);
    mesh.of_layer.push_back(static_cast<std::size_t>(found - mesh.segmentations.begin()));
    if (found == mesh.segmentations.end()) mesh.segmentations.push_back(layer);
  }
  return mesh;
}

int CascadeMesh::most_rings() const {
  int most = 0;
  for (const Segmentation& segmentation : segmentations) most = std::max(most, segmentation.n_r());
  return most;
}

std::int64_t CascadeMesh::rings_before(std::size_t segmentation) const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < segmentation; ++i) sum += segmentations[i].n_r();
  return sum;
}

std::int64_t CascadeMesh::num_cells() const {
  std::int64_t sum = 0;
  for (const std::size_t segmentation : of_layer)
    sum += static_cast<std::int64_t>(segmentations[segmentation].cells());
  return sum;
}

std::vector<std::uint32_t> CascadeMesh::cells_of(int layer) const {
  const Segmentation& own = this->layer(layer);
  std::size_t begin = 0;
  for (int before = 0; before < layer; ++before) begin += this->layer(before).cells();
  const auto n_r = static_cast<std::size_t>(own.n_r()), n_phi = static_cast<std::size_t>(own.n_phi);
  std::vector<std::uint32_t> cells;
  for (std::size_t r = 0; r < n_r; ++r)
    for (std::size_t phi = 0; phi < n_phi; ++phi)
      cells.push_back(static_cast<std::uint32_t>(is_cylinder ? (r * n_phi + phi) * of_layer.size() +
                                                                   static_cast<std::size_t>(layer)
                                                             : begin + phi * n_r + r));
  return cells;
}

namespace {

void check(const CascadeShape& shape) {
  const auto refuse = [](const char* message, const char* field) {
    throw core::InputError({.message = message, .field = field});
  };
  if (shape.width < 1 || shape.depth < 1 || shape.geometries < 0)
    refuse("a cascade needs networks with a width and a depth", "cascade");
  for (const Segmentation& segmentation : shape.mesh.segmentations) {
    if (segmentation.n_r() < 1 || segmentation.n_phi < 1) refuse("a layer of a cascade needs cells", "mesh");
    const std::vector<double>& edges = segmentation.r_edges_mm;
    const bool ascend = std::adjacent_find(edges.begin(), edges.end(), std::greater_equal<>()) == edges.end();
    if (!(edges.front() >= 0) || !std::isfinite(edges.back()) || !ascend)
      refuse("the radii of a cascade's rings must ascend from 0 or more", "mesh");
  }
  if (shape.mesh.n_z() < 2 || shape.mesh.most_rings() < 2)
    refuse("a cascade needs at least two layers, one of them with two rings", "mesh");
}

}  // namespace

std::vector<CascadeNet> cascade_nets(const CascadeShape& shape) {
  check(shape);
  const CascadeMesh& mesh = shape.mesh;
  const std::int64_t layers = mesh.n_z(), most_rings = mesh.most_rings(), rings = mesh.rings();
  // Angle and geometry, which every network sees beside the energy.
  const std::int64_t others = 1 + shape.geometries;
  constexpr std::int64_t kParametric = CascadeSizes::kNormals + 2 * CascadeSizes::kLogistics;
  constexpr std::int64_t kWithout = 3 + 3 * kParametric, kWithSpectra = kWithout + 2;
  const std::int64_t width = shape.width, depth = shape.depth;
  std::vector<CascadeNet> nets;
  nets.push_back({.name = "total",
                  .inputs = 3 + others,
                  .width = width,
                  .depth = depth,
                  .outputs = 3 * CascadeSizes::kTotalComponents});
  nets.push_back({.name = "layers",
                  .inputs = 2 * layers + 6 + others,
                  .width = width,
                  .depth = depth + 1,
                  .outputs = kWithout,
                  .positions = layers - 1});
  nets.push_back({.name = "rings",
                  .inputs = 6 * most_rings + 9 + others,
                  .width = width,
                  .depth = depth,
                  .outputs = kWithSpectra,
                  .layers = layers,
                  .positions = rings - static_cast<std::int64_t>(mesh.segmentations.size()),
                  .spectra = rings});
  std::vector<std::int64_t> positions;  // by level
  for (const Segmentation& segmentation : mesh.segmentations) {
    const PhiTree tree(segmentation.n_phi);
    const auto levels = static_cast<std::size_t>(tree.depth());
    if (positions.size() < levels) positions.resize(levels);
    for (std::size_t level = 0; level < levels; ++level)
      positions[level] += std::int64_t{segmentation.n_r()} * tree.nodes(static_cast<int>(level));
  }
  for (std::size_t level = 0; level < positions.size(); ++level)
    nets.push_back({.name = fmt::format("phi{}", level),
                    .inputs = 89 + others,
                    .width = width,
                    .depth = depth,
                    .outputs = kWithSpectra,
                    .layers = layers,
                    .positions = positions[level],
                    .spectra = rings});
  return nets;
}

std::map<std::string, std::vector<std::int64_t>> cascade_shapes(const CascadeShape& shape) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const CascadeNet& net : cascade_nets(shape)) {
    const auto dense = [&](const std::string& name, std::int64_t in, std::int64_t out) {
      shapes[net.name + "." + name + ".weight"] = {out, in};
      shapes[net.name + "." + name + ".bias"] = {out};
    };
    for (std::int64_t i = 0; i < net.depth; ++i)
      dense(std::to_string(i), i == 0 ? net.inputs : net.width, net.width);
    dense("output", net.width, net.outputs);
    if (net.layers > 0) shapes[net.name + ".layer_table"] = {net.layers, net.width};
    if (net.positions > 0) shapes[net.name + ".position_table"] = {net.positions, net.width};
    if (net.spectra > 0) shapes[net.name + ".spectra"] = {net.spectra, CascadeSizes::kSpectrumBins};
  }
  shapes["threshold_mev"] = {1};
  shapes["response"] = {2};
  shapes["layer_cuts"] = {shape.mesh.n_z() - 1};
  return shapes;
}

}  // namespace calo::cascade
