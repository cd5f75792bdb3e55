#include "calo/validate/energy_scan.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace calo {
namespace {

// Standard deviation relative to the mean; its error for a normal
// distribution.
void resolution(double mean, double deviation, double showers, ScanSide& side) {
  const double value = mean > 0 ? deviation / mean : 0;
  side.values.push_back(value);
  side.errors.push_back(showers > 1 ? value / std::sqrt(2 * (showers - 1)) : 0);
}

// Response over its error-weighted mean, minus 1.
ScanSide linearity(const ScanSide& response) {
  double sum = 0, weights = 0;
  for (std::size_t i = 0; i < response.values.size(); ++i) {
    const double weight = response.errors[i] > 0 ? 1 / (response.errors[i] * response.errors[i]) : 0;
    sum += weight * response.values[i];
    weights += weight;
  }
  const double mean = weights > 0 ? sum / weights : 0;
  ScanSide result;
  for (std::size_t i = 0; i < response.values.size(); ++i) {
    result.values.push_back(mean > 0 ? response.values[i] / mean - 1 : 0);
    result.errors.push_back(mean > 0 ? response.errors[i] / mean : 0);
  }
  return result;
}

}  // namespace

double ResolutionFit::at(double energy_gev) const {
  return std::sqrt(stochastic * stochastic / energy_gev + constant * constant);
}

ResolutionFit fit_resolution(const std::vector<double>& energies_gev, const ScanSide& resolution) {
  double s = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  int used = 0;
  for (std::size_t i = 0; i < energies_gev.size(); ++i) {
    const double value = resolution.values[i], error = resolution.errors[i];
    if (!(value > 0) || !(error > 0)) continue;
    const double x = 1 / energies_gev[i], y = value * value, weight = 1 / (4 * value * value * error * error);
    s += weight;
    sx += weight * x;
    sy += weight * y;
    sxx += weight * x * x;
    sxy += weight * x * y;
    ++used;
  }
  const double determinant = s * sxx - sx * sx;
  ResolutionFit fit;
  if (used < 3 || !(determinant > 0)) return fit;
  double slope = (s * sxy - sx * sy) / determinant, offset = (sxx * sy - sx * sxy) / determinant;
  double slope_error = std::sqrt(s / determinant), offset_error = std::sqrt(sxx / determinant);
  if (offset < 0) {
    offset = 0;
    slope = sxy / sxx;
    slope_error = std::sqrt(1 / sxx);
  } else if (slope < 0) {
    slope = 0;
    offset = sy / s;
    offset_error = std::sqrt(1 / s);
  }
  // The error of a root near 0 is that of what could hide under it.
  const auto root_error = [](double square, double error) {
    return square > error ? error / (2 * std::sqrt(square)) : std::sqrt(error);
  };
  fit.stochastic = std::sqrt(slope);
  fit.stochastic_error = root_error(slope, slope_error);
  fit.constant = std::sqrt(offset);
  fit.constant_error = root_error(offset, offset_error);
  fit.is_fitted = true;
  return fit;
}

std::vector<EnergyScan> scan_energies(const std::vector<ConditionComparison>& groups) {
  std::map<std::pair<std::string, double>, std::vector<const ConditionComparison*>> series;
  for (const ConditionComparison& group : groups) series[{group.geometry, group.angle_deg}].push_back(&group);
  std::vector<EnergyScan> scans;
  for (auto& [key, list] : series) {
    std::vector<const ConditionComparison*>& members = list;
    if (members.size() < 2) continue;
    std::sort(members.begin(), members.end(),
              [](const auto* a, const auto* b) { return a->energy_gev < b->energy_gev; });
    EnergyScan scan{.geometry = key.first, .angle_deg = key.second};
    for (const auto* member : members) scan.energies_gev.push_back(member->energy_gev);
    const auto means = [&](const char* observable, const char* title) {
      EnergyScan::Quantity quantity{.name = std::string("scan_") + observable,
                                    .title = title,
                                    .unit = members.front()->observable(observable).unit};
      for (const auto* member : members) {
        const Comparison& c = member->observable(observable);
        quantity.full.values.push_back(c.full_mean);
        quantity.full.errors.push_back(c.full_mean_error);
        quantity.fast.values.push_back(c.fast_mean);
        quantity.fast.errors.push_back(c.fast_mean_error);
      }
      scan.quantities.push_back(std::move(quantity));
    };
    means("response", "Response");
    EnergyScan::Quantity sigma{.name = "scan_resolution", .title = "Energy resolution σ / E", .unit = ""};
    for (const auto* member : members) {
      const Comparison& c = member->observable("response");
      resolution(c.full_mean, c.full_deviation(), c.full_entries, sigma.full);
      resolution(c.fast_mean, c.fast_deviation(), c.fast_entries, sigma.fast);
    }
    scan.full_fit = fit_resolution(scan.energies_gev, sigma.full);
    scan.fast_fit = fit_resolution(scan.energies_gev, sigma.fast);
    scan.quantities.push_back(std::move(sigma));
    scan.quantities.push_back({.name = "scan_linearity",
                               .title = "Linearity: response over its mean - 1",
                               .unit = "",
                               .full = linearity(scan.quantities[0].full),
                               .fast = linearity(scan.quantities[0].fast)});
    means("longitudinal_first_moment", "Mean depth");
    means("depth_90", "Depth that holds 90 % of the energy");
    means("radius_90", "Radius that holds 90 % of the energy");
    means("filled_cells", "Cells with energy");
    scans.push_back(std::move(scan));
  }
  return scans;
}

}  // namespace calo
