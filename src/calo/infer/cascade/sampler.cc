#include "calo/infer/cascade/sampler.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>

#include "calo/infer/cascade/layer_walk.h"
#include "core/error.h"

namespace calo::cascade {
namespace {

constexpr std::size_t kGroup = 32;  // showers that one thread works through together

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

const Trained& checked(const Trained& model) {
  model.check();
  return model;
}

}  // namespace

struct Sampler::Work::Shower {
  Shower(const Frame& frame, const MeshFrame& mesh) : layers(frame, mesh.n_z()), walk(mesh) {}
  SplitNoise noise(std::size_t split) const {
    return latents != nullptr ? split_noise(latents + 2 * split) : split_noise(key, split);
  }
  ShowerKey key;
  const float* latents = nullptr;
  ConditionFeatures conditions;
  LayerWalk layers;
  MeshWalk walk;
  std::vector<float> cells;  // in the order of the mesh
};

Sampler::Work::Work() = default;
Sampler::Work::~Work() = default;

Sampler::Work::Effort Sampler::Work::effort() const {
  Effort sum;
  for (const auto& lane : free) {
    sum.splits += lane->rows.rows_made;
    sum.products += lane->rows.products;
  }
  return sum;
}

Sampler::Sampler(const Trained& model, const infer::PackedLayer::Options& options)
    : id_(next_id()),
      shape_(checked(model).shape),
      geometries_(model.geometries),
      frame_(model.frame()),
      mesh_(shape_.mesh, frame_.threshold_mev),
      drawer_(options.isa) {
  for (const CascadeNet& net : cascade_nets(shape_)) {
    networks_.emplace_back(net, model, options);
    spectra_.push_back(net.spectra > 0 ? Spectra(model.tensor(net.name + ".spectra")) : Spectra());
  }
  for (int layer = 0; layer < mesh_.n_z(); ++layer) cells_.push_back(shape_.mesh.cells_of(layer));
}

Sampler::~Sampler() = default;

std::int64_t Sampler::num_cells() const {
  return shape_.mesh.num_cells();
}

std::size_t Sampler::num_splits() const {
  return 1 + frame_.intervals.size() + mesh_.splits_before(mesh_.n_z());
}

std::size_t Sampler::weight_bytes() const {
  std::size_t sum = 0;
  for (const PackedNetwork& network : networks_) sum += network.bytes();
  return sum;
}

void Sampler::sample(std::span<const WantedShower> wanted, float threshold_mev, core::ThreadPool* pool,
                     Work& work, infer::SparseShowers& out) const {
  const std::size_t count = wanted.size();
  const auto threads = static_cast<std::size_t>(pool == nullptr ? 1 : pool->size());
  const std::size_t group = std::clamp<std::size_t>((count + threads - 1) / threads, 1, kGroup);
  const std::size_t groups = (count + group - 1) / group;
  if (work.sampler != id_) {
    work.free.clear();
    work.sampler = id_;
  }
  if (work.hits.size() < groups) work.hits.resize(groups);
  const auto make = [&](std::size_t i) {
    std::unique_ptr<Work::Lane> lane;
    {
      const std::lock_guard lock(work.mutex);
      if (!work.free.empty()) {
        lane = std::move(work.free.back());
        work.free.pop_back();
      }
    }
    if (!lane) lane = std::make_unique<Work::Lane>();
    const std::size_t begin = i * group, size = std::min(group, count - begin);
    run(*lane, wanted.subspan(begin, size));
    Work::Hits& hits = work.hits[i];
    hits.cells.clear();
    hits.energies_mev.clear();
    hits.ends.clear();
    for (std::size_t shower = 0; shower < size; ++shower) {
      const std::vector<float>& cells = lane->showers[shower]->cells;
      for (std::size_t cell = 0; cell < cells.size(); ++cell) {
        if (!(cells[cell] > 0) || cells[cell] < threshold_mev) continue;
        hits.cells.push_back(static_cast<std::uint32_t>(cell));
        hits.energies_mev.push_back(cells[cell]);
      }
      hits.ends.push_back(hits.cells.size());
    }
    const std::lock_guard lock(work.mutex);
    work.free.push_back(std::move(lane));
  };
  if (pool == nullptr || groups == 1)
    for (std::size_t i = 0; i < groups; ++i) make(i);
  else
    pool->for_each(groups, make);

  const std::size_t most = count * static_cast<std::size_t>(num_cells());
  out.cells_.make_room(most);  // the worst case; pages that are not written cost nothing
  out.energies_.make_room(most);
  out.offsets_.assign(1, 0);
  out.not_finite_.assign(count, 0);
  for (std::size_t i = 0; i < groups; ++i) {
    const Work::Hits& hits = work.hits[i];
    const std::size_t begin = out.offsets_.back();
    std::copy(hits.cells.begin(), hits.cells.end(), out.cells_.data() + begin);
    std::copy(hits.energies_mev.begin(), hits.energies_mev.end(), out.energies_.data() + begin);
    for (const std::size_t end : hits.ends) out.offsets_.push_back(begin + end);
  }
}

Parts Sampler::draw(const Work::Lane& lane, std::size_t net, std::size_t row, float energy_mev, int ring,
                    SplitNoise noise) const {
  const PackedNetwork& network = networks_[net];
  const auto more = [&](int i, int j) { return network.more_outputs(lane.rows, row, i, j); };
  const std::optional<Parts> parts =
      drawer_.draw(network.first_outputs(lane.rows, row), more, energy_mev, frame_.threshold_mev,
                   net > 1 ? &spectra_[net] : nullptr, ring, noise);
  if (!parts) network.refuse_outputs();
  return *parts;
}

void Sampler::run(Work::Lane& lane, std::span<const WantedShower> wanted) const {
  const std::size_t count = wanted.size();
  while (lane.showers.size() < count) lane.showers.push_back(std::make_unique<Work::Shower>(frame_, mesh_));
  lane.rows.clear();
  for (std::size_t i = 0; i < count; ++i) {
    Work::Shower& shower = *lane.showers[i];
    shower.key = wanted[i].key;
    shower.latents = wanted[i].latents;
    shower.conditions.set(wanted[i].energy_mev, wanted[i].theta_rad, wanted[i].geometry,
                          static_cast<std::size_t>(shape_.geometries));
    shower.cells.assign(static_cast<std::size_t>(num_cells()), 0.0f);
    LayerWalk::total_features(shower.conditions, networks_[0].add_row(lane.rows, 0, 0));
  }
  networks_[0].forward(lane.rows);
  for (std::size_t i = 0; i < count; ++i) {
    Work::Shower& shower = *lane.showers[i];
    const float incident_mev = wanted[i].energy_mev;
    float outputs[3 * CascadeSizes::kTotalComponents];
    networks_[0].all_outputs(lane.rows, i, outputs);
    const double code = draw_total(outputs, shower.noise(0));
    if (std::isnan(code)) networks_[0].refuse_outputs();
    shower.layers.start(shower.conditions, incident_mev, frame_.total_of_code(code, incident_mev));
  }
  split_layers(lane, count);
  for (std::size_t i = 0; i < count; ++i)
    lane.showers[i]->walk.start(lane.showers[i]->conditions, lane.showers[i]->layers.layer_energies());
  for (int layer = 0; layer < mesh_.n_z(); ++layer) {
    split_rings(lane, count, layer);
    const int depth = mesh_.of_layer(layer).tree.depth();
    for (int level = 0; level < depth; ++level) split_level(lane, count, layer, level);
    const std::vector<std::uint32_t>& cells = cells_[static_cast<std::size_t>(layer)];
    for (std::size_t i = 0; i < count; ++i) {
      Work::Shower& shower = *lane.showers[i];
      if (!(shower.walk.layer_energy(layer) > 0)) continue;
      shower.walk.end_layer(layer);
      const std::vector<float>& from = shower.walk.of_layer(layer).cells();
      for (std::size_t column = 0; column < from.size(); ++column)
        if (from[column] > 0) shower.cells[cells[column]] = from[column];
    }
  }
}

void Sampler::split_layers(Work::Lane& lane, std::size_t count) const {
  for (std::size_t node = 0; node < frame_.intervals.size(); ++node) {
    lane.rows.clear();
    lane.of_row.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if (!(lane.showers[i]->layers.energy(node) > 0)) continue;
      lane.showers[i]->layers.features(node, networks_[1].add_row(lane.rows, 0, node));
      lane.of_row.push_back({i, {}});
    }
    if (lane.of_row.empty()) continue;
    networks_[1].forward(lane.rows);
    for (std::size_t row = 0; row < lane.of_row.size(); ++row) {
      Work::Shower& shower = *lane.showers[lane.of_row[row].shower];
      const Parts parts = draw(lane, 1, row, shower.layers.energy(node), 0, shower.noise(1 + node));
      shower.layers.set(node, parts.a_mev, parts.b_mev);
    }
  }
}

