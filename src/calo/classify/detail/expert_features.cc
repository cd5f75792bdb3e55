#include "calo/classify/detail/expert_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace calo {
namespace {

constexpr std::size_t kSpectrumBins = 32, kRingBins = 16;
constexpr std::uint32_t kSpectrumRings[] = {0, 1, 2, 4};

// Numbers of each layer and each ring, in the order of their columns.
enum OfLayer : std::size_t {
  kPairs1,
  kPairs2,
  kPairsHalf,
  kProduct1,
  kProduct2,
  kProductHalf,
  kPairsInR,
  kBehind,  // [1 or 2 layers][0, 1, 2 steps in phi]
  kHottest = kBehind + 6,
  kAlone,
  kLayerColumns
};
constexpr const char* kLayerNames[] = {
    "pairs_phi_1",      "pairs_phi_2",      "pairs_phi_half",   "product_phi_1",  "product_phi_2",
    "product_phi_half", "pairs_r",          "product_next_0",   "product_next_1", "product_next_2",
    "product_second_0", "product_second_1", "product_second_2", "hottest_cell",   "alone_in_phi"};
static_assert(std::size(kLayerNames) == kLayerColumns);

enum OfRing : std::size_t { kShare, kHits, kAloneInDepth, kRingColumns };
constexpr const char* kRingNames[] = {"share", "hits", "alone"};

std::vector<float> quantiles(std::vector<float>& values, std::size_t bins) {
  std::vector<float> edges;
  if (values.empty()) return std::vector<float>(bins - 1, 0.0f);
  std::sort(values.begin(), values.end());
  for (std::size_t i = 1; i < bins; ++i) edges.push_back(values[i * values.size() / bins]);
  return edges;
}

}  // namespace

// Coded energies of the cells of one shower.
struct ExpertFeatures::Scratch {
  std::vector<float> code;
  std::vector<double> layer_mev, ring_mev;
};

ExpertFeatures::ExpertFeatures(const VoxelMesh& mesh, const Showers& full, double threshold_mev)
    : mesh_(mesh), threshold_mev_(threshold_mev) {
  for (std::int64_t i = 0; i < mesh.num_cells(); ++i) {
    const CellPosition at = mesh.position(static_cast<std::uint32_t>(i));
    cells_.push_back({static_cast<std::uint32_t>(at.layer), static_cast<std::uint32_t>(at.r),
                      static_cast<std::uint32_t>(at.phi)});
  }
  const auto layers = static_cast<std::uint32_t>(mesh.num_layers());
  for (std::uint32_t i = 0; i < layers; ++i) {
    const LayerBinning& own = mesh.layer(static_cast<int>(i));
    Layer layer{static_cast<std::uint32_t>(own.n_r()), static_cast<std::uint32_t>(own.n_phi), {kNone, kNone}};
    for (std::uint32_t step = 1; step <= 2; ++step)
      if (i + step < layers && own.num_cells() > 0 && mesh.layer(static_cast<int>(i + step)) == own)
        layer.alike[step - 1] = i + step;
    layers_.push_back(layer);
  }
  if (mesh.is_cylinder()) {
    rings_ = static_cast<std::uint32_t>(mesh.cylinder().n_r);
    for (const std::uint32_t ring : kSpectrumRings)
      if (ring < rings_) rings_with_spectra_.push_back(ring);
  }

  std::vector<std::vector<float>> hits(1 + rings_with_spectra_.size());
  for (std::size_t i = 0; i < full.energies_mev.size(); ++i) {
    const float energy_mev = full.energies_mev[i];
    if (!counts(energy_mev)) continue;
    hits[0].push_back(energy_mev);
    for (std::size_t k = 0; k < rings_with_spectra_.size(); ++k)
      if (cells_[full.cells[i]].ring == rings_with_spectra_[k]) hits[k + 1].push_back(energy_mev);
  }
  for (std::size_t i = 0; i < hits.size(); ++i)
    edges_mev_.push_back(quantiles(hits[i], i == 0 ? kSpectrumBins : kRingBins));
  if (!hits[0].empty()) unit_mev_ = hits[0][hits[0].size() / 100];

  for (std::uint32_t i = 0; i < layers; ++i)
    for (const char* name : kLayerNames) names_.push_back(fmt::format("{}_layer_{}", name, i));
  for (std::uint32_t i = 0; i < rings_; ++i)
    for (const char* name : kRingNames) names_.push_back(fmt::format("{}_ring_{}", name, i));
  for (std::size_t i = 0; i < edges_mev_.size(); ++i) {
    first_bin_.push_back(names_.size());
    for (std::size_t bin = 0; bin <= edges_mev_[i].size(); ++bin)
      names_.push_back(i == 0 ? fmt::format("spectrum_{}", bin)
                              : fmt::format("spectrum_{}_ring_{}", bin, rings_with_spectra_[i - 1]));
  }
}

bool ExpertFeatures::counts(float energy_mev) const {
  return energy_mev > 0 && static_cast<double>(energy_mev) >= threshold_mev_ && std::isfinite(energy_mev);
}

