#include "calo/infer/cascade/pattern_walk.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace calo::cascade {
namespace {

std::size_t size(int n) {
  return static_cast<std::size_t>(n);
}

// ln(1 + hits), from a table for the few whole numbers of hits that a node can have.
float log_hits(float hits) {
  static const std::vector<float> table = [] {
    std::vector<float> values(1024);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::log1p(static_cast<float>(i));
    return values;
  }();
  const auto whole = static_cast<std::size_t>(hits);
  return whole < table.size() && static_cast<float>(whole) == hits ? table[whole] : std::log1p(hits);
}

}  // namespace

PatternFrame::PatternFrame(const CascadeMesh& mesh, std::size_t segmentation, float threshold)
    : n_r(mesh.segmentations[segmentation].n_r()),
      n_phi(mesh.segmentations[segmentation].n_phi),
      n_z(mesh.n_z()),
      most_rings(mesh.most_rings()),
      threshold_mev(threshold),
      tree(n_phi),
      first_ring(static_cast<std::size_t>(mesh.rings_before(segmentation))),
      first_ring_position(first_ring - segmentation) {
  constexpr double kUnitMm = 9.3;  // about one Molière radius of a sampling calorimeter of tungsten
  splits_of_layer = size(n_r - 1);
  for (int i = 0; i <= tree.depth(); ++i) {
    Level level{.nodes = tree.nodes(i), .stride = size(tree.nodes(i)) + 4, .plane = 0};
    level.plane = size(n_r + 2) * level.stride;
    for (const PhiTree::Node& node : tree.level(i)) {
      const double phi = std::numbers::pi * (static_cast<double>(node.begin + node.end) / n_phi - 1);
      level.cos.push_back(static_cast<float>(std::cos(phi)));
      level.sin.push_back(static_cast<float>(std::sin(phi)));
    }
    for (int ring = 0; ring < n_r && i < tree.depth(); ++ring) {
      level.split_begin.push_back(splits_of_layer);
      splits_of_layer += size(level.nodes);
    }
    for (std::size_t before = 0; before < segmentation; ++before) {
      const Segmentation& other = mesh.segmentations[before];
      const PhiTree other_tree(other.n_phi);
      if (i < other_tree.depth()) level.first_position += size(other.n_r()) * size(other_tree.nodes(i));
    }
    levels.push_back(std::move(level));
  }
  const std::vector<double>& edges = mesh.segmentations[segmentation].r_edges_mm;
  for (std::size_t ring = 0; ring < size(n_r); ++ring)
    radius.push_back(static_cast<float>((edges[ring] + edges[ring + 1]) / 2 / kUnitMm));
}

PatternWalk::PatternWalk(const PatternFrame& frame)
    : frame_(frame),
      layer_codes_(size(frame.n_z) + 4),  // two beyond each end
      before_codes_(size(frame.n_z)),
      after_codes_(size(frame.n_z)),
      hit_codes_(frame.levels.size()),
      ring_sum_codes_(size(frame.most_rings)) {
  for (std::size_t i = 0; i < frame.levels.size(); ++i) {
    const PatternFrame::Level& level = frame.levels[i];
    const std::size_t cells = size(frame.n_r) * size(level.nodes);
    energies_.emplace_back(cells);
    sums_.emplace_back(cells);
    codes_.emplace_back(level.plane * kSlots);
    sum_codes_.emplace_back(level.plane);
    for (auto& hits : hit_codes_[i]) hits.resize(cells);
  }
  for (std::size_t i = 0; i < kSlots; ++i) {
    ring_codes_[i].resize(size(frame.most_rings));
    ring_hits_[i].resize(size(frame.most_rings));
  }
}

void PatternWalk::start(const ConditionFeatures& conditions, const std::vector<float>& layer_energies) {
  conditions_ = &conditions;
  layer_energies_ = layer_energies;
  float before = 0, after = 0;
  for (std::size_t layer = 0; layer < layer_energies.size(); ++layer) {
    layer_codes_[layer + 2] = code_of(layer_energies[layer], frame_.threshold_mev);
    before_codes_[layer] = code_of(before, frame_.threshold_mev);
    before += layer_energies[layer];
  }
  for (std::size_t layer = layer_energies.size(); layer-- > 0;) {
    after_codes_[layer] = code_of(after, frame_.threshold_mev);
    after += layer_energies[layer];
  }
  const auto zero = [](auto& arrays) {
    for (auto& array : arrays) std::fill(array.begin(), array.end(), 0.0f);
  };
  zero(codes_);
  zero(sums_);
  zero(sum_codes_);
  zero(ring_codes_);
  zero(ring_hits_);
  for (auto& level : hit_codes_) zero(level);
  std::fill(ring_sum_codes_.begin(), ring_sum_codes_.end(), 0.0f);
  before_mev_ = 0;
  centre_1_ = centre_2_ = centre_before_ = centre_level_ = moment_ = {};
}

