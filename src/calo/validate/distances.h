#pragma once

#include <span>
#include <vector>

namespace calo {

/// Jensen–Shannon divergence of two histograms with the same bins, in bits (0 = equal, 1 = disjoint). Counts
/// need not be normalised; two empty histograms are equal, an empty one and a filled one are disjoint.
double jensen_shannon(std::span<const double> p, std::span<const double> q);

/// Two-sample Kolmogorov–Smirnov statistic, exact, and its p-value by the asymptotic distribution
/// (Numerical Recipes, 14.3, with the correction for small samples).
struct KolmogorovSmirnov {
  double statistic = 0;
  double p_value = 1;
};
KolmogorovSmirnov kolmogorov_smirnov(std::vector<double> a, std::vector<double> b);

/// First Wasserstein distance of two samples, exact, in the unit of the values.
double wasserstein(std::vector<double> a, std::vector<double> b);

}  // namespace calo
