#include "calo/validate/sample.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <numbers>
#include <numeric>
#include <tuple>

#include "calo/preprocess/preprocess.h"
#include "calo/shower/energy.h"
#include "calo/validate/distances.h"
#include "core/progress.h"

namespace calo {
namespace {

constexpr std::size_t kChunk = 32;  // showers that a thread takes at once

// Values of one vector, in the order given.
template <typename T>
void reorder(std::vector<T>& values, const std::vector<std::size_t>& order) {
  if (values.empty()) return;
  std::vector<T> sorted(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) sorted[i] = values[order[i]];
  values = std::move(sorted);
}

void reorder(FeatureTable& table, const std::vector<std::size_t>& order) {
  const std::size_t columns = table.columns();
  std::vector<float> sorted(table.values.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    std::copy_n(table.values.begin() + static_cast<std::ptrdiff_t>(order[i] * columns), columns,
                sorted.begin() + static_cast<std::ptrdiff_t>(i * columns));
  table.values = std::move(sorted);
}

// The shower that is best so far as an example.
struct Example {
  double distance = std::numeric_limits<double>::infinity();  // of its energy from the one wanted
  std::uint64_t order = 0;                                    // decides between equal distances
  Showers shower;
};

class SampleReader {
 public:
  SampleReader(ShowerReader& reader, const SampleOptions& options, const ShowerSample* like,
               core::ThreadPool& pool)
      : reader_(reader), mesh_(reader.info().mesh), options_(options), like_(like), pool_(pool) {
    const std::vector<FeatureExtractor> of_mesh = extractors_of_geometries();
    tools_.assign(static_cast<std::size_t>(pool.size()), of_mesh);
    for (std::size_t i = 0; i < tools_.size(); ++i) free_.push_back(i);
    for (const auto& [name, count] : count_groups(reader, options.discrete))
      prepare(sample_.groups[name], count);
  }

  ShowerSample read(const char* label) {
    const std::int64_t count = reader_.info().num_showers;
    const std::int64_t step = reader_.batch_within(std::size_t{64} << 20);
    core::Progress progress(label, count, "showers");
    for (std::int64_t begin = 0; begin < count; begin += step) {
      add(reader_.read(begin, step), begin);
      progress.update(std::min(begin + step, count));
    }
    for (auto& [name, group] : sample_.groups) finish(group);
    return std::move(sample_);
  }

 private:
  // One extractor for each mesh; fills mesh_of_geometry_.
  std::vector<FeatureExtractor> extractors_of_geometries() {
    const DatasetInfo& info = reader_.info();
    std::vector<const VoxelMesh*> meshes;
    std::vector<FeatureExtractor> extractors;
    for (const std::string& geometry : info.geometries) {
      const VoxelMesh& mesh = info.mesh_of(geometry);
      const auto same =
          std::find_if(meshes.begin(), meshes.end(), [&](const VoxelMesh* other) { return *other == mesh; });
      mesh_of_geometry_.push_back(static_cast<std::size_t>(same - meshes.begin()));
      if (same != meshes.end()) continue;
      meshes.push_back(&mesh);
      extractors.emplace_back(mesh, options_.threshold_mev);
    }
    return extractors;
  }

  // All meshes have the same numbers of layers, rings and sectors.
  void prepare(GroupSample& group, std::size_t count) {
    const MeshAxes& axes = tools_.front().front().axes();
    group.incident_mev.resize(count);
    for (auto& values : group.observables) values.resize(count);
    for (auto& layers : group.layers)
      layers.assign(static_cast<std::size_t>(axes.layers), std::vector<float>(count));
    group.ring_mev.assign(static_cast<std::size_t>(axes.rings), std::vector<float>(count));
    group.sector_mev.assign(static_cast<std::size_t>(axes.sectors), std::vector<float>(count));
    group.cell_counts.assign(kCellBins, std::vector<float>(count));
    group.log_sum.resize(count);
    group.fingerprints.resize(count);
    group.places.resize(count);
    group.high_level = high_level_table(mesh_);
    group.high_level.resize(count);
    group.calochallenge = calochallenge_table(mesh_);
    group.calochallenge.resize(count);
    group.mean_cell_mev.assign(static_cast<std::size_t>(mesh_.num_cells()), 0.0);
  }

  struct Row {
    GroupSample* group;
    std::size_t row;
    std::string name;
  };
  struct Partial {
    BadCells bad;
    std::map<GroupSample*, std::int64_t> empty;
  };

  void add(const Showers& showers, std::int64_t first_place) {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < showers.size(); ++i) {
      const Conditions& condition = showers.conditions[i];
      const std::string& geometry = showers.geometries[condition.geometry];
      std::string name = condition_group(condition, geometry, options_.discrete);
      GroupSample& group = sample_.groups.at(name);
      if (group.showers == 0) {
        group.geometry = geometry;
        group.angle_deg = condition.theta_rad * 180 / std::numbers::pi;
      }
      rows.push_back({.group = &group, .row = group.showers++, .name = std::move(name)});
    }
    const std::size_t chunks = (showers.size() + kChunk - 1) / kChunk;
    std::vector<Partial> partials(chunks);
    pool_.for_each(chunks, [&](std::size_t chunk) {
      const std::size_t tool = take();
      for (std::size_t i = chunk * kChunk; i < std::min(showers.size(), (chunk + 1) * kChunk); ++i)
        fill(showers, i, first_place + static_cast<std::int64_t>(i),
             tools_[tool][mesh_of_geometry_.at(showers.conditions[i].geometry)], rows[i], partials[chunk]);
      give(tool);
    });
    for (const Partial& partial : partials) {
      sample_.bad_cells.not_finite += partial.bad.not_finite;
      sample_.bad_cells.negative += partial.bad.negative;
      for (const auto& [group, count] : partial.empty) group->empty_showers += count;
    }
    for (std::size_t i = 0; i < showers.size(); ++i) {
      GroupSample& group = *rows[i].group;
      const auto cells = showers.cells_of(i);
      const auto energies = showers.energies_of(i);
      for (std::size_t hit = 0; hit < cells.size(); ++hit)
        if (tools_.front().front().counts(energies[hit])) group.mean_cell_mev[cells[hit]] += energies[hit];
      keep_examples(showers, i, group, group.fingerprints[rows[i].row], rows[i].name);
    }
  }

  void fill(const Showers& showers, std::size_t i, std::int64_t place, FeatureExtractor& extractor,
            const Row& at, Partial& partial) {
    const ShowerFeatures& features = extractor.extract(showers, i);
    GroupSample& group = *at.group;
    const std::size_t row = at.row;
    group.incident_mev[row] = features.incident_energy_mev;
    for (std::size_t k = 0; k < std::size(kObservables); ++k)
      group.observables[k][row] = kObservables[k].value(features);
    for (std::size_t k = 0; k < std::size(kLayerObservables); ++k)
      for (std::size_t layer = 0; layer < group.layers[k].size(); ++layer)
        group.layers[k][layer][row] = static_cast<float>(kLayerObservables[k].value(features, layer));
    for (std::size_t k = 0; k < group.ring_mev.size(); ++k)
      group.ring_mev[k][row] = static_cast<float>(features.ring_mev[k]);
    for (std::size_t k = 0; k < group.sector_mev.size(); ++k)
      group.sector_mev[k][row] = static_cast<float>(features.sector_mev[k]);
    group.log_sum[row] = static_cast<float>(features.log_sum);
    group.fingerprints[row] = features.fingerprint;
    group.places[row] = place;
    group.high_level.set_row(row, high_level_row(features, showers.num_cells()));
    group.calochallenge.set_row(row, calochallenge_row(features, mesh_));
    if (features.is_empty()) ++partial.empty[&group];
    for (const float energy : showers.energies_of(i)) {
      if (!std::isfinite(energy)) ++partial.bad.not_finite;
      if (energy < 0) ++partial.bad.negative;
    }
    for (std::size_t bin = 0; bin < kCellBins; ++bin) group.cell_counts[bin][row] = features.cell_counts[bin];
  }

  void keep_examples(const Showers& showers, std::size_t i, GroupSample& group, std::uint64_t fingerprint,
                     const std::string& name) {
    std::vector<Example>& slots = examples_[&group];
    const GroupSample* partner = nullptr;
    if (like_ != nullptr)
      if (const auto it = like_->groups.find(name); it != like_->groups.end()) partner = &it->second;
    if (slots.empty()) slots.resize(partner == nullptr ? options_.examples : partner->examples.size());
    for (std::size_t k = 0; k < slots.size(); ++k) {
      const double wanted = partner == nullptr ? 0 : partner->examples.conditions[k].incident_energy_mev;
      const double distance =
          partner == nullptr ? 0 : std::abs(double{showers.conditions[i].incident_energy_mev} - wanted);
      // Each place has an order of its own: not the same shower in all.
      const std::uint64_t order = std::rotl(fingerprint, static_cast<int>(13 * k));
      if (std::tie(distance, order) >= std::tie(slots[k].distance, slots[k].order)) continue;
      slots[k] = {
          .distance = distance, .order = order, .shower = Showers(showers.num_cells(), showers.geometries)};
      slots[k].shower.append(showers, i, i + 1);
    }
  }

  void finish(GroupSample& group) {
    std::vector<std::size_t> order(group.showers);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::tie(group.fingerprints[a], group.places[a]) <
             std::tie(group.fingerprints[b], group.places[b]);
    });
    reorder(group.incident_mev, order);
    for (auto& values : group.observables) reorder(values, order);
    for (auto& layers : group.layers)
      for (auto& values : layers) reorder(values, order);
    for (auto* list : {&group.ring_mev, &group.sector_mev, &group.cell_counts})
      for (auto& values : *list) reorder(values, order);
    reorder(group.log_sum, order);
    reorder(group.fingerprints, order);
    reorder(group.places, order);
    reorder(group.high_level, order);
    reorder(group.calochallenge, order);
    for (double& energy : group.mean_cell_mev) energy /= static_cast<double>(group.showers);
    group.examples = Showers(mesh_.num_cells(), reader_.info().geometries);
    for (const Example& example : examples_[&group])
      group.examples.append(example.shower, 0, example.shower.size());
  }