void PatternWalk::clear(int layer) {
  layer_ = layer;
  for (std::size_t i = 0; i < energies_.size(); ++i) {
    std::fill(energies_[i].begin(), energies_[i].end(), 0.0f);
    std::fill_n(plane(i, slot(0)), frame_.levels[i].plane, 0.0f);
    auto& hits = hit_codes_[i][slot(0)];
    std::fill(hits.begin(), hits.end(), 0.0f);
  }
  std::fill(ring_codes_[slot(0)].begin(), ring_codes_[slot(0)].end(), 0.0f);
  std::fill(ring_hits_[slot(0)].begin(), ring_hits_[slot(0)].end(), 0.0f);
}

void PatternWalk::begin_layer(int layer) {
  clear(layer);
  ring_ = 0;
  remaining_ = layer_energies_[size(layer)];
}

void PatternWalk::skip_layer(int layer) {
  clear(layer);
  centre_2_ = centre_1_;
  centre_1_ = {};
}

void PatternWalk::ring_features(float* x) const {
  for (int before = 1; before <= kBefore; ++before)
    x = std::copy(ring_codes_[slot(before)].begin(), ring_codes_[slot(before)].end(), x);
  x = std::copy(ring_sum_codes_.begin(), ring_sum_codes_.end(), x);
  for (const float hits : ring_hits_[slot(1)]) *x++ = hits;
  x = std::copy(ring_codes_[slot(0)].begin(), ring_codes_[slot(0)].end(), x);
  *x++ = code_of(remaining_, frame_.threshold_mev);
  *x++ = conditions_->e;
  const float* around = layer_codes_.data() + layer_;
  for (int i = 0; i < 5; ++i) *x++ = around[i];
  *x++ = before_codes_[size(layer_)];
  *x++ = after_codes_[size(layer_)];
  std::copy(conditions_->others.begin(), conditions_->others.end(), x);
}

void PatternWalk::set_ring(float ring_mev, float outside_mev) {
  if (ring_mev > 0) {
    set(0, {ring_, 0}, ring_mev);
    ring_codes_[slot(0)][size(ring_)] = code_of(ring_mev, frame_.threshold_mev);
  }
  ++ring_;
  remaining_ = outside_mev;
}

void PatternWalk::end_rings() {
  if (remaining_ > 0) set_ring(remaining_, 0);
}

// Writes a code where it lies, around the ring's end, and as the ring within the innermost: that one is seen
// across the axis.
void PatternWalk::put(std::size_t level, float* plane, PatternNode at, float code) const {
  const PatternFrame::Level& l = frame_.levels[level];
  const auto around = [&](std::size_t row, int node) {
    float* const ring = plane + row * l.stride + kPad;
    constexpr int kReach = static_cast<int>(kPad);
    for (int k = node; k >= -kReach; k -= l.nodes) ring[k] = code;
    for (int k = node + l.nodes; k < l.nodes + kReach; k += l.nodes) ring[k] = code;
  };
  around(size(at.ring) + 1, at.node);
  if (at.ring == 0) around(0, (at.node + l.nodes / 2) % l.nodes);
}

void PatternWalk::set(std::size_t level, PatternNode at, float energy_mev) {
  energies_[level][index(static_cast<int>(level), at)] = energy_mev;
  put(level, plane(level, slot(0)), at, code_of(energy_mev, frame_.threshold_mev));
}

void PatternWalk::begin_level(int level) {
  centre_level_ = level > 0 ? centre_of_gravity(size(level)) : Vector{};
  const auto& nodes = frame_.tree.level(level);
  for (int ring = 0; ring < frame_.n_r; ++ring)
    for (int k = 0; has_energy(ring) && k < frame_.levels[size(level)].nodes; ++k) {
      const float energy_mev = energy(level, {ring, k});
      if (!nodes[size(k)].is_split && energy_mev > 0)
        set(size(level) + 1, {ring, nodes[size(k)].first_child}, energy_mev);
    }
}

