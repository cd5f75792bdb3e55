#include "calo/models/cascade/sampler.h"

#include <algorithm>

#include "calo/models/cascade/fit.h"
#include "calo/models/cascade/layer_walk.h"
#include "core/error.h"
#include "core/philox.h"

namespace calo::cascade {
namespace {

constexpr std::uint32_t kSplitStream = 0x63617363;
constexpr std::size_t kGroup = 32;  // showers that one thread works through together

// Random numbers of one split; the same whatever was drawn before.
SplitNoise noise_of(std::uint64_t seed, std::uint64_t event, std::size_t split) {
  const core::Philox::Block block =
      core::Philox::round10({static_cast<std::uint32_t>(split), kSplitStream,
                             static_cast<std::uint32_t>(event), static_cast<std::uint32_t>(event >> 32)},
                            {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  const auto uniform = [](std::uint32_t high, std::uint32_t low) {
    const std::uint64_t bits =
        (static_cast<std::uint64_t>(high) << 32 | low) >> 12;  // 52: 1 is never reached
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
  };
  return {.choice = uniform(block[0], block[1]), .place = uniform(block[2], block[3])};
}

}  // namespace

// What one thread works in, for a group of showers.
struct Sampler::Workspace {
  struct Shower {
    Shower(const Frame& frame, const PatternFrame& pattern) : layers(frame, pattern.n_z), walk(pattern) {}
    std::uint64_t event = 0;
    ConditionFeatures conditions;
    LayerWalk layers;
    PatternWalk walk;
    std::vector<float> cells;  // [r, phi, z], of the mesh
  };
  struct Row {
    std::size_t shower;
    PatternNode at;
  };

  std::vector<std::unique_ptr<Shower>> showers;
  PackedNetwork::Rows rows;
  std::vector<Row> of_row;
  std::vector<PatternNode> nodes;
};

Sampler::Sampler(const ModelFolder& model) : transform_(model.transform) {
  if (model.description.architecture != "cascade")
    throw core::InputError({.message = "is no cascade", .field = "architecture"});
  nets_ = cascade_nets(model.description, transform_);
  const VoxelMesh::Cylinder& mesh = transform_.mesh.cylinder();
  frame_ = frame_of(model.weights, mesh.n_z);
  pattern_ = std::make_unique<PatternFrame>(mesh, frame_.threshold_mev);
  for (const CascadeNet& net : nets_) {
    networks_.emplace_back(net, model.weights);
    spectra_.push_back(net.spectra > 0 ? Spectra(model.weights.at(net.name + ".spectra").values) : Spectra());
  }
}

Sampler::~Sampler() = default;

std::unique_ptr<Sampler::Workspace> Sampler::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::make_unique<Workspace>();
  auto workspace = std::move(free_.back());
  free_.pop_back();
  return workspace;
}

void Sampler::sample(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
                     std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
                     Showers& out) {
  const std::size_t count = conditions.size();
  const auto threads = static_cast<std::size_t>(pool.size());
  const std::size_t group = std::clamp<std::size_t>((count + threads - 1) / threads, 1, kGroup);
  struct Hits {
    std::vector<std::uint32_t> cells;
    std::vector<float> energies;
    std::vector<std::size_t> ends;
  };
  std::vector<Hits> hits((count + group - 1) / group);
  pool.for_each(hits.size(), [&](std::size_t i) {
    const std::size_t begin = i * group, size = std::min(group, count - begin);
    std::unique_ptr<Workspace> work = take();
    run(*work, conditions.subspan(begin, size), geometries, first + begin, seed);
    for (std::size_t shower = 0; shower < size; ++shower) {
      const std::vector<float>& cells = work->showers[shower]->cells;
      for (std::size_t cell = 0; cell < cells.size(); ++cell) {
        if (!(cells[cell] > 0) || cells[cell] < threshold_mev) continue;
        hits[i].cells.push_back(static_cast<std::uint32_t>(cell));
        hits[i].energies.push_back(cells[cell]);
      }
      hits[i].ends.push_back(hits[i].cells.size());
    }
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(work));
  });
  Showers made(transform_.mesh.num_cells(), geometries);
  made.cells = std::move(out.cells);
  made.energies_mev = std::move(out.energies_mev);
  made.cells.clear();
  made.energies_mev.clear();
  made.conditions.assign(conditions.begin(), conditions.end());
  for (const Hits& of_group : hits) {
    for (const std::size_t end : of_group.ends) made.offsets.push_back(made.cells.size() + end);
    made.cells.insert(made.cells.end(), of_group.cells.begin(), of_group.cells.end());
    made.energies_mev.insert(made.energies_mev.end(), of_group.energies.begin(), of_group.energies.end());
  }
  out = std::move(made);
}

void Sampler::run(Workspace& work, std::span<const Conditions> conditions,
                  const std::vector<std::string>& geometries, std::uint64_t first, std::uint64_t seed) const {
  const std::size_t count = conditions.size();
  const auto cells = static_cast<std::size_t>(transform_.mesh.num_cells());
  while (work.showers.size() < count)
    work.showers.push_back(std::make_unique<Workspace::Shower>(frame_, *pattern_));
  work.rows.clear();
  for (std::size_t i = 0; i < count; ++i) {
    Workspace::Shower& shower = *work.showers[i];
    shower.event = first + i;
    shower.conditions =
        ConditionFeatures::of(transform_, conditions[i], geometries.at(conditions[i].geometry));
    shower.cells.assign(cells, 0.0f);
    LayerWalk::total_features(shower.conditions, networks_[0].add_row(work.rows, 0, 0));
  }
  networks_[0].forward(work.rows);
  for (std::size_t i = 0; i < count; ++i) {
    Workspace::Shower& shower = *work.showers[i];
    const float incident_mev = conditions[i].incident_energy_mev;
    const double code = draw_total(networks_[0].outputs(work.rows, i), noise_of(seed, shower.event, 0));
    shower.layers.start(shower.conditions, incident_mev, frame_.total_of_code(code, incident_mev));
  }
  split_layers(work, count, seed);
  for (std::size_t i = 0; i < count; ++i)
    work.showers[i]->walk.start(work.showers[i]->conditions, work.showers[i]->layers.layer_energies());
  for (int layer = 0; layer < pattern_->n_z; ++layer) {
    split_rings(work, count, seed, layer);
    for (int level = 0; level < pattern_->tree.depth(); ++level) split_level(work, count, seed, layer, level);
    const auto n_z = static_cast<std::size_t>(pattern_->n_z);
    for (std::size_t i = 0; i < count; ++i) {
      Workspace::Shower& shower = *work.showers[i];
      if (!(shower.walk.layer_energy(layer) > 0)) continue;
      shower.walk.end_layer();
      const std::vector<float>& from = shower.walk.cells();
      for (std::size_t column = 0; column < from.size(); ++column)
        if (from[column] > 0) shower.cells[column * n_z + static_cast<std::size_t>(layer)] = from[column];
    }
  }
}

void Sampler::split_layers(Workspace& work, std::size_t count, std::uint64_t seed) const {
  for (std::size_t node = 0; node < frame_.intervals.size(); ++node) {
    work.rows.clear();
    work.of_row.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if (!(work.showers[i]->layers.energy(node) > 0)) continue;
      work.showers[i]->layers.features(node, networks_[1].add_row(work.rows, 0, node));
      work.of_row.push_back({i, {}});
    }
    if (work.of_row.empty()) continue;
    networks_[1].forward(work.rows);
    for (std::size_t row = 0; row < work.of_row.size(); ++row) {
      Workspace::Shower& shower = *work.showers[work.of_row[row].shower];
      const Parts parts =
          draw_split(networks_[1].outputs(work.rows, row), shower.layers.energy(node), frame_.threshold_mev,
                     nullptr, 0, noise_of(seed, shower.event, 1 + node));
      shower.layers.set(node, parts.a_mev, parts.b_mev);
    }
  }
}

