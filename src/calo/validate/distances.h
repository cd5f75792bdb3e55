#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/validate/named_rows.h"

namespace calo {

/// Jensen–Shannon divergence of two histograms with the same bins, in bits (0 = equal, 1 = disjoint). Counts
/// need not be normalised; two empty histograms are equal, an empty one and a filled one are disjoint.
double jensen_shannon(std::span<const double> p, std::span<const double> q);

/// Separation power, or triangular discrimination, of two histograms with the same bins, each normalised to
/// 1: ½ Σ (p − q)² / (p + q) (arXiv:2009.03796, eq. 15; CaloChallenge, code/evaluate_plotting_helper.py). 0 =
/// equal, 1 = disjoint; empty histograms as for jensen_shannon().
double separation_power(std::span<const double> p, std::span<const double> q);

/// Two-sample Kolmogorov–Smirnov statistic, exact, and its p-value by the asymptotic distribution
/// (Numerical Recipes, 14.3, with the correction for small samples).
struct KolmogorovSmirnov {
  double statistic = 0;
  double p_value = 1;
};
KolmogorovSmirnov kolmogorov_smirnov(std::vector<double> a, std::vector<double> b);
/// p-value of a statistic between samples of n and m values.
double kolmogorov_smirnov_p(double statistic, double n, double m);

/// First Wasserstein distance of two samples, exact, in the unit of the values.
double wasserstein(std::vector<double> a, std::vector<double> b);
/// The same of two histograms with the same bins of this width; 0 if one is empty.
double wasserstein_of_histograms(std::span<const double> p, std::span<const double> q, double bin_width);

/// Chi-squared test of two histograms.
struct ChiSquared {
  double value = 0;
  int degrees = 0;  ///< of freedom
  double p_value = 1;
};
/// Of two histograms of counts, whose totals may differ: Σ (√(M/N) n − √(N/M) m)² / (n + m), bins − 1 degrees
/// of freedom (N. Gagunashvili, arXiv:physics/0605123, eq. 4). Neighbouring bins are merged until each has 10
/// entries of both together, so that the distribution is close to its limit.
ChiSquared chi_squared(std::span<const double> n, std::span<const double> m);
/// Of two histograms of weights with the variances of their bins, each normalised to 1:
/// Σ (p/P − q/Q)² / (σp²/P² + σq²/Q²), bins − 1 degrees of freedom. Bins without variance are left out.
ChiSquared chi_squared(std::span<const double> p, std::span<const double> p_variance,
                       std::span<const double> q, std::span<const double> q_variance);

/// Probability that chi-squared of so many degrees of freedom is `value` or more.
double chi_squared_p(double value, int degrees);

/// Values of two samples in even bins over [low, high]; values outside are in the first and last bin.
struct BinRange {
  double low = 0, high = 1;
  std::size_t bins = 30;

  double width() const { return (high - low) / static_cast<double>(bins); }
  std::size_t bin(double value) const {
    const double place = (value - low) / (high - low) * static_cast<double>(bins);
    if (!(place > 0)) return 0;
    return place >= static_cast<double>(bins) ? bins - 1 : static_cast<std::size_t>(place);
  }
};

/// How often each shower of a sample counts in each of several replicas of it: weights[replica][shower].
using Replicas = std::vector<std::vector<std::uint8_t>>;
/// Bootstrap: each shower counts a number of times that is Poisson-distributed with mean 1.
Replicas poisson_replicas(std::size_t showers, std::size_t replicas, std::uint64_t seed);
/// Halves: in each replica a random half of the showers counts once, the others not at all.
Replicas half_replicas(std::size_t showers, std::size_t replicas, std::uint64_t seed);

/// A number with what is known of its statistics.
struct Estimate {
  double value = 0;
  double error = 0;        ///< standard deviation over bootstrap replicas of both samples
  double floor = 0;        ///< mean of the same number between two random halves of the full simulation
  double floor_error = 0;  ///< standard deviation of that
  bool has_floor = false;

  /// Floor from the number between several pairs of halves; none if there are no pairs.
  void set_floor(std::span<const double> between_halves);
};

/// A distance of two distributions, as a row of kDistances. It is computed from the values of two samples,
/// and, where only sums over showers are known (profiles), from histograms.
struct Distance {
  const char* name;  ///< the key in metrics.json and in the data of the report
  /// From two histograms with the same bins of this width. Null if it needs the values.
  double (*of_histograms)(std::span<const double> p, std::span<const double> q, double bin_width);
  /// From the values: both cumulative distributions are walked along from 0 on, and over each stretch where
  /// they differ by `difference`, of this width, the distance so far becomes what is returned. Null if the
  /// histograms of the values are all that it looks at.
  double (*add_stretch)(double so_far, double difference, double width);
};

/// A new one is a row here, one in web/report/numbers.js that says what the report calls it, and one in
/// doc/validation.md.
inline constexpr Distance kDistances[] = {
    {"jsd", [](auto p, auto q, double) { return jensen_shannon(p, q); }, nullptr},
    {"separation", [](auto p, auto q, double) { return separation_power(p, q); }, nullptr},
    {"wasserstein", wasserstein_of_histograms,
     [](double sum, double difference, double width) { return sum + difference * width; }},
    {"ks", nullptr, [](double largest, double difference, double) { return std::max(largest, difference); }},
};

static_assert(has_unique_names(kDistances));

/// Index of a distance in kDistances. A name that is not there does not compile.
struct DistanceName {
  // NOLINTNEXTLINE(google-explicit-constructor): a name is written where a distance is meant
  consteval DistanceName(const char* name) : index(index_of(kDistances, name)) {}
  std::size_t index;
};

/// Estimates of all distances, in the order of kDistances.
class DistanceEstimates {
 public:
  Estimate& operator[](std::size_t index) { return estimates_[index]; }
  const Estimate& operator[](std::size_t index) const { return estimates_[index]; }
  /// As in of("jsd").
  const Estimate& of(DistanceName distance) const { return estimates_[distance.index]; }

 private:
  std::array<Estimate, std::size(kDistances)> estimates_;
};

/// Distances of two samples of one observable.
struct SampleDistances {
  DistanceEstimates estimates;
  double ks_p_value = 1;
};
/// @param full,fast values, one for each shower; NaN = the shower has none and is left out; one number each
/// at least
/// @param full_replicas,fast_replicas bootstrap replicas; as many of both
/// @param halves of the full simulation; none = no floor
SampleDistances sample_distances(std::span<const double> full, std::span<const double> fast,
                                 const BinRange& bins, const Replicas& full_replicas,
                                 const Replicas& fast_replicas, const Replicas& halves);

/// p-values corrected for how many there are, so that the chance that any of them is below 0.05 by accident
/// is 0.05 at most (Holm, Scand. J. Statist. 6 (1979) 65). In the order of the input.
std::vector<double> holm(std::span<const double> p_values);

/// Mean and standard deviation of some numbers (n - 1 in the denominator; 0 for fewer than two).
struct Spread {
  double mean = 0, deviation = 0;
};
Spread spread(std::span<const double> values);

}  // namespace calo