void PatternWalk::nodes(int level, int colour, std::vector<PatternNode>& out) const {
  out.clear();
  const auto& tree = frame_.tree.level(level);
  for (int ring = 0; ring < frame_.n_r; ++ring)
    for (int k = (ring + colour) % 2; has_energy(ring) && k < frame_.levels[size(level)].nodes; k += 2)
      if (tree[size(k)].is_split && energy(level, {ring, k}) > 0) out.push_back({ring, k});
}

void PatternWalk::node_features(int level, PatternNode at, float* x) const {
  const std::size_t here = size(level), below = here + 1;
  const PatternFrame::Level& own = frame_.levels[here];
  const PatternFrame::Level& children = frame_.levels[below];
  const int child = frame_.tree.level(level)[size(at.node)].first_child;
  const std::size_t stride = children.stride;
  // Of the first child, one ring further inside.
  const std::size_t first = size(at.ring) * stride + size(child) + kPad;
  for (int before = 1; before <= kBefore; ++before) {
    const float* from = plane(below, slot(before)) + first;
    for (int row = 0; row < 3; ++row, from += stride) x = std::copy_n(from - 1, 4, x);
  }
  const float* mine = plane(here, slot(0)) + size(at.ring) * own.stride + size(at.node) + kPad;
  for (int row = 0; row < 3; ++row, mine += own.stride) x = std::copy_n(mine - 1, 3, x);
  const float* sum = sum_codes_[below].data() + first;
  x = std::copy_n(sum + stride - 1, 4, x);
  x = std::copy_n(sum, 2, x);
  x = std::copy_n(sum + 2 * stride, 2, x);
  const float* made = plane(below, slot(0)) + first;
  x = std::copy_n(made + stride - 2, 2, x);
  x = std::copy_n(made + stride + 2, 2, x);
  x = std::copy_n(made, 2, x);
  x = std::copy_n(made + 2 * stride, 2, x);
  const std::size_t place = index(level + 1, {at.ring, child});
  for (int before = 1; before <= 2; ++before)
    x = std::copy_n(hit_codes_[below][slot(before)].data() + place, 2, x);
  const auto ring_of = [&](const auto& of, int before, int ring) {
    return ring >= 0 && ring < frame_.n_r ? of[slot(before)][size(ring)] : 0.0f;
  };
  *x++ = ring_of(ring_codes_, 0, at.ring);
  for (int ring = at.ring - 1; ring <= at.ring + 1; ++ring) *x++ = ring_of(ring_codes_, 1, ring);
  *x++ = ring_of(ring_hits_, 1, at.ring);
  *x++ = ring_of(ring_hits_, 2, at.ring);
  *x++ = ring_of(ring_hits_, 1, at.ring - 1);
  *x++ = ring_of(ring_hits_, 1, at.ring + 1);
  *x++ = conditions_->e;
  const float* around = layer_codes_.data() + layer_;
  for (int i = 0; i < 5; ++i) *x++ = around[i];
  *x++ = before_codes_[size(layer_)];
  *x++ = after_codes_[size(layer_)];
  const float c = own.cos[size(at.node)], s = own.sin[size(at.node)];
  for (const Vector& v : {centre_1_, centre_2_, centre_before_, centre_level_}) {
    *x++ = std::clamp(v.x * c + v.y * s, -4.0f, 4.0f);   // along the radius
    *x++ = std::clamp(-v.x * s + v.y * c, -4.0f, 4.0f);  // across
  }
  std::copy(conditions_->others.begin(), conditions_->others.end(), x);
}

void PatternWalk::set_node(int level, PatternNode at, float a_mev, float b_mev) {
  const int child = frame_.tree.level(level)[size(at.node)].first_child;
  if (a_mev > 0) set(size(level) + 1, {at.ring, child}, a_mev);
  if (b_mev > 0) set(size(level) + 1, {at.ring, child + 1}, b_mev);
}

