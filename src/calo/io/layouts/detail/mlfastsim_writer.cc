#include "calo/io/layouts/detail/mlfastsim_writer.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <tuple>

#include "calo/io/layouts/held.h"
#include "calo/io/layouts/writing.h"
#include "calo/shower/energy.h"
#include "core/error.h"
#include "core/staged_output.h"

namespace calo::layouts {
namespace {

namespace fs = std::filesystem;
using core::StagedOutput;

// HDF5 stores an attribute in the object's header, whose limit is 64 KiB.
constexpr std::size_t kMostTimes = 16000;

class MlFastSimWriter final : public ShowerWriter {
 public:
  MlFastSimWriter(const fs::path& path, const WriteOptions& options, core::ThreadPool& pool)
      : options_(options),
        single_(is_one_file(path)),
        staged_(path, single_ ? StagedOutput::Kind::kFile : StagedOutput::Kind::kFolder),
        pool_(pool) {}

  void append(const Showers& showers) override {
    std::vector<float> dense(static_cast<std::size_t>(options_.mesh.num_cells()));
    for (std::size_t i = 0; i < showers.size(); ++i) {
      const Conditions& condition = showers.conditions[i];
      const double energy_gev = condition.incident_energy_mev / 1000.0;
      const double whole = std::round(energy_gev);
      if (whole < 1 || std::abs(energy_gev - whole) > 1e-4 * whole)
        throw core::UsageError(
            {.message = fmt::format("the layout mlfastsim has energies in whole GeV, but a shower has {} GeV",
                                    energy_gev),
             .field = "layout",
             .hint = "choose the layout par04, calochallenge or calopipe"});
      showers.to_dense(i, dense);
      Energy& energy =
          energy_of(showers.geometries.at(condition.geometry), condition.theta_rad, static_cast<long>(whole));
      energy.cells->append(bytes_of(dense));
      energy.sim_time_s.push_back(condition.sim_time_s);
    }
  }

  void commit() override {
    for (auto& [key, output] : outputs_) {
      for (auto& [energy_gev, energy] : output->energies) {
        energy.cells->finish();
        if (energy.sim_time_s.size() <= kMostTimes && any_known(energy.sim_time_s))
          output->file.set_attribute("sim_time_s", energy.sim_time_s, std::to_string(energy_gev));
      }
      describe(output->file, options_, key.first);
      output->file.set_attribute("angle_deg", key.second);
      output->energies.clear();
      output->file.close();
    }
    staged_.commit();
  }

 private:
  struct Energy {
    std::unique_ptr<ChunkStream> cells;
    std::vector<float> sim_time_s;
  };
  struct Output {
    hdf5::File file;
    std::map<long, Energy> energies;
  };

  Energy& energy_of(const std::string& geometry, double theta_rad, long energy_gev) {
    const double angle_deg = std::round(theta_rad * 180 / std::numbers::pi * 1e4) / 1e4;
    auto& output = outputs_[{geometry, angle_deg}];
    if (!output) {
      if (single_ && outputs_.size() > 1)
        throw core::UsageError({.message = "the layout mlfastsim has one geometry and one angle per file",
                                .field = "out",
                                .hint = "give a folder (a path without .h5) for several"});
      fs::path path = staged_.path();
      if (!single_) {
        path /= geometry;
        fs::create_directories(path);
        path /= fmt::format("{}_angle_{}.h5", geometry, angle_deg);
      }
      output = std::make_unique<Output>(Output{.file = hdf5::File::create(path)});
    }
    Energy& energy = output->energies[energy_gev];
    if (!energy.cells)
      energy.cells = std::make_unique<ChunkStream>(output->file, std::to_string(energy_gev),
                                                   dense_options(options_, cube(options_.mesh)), pool_);
    return energy;
  }

