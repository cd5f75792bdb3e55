#include "calo/infer/cascade/nets.h"

#include <fmt/format.h>

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

std::vector<CascadeNet> cascade_nets(const CascadeShape& shape) {
  if (shape.n_r < 2 || shape.n_phi < 1 || shape.n_z < 2)
    throw core::InputError({.message = "a cascade needs two rings and two layers at least", .field = "mesh"});
  if (shape.width < 1 || shape.depth < 1 || shape.geometries < 0 || !(shape.size_r_mm > 0))
    throw core::InputError(
        {.message = "a cascade needs networks with a width and a depth, and rings with a size",
         .field = "cascade"});
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
                  .inputs = 2 * shape.n_z + 6 + others,
                  .width = width,
                  .depth = depth + 1,
                  .outputs = kWithout,
                  .positions = shape.n_z - 1});
  nets.push_back({.name = "rings",
                  .inputs = 6 * shape.n_r + 9 + others,
                  .width = width,
                  .depth = depth,
                  .outputs = kWithSpectra,
                  .layers = shape.n_z,
                  .positions = shape.n_r - 1,
                  .spectra = shape.n_r});
  const PhiTree tree(shape.n_phi);
  for (int level = 0; level < tree.depth(); ++level)
    nets.push_back({.name = fmt::format("phi{}", level),
                    .inputs = 89 + others,
                    .width = width,
                    .depth = depth,
                    .outputs = kWithSpectra,
                    .layers = shape.n_z,
                    .positions = static_cast<std::int64_t>(shape.n_r) * tree.nodes(level),
                    .spectra = shape.n_r});
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
  shapes["layer_cuts"] = {shape.n_z - 1};
  return shapes;
}

}  // namespace calo::cascade