  // Tools are lent to threads one at a time.
  std::size_t take() {
    const std::scoped_lock lock(mutex_);
    const std::size_t tool = free_.back();
    free_.pop_back();
    return tool;
  }
  void give(std::size_t tool) {
    const std::scoped_lock lock(mutex_);
    free_.push_back(tool);
  }

  ShowerReader& reader_;
  const VoxelMesh& mesh_;
  SampleOptions options_;
  const ShowerSample* like_;
  core::ThreadPool& pool_;
  std::vector<std::vector<FeatureExtractor>> tools_;  // [tool][mesh]
  std::vector<std::size_t> mesh_of_geometry_;         // index of the mesh, by geometry
  std::mutex mutex_;
  std::vector<std::size_t> free_;
  std::map<GroupSample*, std::vector<Example>> examples_;
  ShowerSample sample_;
};

}  // namespace

double GroupSample::mean_energy_gev() const {
  // The mean of equal numbers would be rounded.
  const bool equal = std::all_of(incident_mev.begin(), incident_mev.end(),
                                 [&](double energy) { return energy == incident_mev.front(); });
  return equal && !incident_mev.empty() ? energy_gev(incident_mev.front()) : spread(incident_mev).mean / 1000;
}

std::map<std::string, std::size_t> count_groups(const ShowerReader& reader, bool discrete) {
  std::map<std::string, std::size_t> counts;
  for (const Conditions& condition : reader.conditions())
    ++counts[condition_group(condition, reader.info().geometries[condition.geometry], discrete)];
  return counts;
}