  WriteOptions options_;
  bool single_;
  StagedOutput staged_;
  core::ThreadPool& pool_;
  std::map<std::pair<std::string, double>, std::unique_ptr<Output>> outputs_;
};

double degrees(float theta_rad) {
  return theta_rad * 180 / std::numbers::pi;
}

// Angles in file names have four digits after the point.
bool has_short_angle(float theta_rad) {
  const double rounded = std::round(degrees(theta_rad) * 1e4) / 1e4;
  return std::abs(rounded * std::numbers::pi / 180 - double{theta_rad}) < 3e-7;
}

void check_geometries(const Wanted& wanted) {
  if (is_one_file(wanted.out)) require_one_geometry(wanted, "mlfastsim with a folder, or calopipe");
  if (wanted.may_drop(Droppable::kGeometry)) return;
  for (const Conditions& condition : wanted.conditions) {
    const std::string& name = wanted.info.geometries.at(condition.geometry);
    if (name.find('/') != std::string::npos || name.starts_with('.'))
      wanted.refuse(fmt::format("uses the geometry as the name of a folder, but \"{}\" cannot be one", name),
                    "choose another layout, or rename the geometry with --geometry");
  }
}

void check_phi(const Wanted& wanted) {
  if (wanted.may_drop(Droppable::kPhi)) return;
  for (const Conditions& condition : wanted.conditions)
    if (condition.phi_rad != 0)
      wanted.lose(Droppable::kPhi,
                  fmt::format("does not store phi of the incident particle, but a shower has {} rad",
                              condition.phi_rad),
                  "par04, calochallenge or calopipe");
}

void check_energies(const Wanted& wanted) {
  for (const Conditions& condition : wanted.conditions) {
    const double whole = std::round(condition.incident_energy_mev / 1000.0);
    if (!(whole >= 1) || static_cast<float>(whole * 1000) != condition.incident_energy_mev)
      wanted.refuse(fmt::format("names its datasets by whole GeV, but a shower has {} GeV",
                                energy_gev(condition.incident_energy_mev)),
                    "choose the layout par04, calochallenge or calopipe");
  }
}

void check_short_angles(const Wanted& wanted) {
  std::set<float> angles;
  for (const Conditions& condition : wanted.conditions) {
    if (wanted.may_drop(Droppable::kAngle)) break;
    if (!(condition.theta_rad >= 0) || degrees(condition.theta_rad) > 180.00001)
      wanted.refuse(fmt::format("names its files by angles from 0 to 180 degrees, but a shower has {}",
                                degrees(condition.theta_rad)),
                    "choose the layout par04, calochallenge or calopipe");
    if (!has_short_angle(condition.theta_rad))
      wanted.lose(
          Droppable::kAngle,
          fmt::format("has a file for each angle, with 4 digits after the point, but a shower has {} degrees",
                      degrees(condition.theta_rad)),
          "par04, calochallenge or calopipe");
    angles.insert(condition.theta_rad);
  }
  if (is_one_file(wanted.out) && angles.size() > 1)
    wanted.lose(Droppable::kAngle, fmt::format("stores one angle per file, but there are {}", angles.size()),
                "mlfastsim with a folder, par04, calochallenge or calopipe");
}

void check_times(const Wanted& wanted) {
  if (wanted.may_drop(Droppable::kTime)) return;
  struct Times {
    std::size_t showers = 0;
    bool known = false;
  };
  std::map<std::tuple<std::uint16_t, float, float>, Times> datasets;
  for (const Conditions& c : wanted.conditions) {
    Times& times = datasets[{c.geometry, c.theta_rad, c.incident_energy_mev}];
    ++times.showers;
    times.known = times.known || !std::isnan(c.sim_time_s);
  }
  for (const auto& [key, times] : datasets)
    if (times.known && times.showers > kMostTimes)
      wanted.lose(
          Droppable::kTime,
          fmt::format(
              "stores the times (sim_time_s) of at most {} showers per energy, but there are {} with {} GeV",
              kMostTimes, times.showers, energy_gev(std::get<2>(key))),
          "par04, calochallenge or calopipe");
}

}  // namespace

bool is_one_file(const fs::path& path) {
  return path.extension() == ".h5" || path.extension() == ".hdf5";
}

void check_mlfastsim(const Wanted& wanted) {
  require_regular_mesh(wanted);
  check_geometries(wanted);
  check_phi(wanted);
  check_energies(wanted);
  check_short_angles(wanted);
  check_times(wanted);
}

std::unique_ptr<ShowerWriter> create_mlfastsim(const fs::path& path, const WriteOptions& options,
                                               core::ThreadPool& pool) {
  return std::make_unique<MlFastSimWriter>(path, options, pool);
}

}  // namespace calo::layouts
