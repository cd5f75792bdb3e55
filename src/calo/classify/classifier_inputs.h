#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calo/classify/network_classifier.h"

namespace calo {

/// A shower of one of the two sides.
struct ClassifierSample {
  std::uint32_t row;
  bool fast;
};

/// Inputs of several showers, sparse: those of shower i are [begin[i], begin[i + 1]), columns ascending.
struct SparseBatch {
  std::vector<std::size_t> begin{0};
  std::vector<std::uint32_t> column;
  std::vector<float> value;

  std::size_t size() const { return begin.size() - 1; }
};

/// What a network of one kind gets of a shower, made from the showers when a batch is.
///
/// kHighLevel: the features, standardised on the training part and cut off at 10 standard deviations; those
/// that do not vary are 0.
/// kVoxels: a column for each cell with 100 E / E_incident, then log10(E_incident / MeV).
/// kNormalisedVoxels: a column for each cell with E / E_layer, then log10(E_layer / MeV + 1e-8) for each
/// layer, then log10(E_incident / MeV). kCnn: a column for each cell with 100 E / E_incident, then
/// log10(E_incident), standardised.
class ClassifierInputs {
 public:
  ClassifierInputs(NetworkKind kind, const ClassifiedShowers& showers, double threshold_mev);

  /// Takes what is standardised from these rows of both sides.
  void fit(std::span<const std::size_t> rows);

  std::size_t columns() const { return columns_; }
  SparseBatch batch(std::span<const ClassifierSample> samples) const;
  /// Columns that are not 0 in any of the samples.
  std::vector<bool> used_columns(std::span<const ClassifierSample> samples) const;

 private:
  bool counts(float energy_mev) const;
  void append_features(const ClassifierSample& sample, SparseBatch& batch) const;
  void append_cells(const ClassifierSample& sample, SparseBatch& batch) const;
  double log_response(const Showers& showers, std::size_t shower) const;
  double standardised(std::size_t column, double value) const;
  const ClassifierShowers& side(const ClassifierSample& sample) const { return sample.fast ? fast_ : full_; }

  NetworkKind kind_;
  ClassifierShowers full_, fast_;
  double threshold_mev_;
  std::size_t cells_, layers_, columns_;
  std::vector<std::uint16_t> layer_of_cell_;  // for kNormalisedVoxels
  std::vector<double> mean_, scale_;          // of features, or of what kCnn has beside the cells
};

}  // namespace calo
