#pragma once

#include <string>
#include <vector>

#include "calo/validate/comparison.h"

namespace calo {

/// A mean with its statistical error at each energy.
struct ScanSide {
  std::vector<double> values, errors;
};

/// Resolution against energy: σ / E = a / √E ⊕ c, E in GeV (R. Wigmans, Calorimetry; the noise term is no
/// part of a simulation without electronics). Fitted to (σ / E)² = a² / E + c² by weighted least squares,
/// neither below 0.
struct ResolutionFit {
  double stochastic = 0, stochastic_error = 0;  ///< a, √GeV
  double constant = 0, constant_error = 0;      ///< c
  bool is_fitted = false;                       ///< three energies are needed

  double at(double energy_gev) const;
};
ResolutionFit fit_resolution(const std::vector<double>& energies_gev, const ScanSide& resolution);

/// Means of one observable against incident energy, for one geometry and angle.
struct EnergyScan {
  std::string geometry;
  double angle_deg = 0;
  std::vector<double> energies_gev;  ///< ascending
  struct Quantity {
    std::string name, title, unit;
    ScanSide full, fast;
  };
  std::vector<Quantity> quantities;  ///< response, resolution, linearity, depths, radius, cells
  ResolutionFit full_fit, fast_fit;
};

/// One for each geometry and angle that has two energies or more.
std::vector<EnergyScan> scan_energies(const std::vector<ConditionComparison>& groups);

}  // namespace calo
