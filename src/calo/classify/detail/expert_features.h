#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calo/validate/classifier.h"
#include "core/thread_pool.h"

namespace calo {

/// Numbers of a shower that an expert would look at beyond the high-level features: what single cells and
/// their neighbours do.
///
/// Beside a row of the feature table:
/// - of each layer: pairs of hits, and products of coded energies, of cells 1 and 2 steps and half a turn
///   apart in phi; pairs of hits in neighbouring rings; products of coded energies with those 1 and 2 layers
///   behind, 0 to 2 steps apart in phi (of layers with the same cells); share of its hottest cell; hits
///   without neighbours in phi;
/// - of each ring of a regular mesh: share of the energy, hits, hits without neighbours in phi and in depth;
/// - spectrum of the hits of all cells and, in a regular mesh, of the rings 0, 1, 2 and 4, in bins of equal
///   numbers of hits of the full showers.
///
/// The coded energy is ln(1 + E / E0); E0 is the energy that 1 % of the full showers' hits stay below.
class ExpertFeatures {
 public:
  /// @param threshold_mev  cells below count as 0
  ExpertFeatures(const VoxelMesh& mesh, const Showers& full, double threshold_mev);

  /// One row for each shower.
  FeatureTable table(const ClassifierShowers& showers, core::ThreadPool& pool) const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Cell {
    std::uint32_t layer, ring, phi;
  };
  struct Layer {
    std::uint32_t n_r, n_phi;
    std::uint32_t alike[2];  // layers 1 and 2 behind it with the same cells; kNone
  };
  struct Scratch;

  bool counts(float energy_mev) const;
  std::uint32_t cell(std::uint32_t layer, std::uint32_t phi, std::uint32_t ring) const;
  void add(const Showers& showers, std::size_t shower, Scratch& scratch, float* row) const;

  VoxelMesh mesh_;
  double threshold_mev_;
  float unit_mev_ = 1;
  std::vector<Cell> cells_;  // by index in the mesh
  std::vector<Layer> layers_;
  std::uint32_t rings_ = 0;  // of a regular mesh; else 0
  std::vector<std::uint32_t> rings_with_spectra_;
  std::vector<std::vector<float>> edges_mev_;  // of the bins of each spectrum: of all cells, then of rings
  std::vector<std::size_t> first_bin_;         // column of each spectrum
  std::vector<std::string> names_;
};

}  // namespace calo
