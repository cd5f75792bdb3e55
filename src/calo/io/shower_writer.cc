#include "calo/io/shower_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>

#include "calo/io/chunk_stream.h"
#include "core/error.h"
#include "core/staged_output.h"

namespace calo {
namespace {

namespace fs = std::filesystem;
using core::StagedOutput;

template <class T>
std::span<const std::uint8_t> bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}
template <class T>
std::span<const std::uint8_t> bytes_of(const std::vector<T>& values) {
  return bytes_of(std::span<const T>(values));
}

constexpr hsize_t kColumnChunk = 65536;

std::vector<hsize_t> cube(const VoxelMesh& mesh) {
  if (!mesh.is_cylinder())
    throw core::UsageError(
        {.message = fmt::format("holds regular meshes [r, phi, z], and there is {}", mesh.to_string()),
         .field = "layout",
         .hint = "choose the layout calochallenge or calopipe"});
  const VoxelMesh::Cylinder& c = mesh.cylinder();
  return {static_cast<hsize_t>(c.n_r), static_cast<hsize_t>(c.n_phi), static_cast<hsize_t>(c.n_z)};
}

ChunkStream::Options dense_options(const WriteOptions& options, std::vector<hsize_t> row_shape) {
  const auto row_bytes = static_cast<hsize_t>(options.mesh.num_cells()) * sizeof(float);
  const hsize_t rows = options.showers_per_chunk > 0 ? static_cast<hsize_t>(options.showers_per_chunk)
                                                     : std::max<hsize_t>(1, (hsize_t{1} << 20) / row_bytes);
  return {.row_shape = std::move(row_shape), .rows_per_chunk = rows, .compression = options.compression};
}

ChunkStream::Options column_options(hid_t type, int compression, std::vector<hsize_t> row_shape = {}) {
  return {.type = type,
          .row_shape = std::move(row_shape),
          .rows_per_chunk = kColumnChunk,
          .compression = compression};
}

void describe(hdf5::File& file, const WriteOptions& options, const std::string& geometry) {
  if (!options.provenance.is_null()) file.set_attribute("calopipe", options.provenance.dump());
  if (!geometry.empty()) file.set_attribute("geometry", geometry);
  file.set_attribute("mesh", options.mesh.to_json().dump());
  for (const auto& [name, value] : options.attributes)
    std::visit([&file, &key = name](const auto& content) { file.set_attribute(key, content); }, value);
}

bool any_known(const std::vector<float>& sim_time_s) {
  return std::any_of(sim_time_s.begin(), sim_time_s.end(), [](float time) { return !std::isnan(time); });
}

// Checks that everything in one file has one geometry, for layouts that cannot say otherwise.
class OneGeometry {
 public:
  void check(const Showers& showers, Layout layout) {
    for (const Conditions& condition : showers.conditions) {
      const std::string& name = showers.geometries.at(condition.geometry);
      if (!name_) name_ = name;
      if (*name_ != name)
        throw core::UsageError(
            {.message = fmt::format("the layout {} holds one geometry a file, and there are {} and {}",
                                    to_string(layout), *name_, name),
             .field = "layout",
             .hint = "choose one geometry, or the layout mlfastsim or calopipe"});
    }
  }
  std::string name() const { return name_.value_or(""); }

 private:
  std::optional<std::string> name_;
};

// Par04 and CaloChallenge: one file, dense cells and columns of conditions.
class ArrayWriter final : public ShowerWriter {
 public:
  ArrayWriter(const fs::path& path, const WriteOptions& options, core::ThreadPool& pool)
      : options_(options),
        staged_(path, StagedOutput::Kind::kFile),
        file_(hdf5::File::create(staged_.path())),
        pool_(pool),
        flat_(options.layout == Layout::kCaloChallenge),
        cells_(file_, "showers",
               dense_options(options,
                             flat_ ? std::vector<hsize_t>{static_cast<hsize_t>(options.mesh.num_cells())}
                                   : cube(options.mesh)),
               pool) {
    if (flat_ && options.mesh.is_cylinder()) {
      const VoxelMesh::Cylinder& c = options.mesh.cylinder();
      for (int layer = 0; layer < c.n_z; ++layer)
        for (int phi = 0; phi < c.n_phi; ++phi)
          for (int r = 0; r < c.n_r; ++r) order_.push_back(options.mesh.cell(layer, phi, r));
    }
  }

  void append(const Showers& showers) override {
    geometry_.check(showers, options_.layout);
    const auto cells = static_cast<std::size_t>(options_.mesh.num_cells());
    std::vector<float> dense(cells), ordered(order_.size());
    for (std::size_t i = 0; i < showers.size(); ++i) {
      showers.to_dense(i, dense);
      for (std::size_t j = 0; j < order_.size(); ++j) ordered[j] = dense[order_[j]];
      cells_.append(bytes_of(order_.empty() ? dense : ordered));
      energy_.push_back(showers.conditions[i].incident_energy_mev);
      theta_.push_back(showers.conditions[i].theta_rad);
      phi_.push_back(showers.conditions[i].phi_rad);
      sim_time_s_.push_back(showers.conditions[i].sim_time_s);
    }
  }

