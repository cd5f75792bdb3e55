#include "calo/io/layouts/detail/calopipe_writer.h"

#include "calo/io/layouts/shower_layout.h"
#include "calo/io/layouts/writing.h"
#include "core/staged_output.h"

namespace calo::layouts {
namespace {

namespace fs = std::filesystem;
using core::StagedOutput;

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
    // Only keeps the translated names of geometries, not the hits.
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
      write_column(file_, name, column_options(type, options_.compression), bytes, pool_);
    };
    column("incident_energy", H5T_IEEE_F32LE, bytes_of(energy));
    column("incident_theta", H5T_IEEE_F32LE, bytes_of(theta));
    column("incident_phi", H5T_IEEE_F32LE, bytes_of(phi));
    column("geometry", H5T_STD_U32LE, bytes_of(geometry));
    column("offsets", H5T_STD_U64LE, bytes_of(offsets_));
    if (any_known(sim_time_s)) column("sim_time_s", H5T_IEEE_F32LE, bytes_of(sim_time_s));
    file_.set_attribute("format", "calopipe");
    const bool has_meshes = !options_.geometry_meshes.empty();
    file_.set_attribute("format_version", has_meshes ? kVersionWithMeshes : 1);
    if (has_meshes) file_.set_attribute("geometry_meshes", meshes_to_json(options_.geometry_meshes).dump());
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

std::unique_ptr<ShowerWriter> create_calopipe(const fs::path& path, const WriteOptions& options,
                                              core::ThreadPool& pool) {
  return std::make_unique<CalopipeWriter>(path, options, pool);
}

}  // namespace calo::layouts