void Sampler::split_rings(Work::Lane& lane, std::size_t count, int layer) const {
  const std::size_t first_split = 1 + frame_.intervals.size() + mesh_.splits_before(layer);
  for (std::size_t i = 0; i < count; ++i) {
    MeshWalk& walk = lane.showers[i]->walk;
    if (walk.layer_energy(layer) > 0)
      walk.of_layer(layer).begin_layer(layer);
    else
      walk.skip_layer(layer);
  }
  for (int ring = 0; ring + 1 < mesh_.of_layer(layer).n_r; ++ring) {
    lane.rows.clear();
    lane.of_row.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const PatternWalk& walk = lane.showers[i]->walk.of_layer(layer);
      if (!(walk.layer_energy(layer) > 0) || !(walk.ring_energy() > 0)) continue;
      walk.ring_features(
          networks_[2].add_row(lane.rows, static_cast<std::size_t>(layer), walk.position_of_ring()));
      lane.of_row.push_back({i, {}});
    }
    if (lane.of_row.empty()) break;
    networks_[2].forward(lane.rows);
    for (std::size_t row = 0; row < lane.of_row.size(); ++row) {
      Work::Shower& shower = *lane.showers[lane.of_row[row].shower];
      PatternWalk& walk = shower.walk.of_layer(layer);
      const Parts parts = draw(lane, 2, row, walk.ring_energy(), walk.spectrum_of(ring),
                               shower.noise(first_split + walk.split_of_ring()));
      walk.set_ring(parts.a_mev, parts.b_mev);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    PatternWalk& walk = lane.showers[i]->walk.of_layer(layer);
    if (walk.layer_energy(layer) > 0) walk.end_rings();
  }
}