void Sampler::split_rings(Workspace& work, std::size_t count, std::uint64_t seed, int layer) const {
  const std::size_t first_split =
      1 + frame_.intervals.size() + static_cast<std::size_t>(layer) * pattern_->splits_of_layer;
  for (std::size_t i = 0; i < count; ++i) {
    PatternWalk& walk = work.showers[i]->walk;
    if (walk.layer_energy(layer) > 0)
      walk.begin_layer(layer);
    else
      walk.skip_layer(layer);
  }
  for (int ring = 0; ring + 1 < pattern_->n_r; ++ring) {
    work.rows.clear();
    work.of_row.clear();
    for (std::size_t i = 0; i < count; ++i) {
      PatternWalk& walk = work.showers[i]->walk;
      if (!(walk.layer_energy(layer) > 0) || !(walk.ring_energy() > 0)) continue;
      walk.ring_features(
          networks_[2].add_row(work.rows, static_cast<std::size_t>(layer), static_cast<std::size_t>(ring)));
      work.of_row.push_back({i, {}});
    }
    if (work.of_row.empty()) break;
    networks_[2].forward(work.rows);
    for (std::size_t row = 0; row < work.of_row.size(); ++row) {
      Workspace::Shower& shower = *work.showers[work.of_row[row].shower];
      const Parts parts = draw_split(networks_[2].outputs(work.rows, row), shower.walk.ring_energy(),
                                     frame_.threshold_mev, &spectra_[2], ring,
                                     noise_of(seed, shower.event, first_split + shower.walk.split_of_ring()));
      shower.walk.set_ring(parts.a_mev, parts.b_mev);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    PatternWalk& walk = work.showers[i]->walk;
    if (walk.layer_energy(layer) > 0) walk.end_rings();
  }
}

void Sampler::split_level(Workspace& work, std::size_t count, std::uint64_t seed, int layer,
                          int level) const {
  const std::size_t first_split =
      1 + frame_.intervals.size() + static_cast<std::size_t>(layer) * pattern_->splits_of_layer;
  const std::size_t net = 3 + static_cast<std::size_t>(level);
  const auto nodes_of_ring =
      static_cast<std::size_t>(pattern_->levels[static_cast<std::size_t>(level)].nodes);
  for (std::size_t i = 0; i < count; ++i)
    if (work.showers[i]->walk.layer_energy(layer) > 0) work.showers[i]->walk.begin_level(level);
  for (int colour = 0; colour < 2; ++colour) {
    work.rows.clear();
    work.of_row.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const PatternWalk& walk = work.showers[i]->walk;
      if (!(walk.layer_energy(layer) > 0)) continue;
      walk.nodes(level, colour, work.nodes);
      for (const PatternNode& at : work.nodes) {
        const std::size_t position =
            static_cast<std::size_t>(at.ring) * nodes_of_ring + static_cast<std::size_t>(at.node);
        walk.node_features(level, at,
                           networks_[net].add_row(work.rows, static_cast<std::size_t>(layer), position));
        work.of_row.push_back({i, at});
      }
    }
    if (work.of_row.empty()) continue;
    networks_[net].forward(work.rows);
    for (std::size_t row = 0; row < work.of_row.size(); ++row) {
      const auto& [index, at] = work.of_row[row];
      Workspace::Shower& shower = *work.showers[index];
      const Parts parts =
          draw_split(networks_[net].outputs(work.rows, row), shower.walk.energy(level, at),
                     frame_.threshold_mev, &spectra_[net], at.ring,
                     noise_of(seed, shower.event, first_split + shower.walk.split_of_node(level, at)));
      shower.walk.set_node(level, at, parts.a_mev, parts.b_mev);
    }
  }
}

}  // namespace calo::cascade