PatternWalk::Vector PatternWalk::centre_of_gravity(std::size_t level) const {
  const PatternFrame::Level& l = frame_.levels[level];
  if (l.nodes == 1) return {};  // whole rings lie around the axis
  Vector sum;
  float whole = 0;
  const float* energy = energies_[level].data();
  for (std::size_t ring = 0; ring < size(frame_.n_r); ++ring) {
    Vector part;
    for (std::size_t k = 0; has_energy(static_cast<int>(ring)) && k < size(l.nodes); ++k) {
      part.x += energy[k] * l.cos[k];
      part.y += energy[k] * l.sin[k];
      whole += energy[k];
    }
    sum.x += part.x * frame_.radius[ring];
    sum.y += part.y * frame_.radius[ring];
    energy += l.nodes;
  }
  return whole > 0 ? Vector{sum.x / whole, sum.y / whole} : Vector{};
}

void PatternWalk::end_layer() {
  const std::vector<float>& cells = energies_.back();
  hits_.assign(cells.size(), 0);
  for (int ring = 0; ring < frame_.n_r; ++ring)
    for (int phi = 0; has_energy(ring) && phi < frame_.n_phi; ++phi) {
      const std::size_t cell = index(frame_.tree.depth(), {ring, phi});
      if (cells[cell] > 0) hits_[cell] = 1;
    }
  finish_layer();
}

void PatternWalk::see_layer(int layer, const std::vector<float>& cells_mev, const std::vector<float>& hits) {
  clear(layer);
  // A share of a cell's energy that is less than any cell's reads as none.
  const auto code = [&](float energy_mev) {
    return std::max(code_of(energy_mev, frame_.threshold_mev), 0.0f);
  };
  energies_.back() = cells_mev;
  for (std::size_t level = energies_.size(); level-- > 0;) {
    const auto& tree = frame_.tree.level(static_cast<int>(level));
    for (int ring = 0; ring < frame_.n_r; ++ring)
      for (int k = 0; k < frame_.levels[level].nodes; ++k) {
        const PatternNode at{ring, k};
        float& energy_mev = energies_[level][index(static_cast<int>(level), at)];
        if (level + 1 < energies_.size()) {
          const PhiTree::Node& node = tree[size(k)];
          const float* parts =
              energies_[level + 1].data() + index(static_cast<int>(level) + 1, {ring, node.first_child});
          energy_mev = parts[0] + (node.is_split ? parts[1] : 0.0f);
        }
        if (energy_mev > 0) put(level, plane(level, slot(0)), at, code(energy_mev));
      }
  }
  for (std::size_t ring = 0; ring < size(frame_.n_r); ++ring)
    ring_codes_[slot(0)][ring] = code(energies_[0][ring]);
  hits_ = hits;
  finish_layer();
}

// What later layers see of this one. Hits are summed from the cells up; energies and their codes where
// something was added.
void PatternWalk::finish_layer() {
  const int depth = frame_.tree.depth();
  const float layer_mev = layer_energies_[size(layer_)];
  for (int level = depth; level >= 0; --level) {
    const auto& tree = frame_.tree.level(level);
    const int nodes = frame_.levels[size(level)].nodes;
    upper_hits_.assign(size(frame_.n_r) * size(nodes), 0);
    for (int ring = 0; ring < frame_.n_r; ++ring)
      for (int k = 0; has_energy(ring) && k < nodes; ++k) {
        const PatternNode at{ring, k};
        const float energy_mev = energy(level, at);
        if (!(energy_mev > 0)) continue;
        const std::size_t place = index(level, at);
        float count = 0;
        if (level == depth) {
          count = hits_[place];
        } else {
          const PhiTree::Node& node = tree[size(k)];
          const std::size_t child = index(level + 1, {ring, node.first_child});
          count = hits_[child] + (node.is_split ? hits_[child + 1] : 0);
        }
        upper_hits_[place] = count;
        hit_codes_[size(level)][slot(0)][place] = log_hits(count) / 3;
        float& sum = sums_[size(level)][place];
        sum += energy_mev;
        const float code = std::max(code_of(sum, frame_.threshold_mev), 0.0f);
        put(size(level), sum_codes_[size(level)].data(), at, code);
        if (level > 0) continue;
        ring_sum_codes_[size(ring)] = code;
        ring_hits_[slot(0)][size(ring)] = log_hits(count) / 4;
      }
    std::swap(hits_, upper_hits_);
  }
  centre_2_ = centre_1_;
  centre_1_ = centre_of_gravity(size(depth));
  moment_.x += centre_1_.x * layer_mev;
  moment_.y += centre_1_.y * layer_mev;
  before_mev_ += layer_mev;
  centre_before_ = {moment_.x / before_mev_, moment_.y / before_mev_};
}

}  // namespace calo::cascade