void Sampler::split_level(Work::Lane& lane, std::size_t count, int layer, int level) const {
  const std::size_t first_split = 1 + frame_.intervals.size() + mesh_.splits_before(layer);
  const std::size_t net = 3 + static_cast<std::size_t>(level);
  for (std::size_t i = 0; i < count; ++i) {
    PatternWalk& walk = lane.showers[i]->walk.of_layer(layer);
    if (walk.layer_energy(layer) > 0) walk.begin_level(level);
  }
  for (int colour = 0; colour < 2; ++colour) {
    lane.rows.clear();
    lane.of_row.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const PatternWalk& walk = lane.showers[i]->walk.of_layer(layer);
      if (!(walk.layer_energy(layer) > 0)) continue;
      walk.nodes(level, colour, lane.nodes);
      for (const PatternNode& at : lane.nodes) {
        walk.node_features(level, at,
                           networks_[net].add_row(lane.rows, static_cast<std::size_t>(layer),
                                                  walk.position_of_node(level, at)));
        lane.of_row.push_back({i, at});
      }
    }
    if (lane.of_row.empty()) continue;
    networks_[net].forward(lane.rows);
    for (std::size_t row = 0; row < lane.of_row.size(); ++row) {
      const auto& [index, at] = lane.of_row[row];
      Work::Shower& shower = *lane.showers[index];
      PatternWalk& walk = shower.walk.of_layer(layer);
      const Parts parts = draw(lane, net, row, walk.energy(level, at), walk.spectrum_of(at.ring),
                               shower.noise(first_split + walk.split_of_node(level, at)));
      walk.set_node(level, at, parts.a_mev, parts.b_mev);
    }
  }
}

}  // namespace calo::cascade
