#pragma once

#include <optional>
#include <vector>

#include "calo/validate/balanced_sample.h"
#include "calo/validate/validation.h"

namespace calo {

/// What a validation knows when it comes to the scores.
struct ComparedSamples {
  const BalancedSample& sample;
  const std::vector<ConditionComparison>& conditions;
  const MeshAxes& axes;  ///< sizes are those of one geometry; the numbers of cells are the same for all
  const ValidateOptions& options;
  core::ThreadPool& pool;
};

/// What scores are computed from. Numbers that several scores need are computed when the first of them asks;
/// one thread asks at a time.
class ScoreInputs : public ComparedSamples {
 public:
  explicit ScoreInputs(const ComparedSamples& compared) : ComparedSamples(compared) {}

  /// The CaloChallenge's features of all showers of the sample.
  const BalancedTables& features() const;
  /// Neighbourhoods in the features; their floors are those of the two halves, if those are large enough.
  const Neighbourhoods& neighbourhoods() const;

  /// Replicas of whole showers, and halves of the full simulation.
  struct Resampling {
    Replicas full, fast, halves;
  };
  const Resampling& resampling() const;

 private:
  mutable std::optional<BalancedTables> features_;
  mutable std::optional<Neighbourhoods> neighbourhoods_;
  mutable std::optional<Resampling> resampling_;
};

/// The estimate with another one, between the two halves of the full simulation, as its floor.
Estimate with_floor(Estimate estimate, const Estimate& between_halves);

}  // namespace calo