std::uint32_t ExpertFeatures::cell(std::uint32_t layer, std::uint32_t phi, std::uint32_t ring) const {
  return mesh_.cell(static_cast<int>(layer), static_cast<int>(phi), static_cast<int>(ring));
}

void ExpertFeatures::add(const Showers& showers, std::size_t shower, Scratch& scratch, float* row) const {
  const auto hits = showers.cells_of(shower);
  const auto energies = showers.energies_of(shower);
  std::fill(scratch.layer_mev.begin(), scratch.layer_mev.end(), 0.0);
  std::fill(scratch.ring_mev.begin(), scratch.ring_mev.end(), 0.0);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    if (!counts(energies[i])) continue;
    scratch.code[hits[i]] = std::log1p(energies[i] / unit_mev_);
    scratch.layer_mev[cells_[hits[i]].layer] += static_cast<double>(energies[i]);
    if (rings_ > 0) scratch.ring_mev[cells_[hits[i]].ring] += static_cast<double>(energies[i]);
  }
  const std::vector<float>& code = scratch.code;
  float* const rings = row + layers_.size() * kLayerColumns;
  double total_mev = 0;
  for (const double energy_mev : scratch.layer_mev) total_mev += energy_mev;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    if (!counts(energies[i])) continue;
    const Cell& at = cells_[hits[i]];
    const Layer& layer = layers_[at.layer];
    const float own = code[hits[i]];
    float* const of_layer = row + at.layer * kLayerColumns;
    const auto turned = [&](std::uint32_t in_layer, std::uint32_t steps) {
      return code[cell(in_layer, (at.phi + steps) % layer.n_phi, at.ring)];
    };
    const auto pair = [&](std::uint32_t steps, OfLayer pairs, OfLayer product) {
      const float other = turned(at.layer, steps);
      of_layer[pairs] += other > 0 ? 1.0f : 0.0f;
      of_layer[product] += own * other;
    };
    bool alone = true;
    if (layer.n_phi > 1) {
      pair(1, kPairs1, kProduct1);
      pair(2, kPairs2, kProduct2);
      pair(layer.n_phi / 2, kPairsHalf, kProductHalf);
      alone = !(turned(at.layer, 1) > 0) && !(turned(at.layer, layer.n_phi - 1) > 0);
      if (alone) of_layer[kAlone] += 1;
    }
    if (at.ring + 1 < layer.n_r && code[cell(at.layer, at.phi, at.ring + 1)] > 0) of_layer[kPairsInR] += 1;
    for (std::uint32_t step = 0; step < 2; ++step)
      for (std::uint32_t turn = 0; layer.alike[step] != kNone && turn < 3; ++turn)
        of_layer[kBehind + 3 * step + turn] += own * turned(layer.alike[step], turn);
    of_layer[kHottest] = std::max(of_layer[kHottest], static_cast<float>(static_cast<double>(energies[i]) /
                                                                         scratch.layer_mev[at.layer]));
    if (rings_ > 0) {
      float* const of_ring = rings + at.ring * kRingColumns;
      of_ring[kHits] += 1;
      const auto depth = [&](std::uint32_t in_layer) { return code[cell(in_layer, at.phi, at.ring)] > 0; };
      if (alone && !(at.layer > 0 && depth(at.layer - 1)) &&
          !(at.layer + 1 < layers_.size() && depth(at.layer + 1)))
        of_ring[kAloneInDepth] += 1;
    }
    for (std::size_t k = 0; k < edges_mev_.size(); ++k) {
      if (k > 0 && at.ring != rings_with_spectra_[k - 1]) continue;
      const auto bin = std::upper_bound(edges_mev_[k].begin(), edges_mev_[k].end(), energies[i]);
      row[first_bin_[k] + static_cast<std::size_t>(bin - edges_mev_[k].begin())] += 1;
    }
  }
  for (std::uint32_t ring = 0; ring < rings_ && total_mev > 0; ++ring)
    rings[ring * kRingColumns + kShare] = static_cast<float>(scratch.ring_mev[ring] / total_mev);
  for (const std::uint32_t hit : hits) scratch.code[hit] = 0;
}

FeatureTable ExpertFeatures::table(const ClassifierShowers& showers, core::ThreadPool& pool) const {
  const FeatureTable& known = showers.features;
  FeatureTable result;
  result.names = known.names;
  result.names.insert(result.names.end(), names_.begin(), names_.end());
  const std::size_t rows = known.rows(), columns = result.columns();
  result.resize(rows);
  constexpr std::size_t kPiece = 256;
  pool.for_each((rows + kPiece - 1) / kPiece, [&](std::size_t piece) {
    Scratch scratch{.code = std::vector<float>(cells_.size()),
                    .layer_mev = std::vector<double>(layers_.size()),
                    .ring_mev = std::vector<double>(rings_)};
    for (std::size_t i = piece * kPiece; i < std::min(rows, (piece + 1) * kPiece); ++i) {
      float* const row = result.values.data() + i * columns;
      std::copy_n(known.row(i), known.columns(), row);
      add(showers.showers, i, scratch, row + known.columns());
    }
  });
  return result;
}

}  // namespace calo
