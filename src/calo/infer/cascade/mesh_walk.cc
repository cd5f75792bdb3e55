#include "calo/infer/cascade/mesh_walk.h"

#include <algorithm>

namespace calo::cascade {
namespace {

// Share of each interval of `from` that lies in each of `to`; edges ascend.
std::vector<float> overlaps(const std::vector<double>& from, const std::vector<double>& to) {
  std::vector<float> shares;
  for (std::size_t i = 0; i + 1 < to.size(); ++i)
    for (std::size_t j = 0; j + 1 < from.size(); ++j) {
      const double common = std::min(to[i + 1], from[j + 1]) - std::max(to[i], from[j]);
      shares.push_back(static_cast<float>(std::max(common, 0.0) / (from[j + 1] - from[j])));
    }
  return shares;
}

std::vector<double> squares(std::vector<double> values) {
  for (double& value : values) value *= value;
  return values;
}

std::vector<double> equal_parts(int count) {
  std::vector<double> edges;
  for (int i = 0; i <= count; ++i) edges.push_back(static_cast<double>(i) / count);
  return edges;
}

}  // namespace

MeshFrame::MeshFrame(const CascadeMesh& mesh, float threshold_mev) : mesh_(mesh) {
  for (std::size_t i = 0; i < mesh.segmentations.size(); ++i) {
    frames_.emplace_back(mesh, i, threshold_mev);
    depth_ = std::max(depth_, frames_.back().tree.depth());
  }
  for (const Segmentation& from : mesh.segmentations)
    for (const Segmentation& to : mesh.segmentations) {
      if (from == to) {
        shares_.emplace_back();
        continue;
      }
      shares_.push_back({.r = overlaps(squares(from.r_edges_mm), squares(to.r_edges_mm)),
                         .phi = overlaps(equal_parts(from.n_phi), equal_parts(to.n_phi))});
    }
  splits_before_.push_back(0);
  for (int layer = 0; layer < n_z(); ++layer)
    splits_before_.push_back(splits_before_.back() + of_layer(layer).splits_of_layer);
}

void MeshFrame::spread(std::size_t from, std::size_t to, const std::vector<float>& values,
                       std::vector<float>& out) const {
  const PatternFrame &source = frames_[from], &target = frames_[to];
  const Shares& shares = this->shares(from, to);
  const auto rings = static_cast<std::size_t>(source.n_r), parts = static_cast<std::size_t>(source.n_phi);
  const auto n_r = static_cast<std::size_t>(target.n_r), n_phi = static_cast<std::size_t>(target.n_phi);
  out.assign(n_r * n_phi, 0.0f);
  for (std::size_t r = 0; r < n_r; ++r)
    for (std::size_t ring = 0; ring < rings; ++ring) {
      const float share = shares.r[r * rings + ring];
      for (std::size_t part = 0; share > 0 && part < parts; ++part) {
        const float value = share * values[ring * parts + part];
        for (std::size_t phi = 0; value > 0 && phi < n_phi; ++phi)
          out[r * n_phi + phi] += shares.phi[phi * parts + part] * value;
      }
    }
}

MeshWalk::MeshWalk(const MeshFrame& frame) : frame_(frame) {
  for (const PatternFrame& of_segmentation : frame.frames()) walks_.emplace_back(of_segmentation);
}

void MeshWalk::start(const ConditionFeatures& conditions, const std::vector<float>& layer_energies) {
  for (PatternWalk& walk : walks_) walk.start(conditions, layer_energies);
}

void MeshWalk::end_layer(int layer) {
  const std::size_t own = frame_.segmentation_of(layer);
  walks_[own].end_layer();
  if (walks_.size() == 1) return;
  const std::vector<float>& cells = walks_[own].cells();
  hits_.resize(cells.size());
  std::transform(cells.begin(), cells.end(), hits_.begin(),
                 [](float energy_mev) { return energy_mev > 0 ? 1.0f : 0.0f; });
  for (std::size_t other = 0; other < walks_.size(); ++other) {
    if (other == own) continue;
    frame_.spread(own, other, cells, seen_mev_);
    frame_.spread(own, other, hits_, seen_hits_);
    walks_[other].see_layer(layer, seen_mev_, seen_hits_);
  }
}

void MeshWalk::skip_layer(int layer) {
  for (PatternWalk& walk : walks_) walk.skip_layer(layer);
}

}  // namespace calo::cascade
