#pragma once

#include <cstdint>

#include "calo/validate/distances.h"
#include "calo/validate/features.h"
#include "core/thread_pool.h"

namespace calo {

/// Distances of two samples in the space of all their features: R. Kansal et al., arXiv:2211.10295, as the
/// jetnet package computes them (jetnet/evaluation/gen_metrics.py), so that numbers can be put beside
/// published ones.
struct PhysicsDistanceOptions {
  std::uint64_t seed = 42;
  /// FPD: sizes of the batches. 0 = the published ones (20 000 to 50 000) where both samples have 50 000
  /// showers or more, else 0.4 to 1 times the smaller sample.
  std::int64_t min_samples = 0, max_samples = 0;
  int fpd_batches = 20;  ///< for each size
  int fpd_points = 10;   ///< sizes, evenly spaced in 1 / size
  int kpd_batches = 10;
  /// KPD: showers in a batch; 0 = the published 5000, or half the smaller sample where that is less.
  std::int64_t kpd_batch_size = 0;
};

/// Fewest showers of each side that these distances are computed of.
constexpr std::size_t kFewestForDistances = 20;

/// Fréchet physics distance: |μ1 − μ2|² + tr(Σ1 + Σ2 − 2 √(Σ1 Σ2)) of the features over their largest
/// absolute value in `full`, extrapolated linearly in 1 / size to samples of any size; never negative. The
/// error is that of the fit's intercept. Below 50 000 showers the finite sample leaves a bias: compare with
/// the floor.
/// @param full,fast kFewestForDistances rows or more, the same columns
/// @throws core::UsageError for sizes that make no sense
Estimate frechet_physics_distance(const FeatureTable& full, const FeatureTable& fast,
                                  const PhysicsDistanceOptions& options, core::ThreadPool& pool);

/// Kernel physics distance: squared maximum mean discrepancy, unbiased, of the polynomial kernel
/// (x·y / dimensions + 1)⁴; the median over batches, and half the range of the central 67.45 % as its error.
/// May be negative. Batches are drawn with replacement where the samples have ten times as many showers, else
/// without.
Estimate kernel_physics_distance(const FeatureTable& full, const FeatureTable& fast,
                                 const PhysicsDistanceOptions& options, core::ThreadPool& pool);

/// Precision, recall, density and coverage (M. F. Naeem et al., arXiv:2002.09797, section 3) on features that
/// are standardised by the full simulation's mean and standard deviation. Errors are binomial, that of the
/// density is from the spread over showers; neighbourhoods are taken as they are.
struct Neighbourhoods {
  Estimate precision;  ///< share of the fast showers that lie in a full shower's neighbourhood
  Estimate recall;     ///< share of the full showers that lie in a fast shower's neighbourhood
  Estimate density;  ///< how many full neighbourhoods a fast shower lies in, over the number of neighbours; 1
                     ///< where equal
  Estimate coverage;  ///< share of the full showers whose neighbourhood holds a fast one
};
/// @param neighbours a shower's neighbourhood reaches to that nearest other shower of its sample
Neighbourhoods neighbourhoods(const FeatureTable& full, const FeatureTable& fast, core::ThreadPool& pool,
                              int neighbours = 5);

}  // namespace calo