  void commit() override {
    cells_.finish();
    const auto column = [&](const char* name, const std::vector<float>& values,
                            std::vector<hsize_t> row_shape) {
      ChunkStream stream(file_, name,
                         column_options(H5T_IEEE_F32LE, options_.compression, std::move(row_shape)), pool_);
      stream.append(bytes_of(values));
      stream.finish();
    };
    if (flat_) {
      column("incident_energies", energy_, {1});
      // The CaloChallenge knows particles across the axis only; others would be lost without their angles.
      const auto differs = [](const std::vector<float>& angles, double from) {
        return std::any_of(angles.begin(), angles.end(),
                           [&](float angle) { return std::abs(angle - from) > 1e-6; });
      };
      if (differs(theta_, std::numbers::pi / 2)) column("incident_theta", theta_, {});
      if (differs(phi_, 0)) column("incident_phi", phi_, {});
    } else {
      column("incident_energy", energy_, {});
      column("incident_theta", theta_, {});
      column("incident_phi", phi_, {});
    }
    if (any_known(sim_time_s_)) column("sim_time_s", sim_time_s_, {});
    describe(file_, options_, geometry_.name());
    file_.close();
    staged_.commit();
  }

 private:
  WriteOptions options_;
  StagedOutput staged_;
  hdf5::File file_;
  core::ThreadPool& pool_;
  bool flat_;
  ChunkStream cells_;
  OneGeometry geometry_;
  std::vector<std::uint32_t> order_;
  std::vector<float> energy_, theta_, phi_, sim_time_s_;
};

class MlFastSimWriter final : public ShowerWriter {
 public:
  MlFastSimWriter(const fs::path& path, const WriteOptions& options, core::ThreadPool& pool)
      : options_(options),
        single_(path.extension() == ".h5" || path.extension() == ".hdf5"),
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
            {.message = fmt::format("the layout mlfastsim holds whole GeV, and there is {} GeV", energy_gev),
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
        if (energy.sim_time_s.size() <= kMostInAttribute && any_known(energy.sim_time_s))
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
  // HDF5 keeps an attribute in the object's header, which holds 64 KiB.
  static constexpr std::size_t kMostInAttribute = 16000;

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
        throw core::UsageError({.message = "the layout mlfastsim holds one geometry and one angle a file",
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

class CalopipeWriter final : public ShowerWriter {
 public:
  CalopipeWriter(const fs::path& path, const WriteOptions& options, core::ThreadPool& pool)
      : options_(options),
        staged_(path, StagedOutput::Kind::kFile),
        file_(hdf5::File::create(staged_.path())),
        pool_(pool),
        cells_(file_, "cells", column_options(H5T_STD_U32LE, options.compression), pool),
        energies_(file_, "energies", column_options(H5T_IEEE_F32LE, options.compression), pool) {
    geometries_.geometries = options.geometries;
  }

  void append(const Showers& showers) override {
    // Only the translation of geometry names is kept here, not the hits.
    Showers conditions(showers.num_cells(), showers.geometries);
    for (const Conditions& condition : showers.conditions) conditions.append(condition, {}, {});
    geometries_.append(conditions, 0, conditions.size());
    cells_.append(bytes_of(showers.cells));
    energies_.append(bytes_of(showers.energies_mev));
    for (std::size_t i = 1; i < showers.offsets.size(); ++i)
      offsets_.push_back(offsets_.back() + showers.offsets[i] - showers.offsets[i - 1]);
  }

  void commit() override {
    cells_.finish();
    energies_.finish();
    std::vector<float> energy, theta, phi, sim_time_s;
    std::vector<std::uint32_t> geometry;
    for (const Conditions& condition : geometries_.conditions) {
      energy.push_back(condition.incident_energy_mev);
      theta.push_back(condition.theta_rad);
      phi.push_back(condition.phi_rad);
      geometry.push_back(condition.geometry);
      sim_time_s.push_back(condition.sim_time_s);
    }
    const auto column = [&](const char* name, hid_t type, std::span<const std::uint8_t> bytes) {
      ChunkStream stream(file_, name, column_options(type, options_.compression), pool_);
      stream.append(bytes);
      stream.finish();
    };
    column("incident_energy", H5T_IEEE_F32LE, bytes_of(energy));
    column("incident_theta", H5T_IEEE_F32LE, bytes_of(theta));
    column("incident_phi", H5T_IEEE_F32LE, bytes_of(phi));
    column("geometry", H5T_STD_U32LE, bytes_of(geometry));
    column("offsets", H5T_STD_U64LE, bytes_of(offsets_));
    if (any_known(sim_time_s)) column("sim_time_s", H5T_IEEE_F32LE, bytes_of(sim_time_s));
    file_.set_attribute("format", "calopipe");
    file_.set_attribute("format_version", 1);
    file_.set_attribute("geometries", nlohmann::json(geometries_.geometries).dump());
    describe(file_, options_, "");
    file_.close();
    staged_.commit();
  }

 private:
  WriteOptions options_;
  StagedOutput staged_;
  hdf5::File file_;
  core::ThreadPool& pool_;
  ChunkStream cells_, energies_;
  Showers geometries_;
  std::vector<std::uint64_t> offsets_{0};
};

}  // namespace

std::unique_ptr<ShowerWriter> ShowerWriter::create(const fs::path& path, const WriteOptions& options,
                                                   core::ThreadPool& pool) {
  switch (options.layout) {
    case Layout::kMlFastSim:
      return std::make_unique<MlFastSimWriter>(path, options, pool);
    case Layout::kPar04:
    case Layout::kCaloChallenge:
      return std::make_unique<ArrayWriter>(path, options, pool);
    case Layout::kCalopipe:
      return std::make_unique<CalopipeWriter>(path, options, pool);
  }
  return nullptr;
}

}  // namespace calo
