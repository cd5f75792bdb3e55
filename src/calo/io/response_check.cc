#include "calo/io/response_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace calo {
namespace {

// Limits of total over incident energy, which is about 1 if cells are calibrated and the sampling fraction (a
// few percent) if not, and a thousand times more or less if one of the two is in GeV.
constexpr double kFarAbove = 10;
constexpr double kAbove = 1.5;
constexpr double kFarBelow = 0.005;
// No data set has only particles below this energy.
constexpr double kSmallestPlausibleMev = 100;

}  // namespace

void ResponseCheck::add(std::int64_t shower, double incident_mev, double total_mev) {
  if (!(incident_mev > 0) || !std::isfinite(incident_mev)) return;
  if (!(total_mev > 0) || !std::isfinite(total_mev)) return;
  const auto after = std::upper_bound(info_.first_shower.begin(), info_.first_shower.end(), shower);
  if (after == info_.first_shower.begin()) return;
  Counts& counts = files_[static_cast<std::size_t>(after - info_.first_shower.begin() - 1)];
  const double response = total_mev / incident_mev;
  ++counts.showers;
  counts.far_above += response > kFarAbove;
  counts.above += response > kAbove;
  counts.far_below += response < kFarBelow;
  counts.largest_mev = std::max(counts.largest_mev, incident_mev);
}

std::optional<core::ErrorDetails> ResponseCheck::error() const {
  for (std::size_t i = 0; i < files_.size(); ++i)
    if (const Counts& counts = files_[i]; 2 * counts.far_above > counts.showers)
      return core::ErrorDetails{
          .message = fmt::format("{} of {} showers have more than {} times their incident energy: incident "
                                 "energies seem to be in GeV instead of MeV",
                                 counts.far_above, counts.showers, kFarAbove),
          .file = info_.files[i],
          .hint = "multiply the incident energies by 1000"};
  return std::nullopt;
}

std::vector<Remark> ResponseCheck::notes() const {
  std::vector<Remark> notes;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const Counts& counts = files_[i];
    if (counts.showers == 0) continue;
    const auto note = [&](std::int64_t count, const char* what) {
      notes.push_back(
          {.file = info_.files[i], .text = fmt::format("{} of {} showers {}", count, counts.showers, what)});
    };
    if (counts.far_above > 0)
      note(counts.far_above,
           "have more than 10 times their incident energy: incident energies seem to be in GeV instead of "
           "MeV");
    else if (2 * counts.above > counts.showers)
      note(counts.above, "have more than 1.5 times their incident energy");
    if (5 * counts.far_below > counts.showers)
      note(counts.far_below,
           "have less than 0.005 of their incident energy: cells seem to be in GeV instead of MeV");
    if (counts.largest_mev < kSmallestPlausibleMev)
      notes.push_back({.file = info_.files[i],
                       .text = fmt::format("the largest incident energy is {:.4g} MeV: is it in GeV?",
                                           counts.largest_mev)});
  }
  return notes;
}

}  // namespace calo
