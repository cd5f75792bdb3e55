#pragma once

#include <cstddef>
#include <vector>

namespace tune {

/// True if `a` is nowhere worse than `b`, and better in one objective (smaller is better).
bool dominates(const std::vector<double>& a, const std::vector<double>& b);

/// Indices of the points that no other dominates.
std::vector<std::size_t> pareto_front(const std::vector<std::vector<double>>& losses);

/// Indices from the best to the worst: by fronts, and within a front those with more space around them first
/// (Deb et al., "NSGA-II", 2002). With one objective, by its value. Equal points keep their order.
std::vector<std::size_t> ranked(const std::vector<std::vector<double>>& losses);

}  // namespace tune