ShowerSample read_sample(ShowerReader& reader, const SampleOptions& options, const char* label,
                         const ShowerSample* like, core::ThreadPool& pool) {
  return SampleReader(reader, options, like, pool).read(label);
}

Showers read_places(ShowerReader& reader, const std::vector<std::int64_t>& places) {
  std::vector<std::size_t> order(places.size());  // ascending in the file
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return places[a] < places[b]; });
  Showers found(reader.info().mesh.num_cells(), reader.info().geometries);
  const std::int64_t step = reader.batch_within(std::size_t{64} << 20);
  std::size_t next = 0;
  for (std::int64_t begin = 0; begin < reader.info().num_showers && next < order.size(); begin += step) {
    if (places[order[next]] >= begin + step) continue;
    const Showers batch = reader.read(begin, step);
    for (; next < order.size() && places[order[next]] < begin + step; ++next) {
      const auto i = static_cast<std::size_t>(places[order[next]] - begin);
      found.append(batch, i, i + 1);
    }
  }
  std::vector<std::size_t> where(places.size());
  for (std::size_t i = 0; i < order.size(); ++i) where[order[i]] = i;
  Showers result(reader.info().mesh.num_cells(), reader.info().geometries);
  for (const std::size_t i : where) result.append(found, i, i + 1);
  return result;
}

}  // namespace calo
