#include "calo/io/inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <set>

#include "calo/io/repeated_showers.h"
#include "calo/io/response_check.h"
#include "calo/shower/energy.h"
#include "core/progress.h"

namespace calo {
namespace {

using nlohmann::json;

struct Key {
  std::uint16_t geometry;
  float theta, energy;
  auto operator<=>(const Key&) const =
      default;  // NOLINT(modernize-use-nullptr): false positive of clang-tidy 14
};

struct Sums {
  std::int64_t showers = 0;
  double min_energy = std::numeric_limits<double>::infinity(), max_energy = 0, response = 0, squares = 0;
};

json to_list(const std::vector<Remark>& remarks) {
  json list = json::array();
  for (const Remark& remark : remarks)
    list.push_back({{"file", remark.file.string()}, {"object", remark.object}, {"text", remark.text}});
  return list;
}

// Cells with exactly the largest energy of the data set are saturated if there are several.
class LargestCell {
 public:
  void add(float value) {
    if (value > value_) {
      value_ = value;
      count_ = 1;
    } else if (value == value_) {
      ++count_;
    }
  }
  float value() const { return value_; }
  std::int64_t saturated() const { return count_ > 1 ? count_ : 0; }

 private:
  float value_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace

DatasetReport inspect(ShowerReader& reader) {
  DatasetReport report{.info = reader.info(), .notes = reader.info().notes};
  std::set<float> energies;
  for (const Conditions& condition : reader.conditions())
    if (energies.size() <= 64 && std::isfinite(condition.incident_energy_mev))
      energies.insert(condition.incident_energy_mev);
  RepeatedShowers repeated;
  ResponseCheck response_check(report.info);
  const bool discrete = energies.size() <= 64;
  std::map<Key, Sums> groups;
  LargestCell largest;
  float smallest = std::numeric_limits<float>::infinity();
  std::int64_t hits = 0;
  const VoxelMesh& mesh = report.info.mesh;
  report.longitudinal.assign(static_cast<std::size_t>(mesh.num_layers()), 0.0);
  double total = 0;
  const std::int64_t step = reader.batch_within(std::size_t{64} << 20);
  core::Progress progress("inspect", report.info.num_showers, "showers");
  for (std::int64_t begin = 0; begin < report.info.num_showers; begin += step) {
    const Showers showers = reader.read(begin, step);
    for (std::size_t i = 0; i < showers.size(); ++i) {
      const Conditions& condition = showers.conditions[i];
      const auto cells = showers.cells_of(i);
      const auto values = showers.energies_of(i);
      double sum = 0;
      bool any = false;
      for (std::size_t hit = 0; hit < cells.size(); ++hit) {
        const float value = values[hit];
        if (!std::isfinite(value)) {
          ++report.nan_cells;
        } else if (value < 0) {
          ++report.negative_cells;
        } else if (value > 0) {
          any = true;
          ++hits;
          sum += value;
          smallest = std::min(smallest, value);
          largest.add(value);
          report.longitudinal[static_cast<std::size_t>(mesh.position(cells[hit]).layer)] += value;
        }
      }
      total += sum;
      if (!any) ++report.empty_showers;
      const double energy = condition.incident_energy_mev;
      repeated.add(condition, cells, values);
      response_check.add(begin + static_cast<std::int64_t>(i), energy, sum);
      if (!(energy > 0) || !std::isfinite(energy)) {
        ++report.bad_energies;
        continue;
      }
      if (sum > 1.5 * energy) ++report.too_much_energy;
      if (std::isnan(condition.theta_rad)) continue;  // noted by the reader; has no bin in a map
      Sums& sums =
          groups[{condition.geometry, condition.theta_rad, discrete ? condition.incident_energy_mev : 0}];
      ++sums.showers;
      sums.min_energy = std::min(sums.min_energy, energy);
      sums.max_energy = std::max(sums.max_energy, energy);
      sums.response += sum / energy;
      sums.squares += (sum / energy) * (sum / energy);
    }
    progress.update(std::min(begin + step, report.info.num_showers));
  }
  for (const auto& [key, sums] : groups) {
    const auto n = static_cast<double>(sums.showers);
    const double mean = sums.response / n;
    report.groups.push_back({.geometry = report.info.geometries[key.geometry],
                             .min_energy_gev = energy_gev(sums.min_energy),
                             .max_energy_gev = energy_gev(sums.max_energy),
                             .angle_deg = std::round(key.theta * 180 / std::numbers::pi * 100) / 100,
                             .showers = sums.showers,
                             .response = mean,
                             .response_spread = std::sqrt(std::max(0.0, sums.squares / n - mean * mean))});
  }
  report.filled_fraction = static_cast<double>(hits) / (static_cast<double>(mesh.num_cells()) *
                                                        static_cast<double>(report.info.num_showers));
  report.smallest_cell_mev = hits > 0 ? smallest : 0;
  report.largest_cell_mev = largest.value();
  report.saturated_cells = largest.saturated();
  report.repeated_showers = repeated.count();
  if (const auto remark = repeated.remark(report.info)) report.notes.push_back(*remark);
  for (const Remark& note : response_check.notes()) report.notes.push_back(note);
  for (double& share : report.longitudinal) share = total > 0 ? share / total : 0;
  return report;
}

json DatasetReport::to_json() const {
  json list = json::array();
  for (const Group& group : groups)
    list.push_back({{"geometry", group.geometry},
                    {"min_energy_gev", group.min_energy_gev},
                    {"max_energy_gev", group.max_energy_gev},
                    {"angle_deg", group.angle_deg},
                    {"showers", group.showers},
                    {"response", group.response},
                    {"response_spread", group.response_spread}});
  json other_files = json::array();
  for (const auto& file : info.other_files) other_files.push_back(file.string());
  return {{"layout", to_string(info.layout)},
          {"files", info.files.size()},
          {"mesh", info.mesh.to_json()},
          {"geometry_meshes", meshes_to_json(info.geometry_meshes)},
          {"showers", info.num_showers},
          {"geometries", info.geometries},
          {"groups", list},
          {"filled_fraction", filled_fraction},
          {"smallest_cell_mev", smallest_cell_mev},
          {"largest_cell_mev", largest_cell_mev},
          {"longitudinal_profile", longitudinal},
          {"odd",
           {{"nan_cells", nan_cells},
            {"negative_cells", negative_cells},
            {"empty_showers", empty_showers},
            {"saturated_cells", saturated_cells},
            {"bad_incident_energies", bad_energies},
            {"more_than_1.5_of_incident_energy", too_much_energy},
            {"repeated_showers", repeated_showers},
            {"notes", to_list(notes)}}},
          {"not_read", to_list(info.not_read)},
          {"other_files", other_files}};
}

std::string DatasetReport::to_text() const {
  std::string text = fmt::format(
      "layout      {} ({} file{})\nmesh        {}\nshowers     {}\nfilled      {:.2f} % of the cells\ncells  "
      "     {:.4g} to {:.4g} MeV\n\n",
      to_string(info.layout), info.files.size(), info.files.size() == 1 ? "" : "s",
      to_string(info.geometry_meshes, info.mesh), info.num_showers, 100 * filled_fraction, smallest_cell_mev,
      largest_cell_mev);
  text += fmt::format("{:<12} {:>16} {:>8} {:>9} {:>10} {:>8}\n", "geometry", "energy [GeV]", "angle",
                      "showers", "response", "spread");
  for (const Group& group : groups) {
    const std::string energy =
        group.min_energy_gev == group.max_energy_gev
            ? energy_text(group.min_energy_gev)
            : fmt::format("{:.4g} - {:.4g}", group.min_energy_gev, group.max_energy_gev);
    text += fmt::format("{:<12} {:>16} {:>8g} {:>9} {:>10.4f} {:>8.4f}\n", group.geometry, energy,
                        group.angle_deg, group.showers, group.response, group.response_spread);
  }
  text += "\nlongitudinal profile (share of the energy by layer)\n";
  const double top = longitudinal.empty() ? 0 : *std::max_element(longitudinal.begin(), longitudinal.end());
  for (std::size_t layer = 0; layer < longitudinal.size(); ++layer) {
    const auto length = top > 0 ? static_cast<std::size_t>(std::lround(50 * longitudinal[layer] / top)) : 0;
    text += fmt::format("{:>4} {:6.2f} % {}\n", layer, 100 * longitudinal[layer], std::string(length, '#'));
  }
  std::vector<std::string> odd;
  const auto note = [&](std::int64_t count, const char* what) {
    if (count > 0) odd.push_back(fmt::format("{} {}", count, what));
  };
  note(nan_cells, "cells are NaN or infinite");
  note(negative_cells, "cells are negative");
  note(empty_showers, "showers are empty");
  note(saturated_cells, "cells have exactly the largest energy (saturated?)");
  note(bad_energies, "incident energies are not positive numbers");
  note(too_much_energy, "showers have more than 1.5 times their incident energy");
  const auto list = [](const std::vector<Remark>& remarks) {
    constexpr std::size_t kMost = 50;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < std::min(kMost, remarks.size()); ++i) lines.push_back(remarks[i].to_string());
    if (remarks.size() > kMost)
      lines.push_back(fmt::format("… and {} more (--json lists all)", remarks.size() - kMost));
    return lines;
  };
  for (const std::string& line : list(notes)) odd.push_back(line);
  if (!info.not_read.empty())
    text += fmt::format("\nnot read:\n  {}\n", fmt::join(list(info.not_read), "\n  "));
  if (!info.other_files.empty()) text += fmt::format("\n{}\n", other_files_text(info.other_files));
  if (!odd.empty())
    text += fmt::format("\nodd:\n  {}\n", fmt::join(odd, "\n  "));
  else
    text += info.not_read.empty() ? "\nnothing odd\n" : "\nnothing odd in what was read\n";
  return text;
}

}  // namespace calo
