#include <algorithm>
#include <cmath>
#include <numbers>

#include "calo/io/layouts/arrays.h"
#include "calo/io/layouts/writing.h"
#include "core/staged_output.h"

namespace calo::layouts {
namespace {

namespace fs = std::filesystem;
using core::StagedOutput;

// Writer for Par04 and CaloChallenge: one file, dense cells and columns of conditions.
class ArrayWriter final : public ShowerWriter {
 public:
  ArrayWriter(const fs::path& path, const WriteOptions& options, bool flat, core::ThreadPool& pool)
      : options_(options),
        staged_(path, StagedOutput::Kind::kFile),
        file_(hdf5::File::create(staged_.path())),
        pool_(pool),
        flat_(flat),
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
      write_column(file_, name, column_options(H5T_IEEE_F32LE, options_.compression, std::move(row_shape)),
                   bytes_of(values), pool_);
    };
    if (flat_) {
      column("incident_energies", energy_, {1});
      // The CaloChallenge has only particles at 90 degrees; others need their angles.
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

}  // namespace

std::unique_ptr<ShowerWriter> create_arrays(const fs::path& path, const WriteOptions& options, bool flat,
                                            core::ThreadPool& pool) {
  return std::make_unique<ArrayWriter>(path, options, flat, pool);
}

}  // namespace calo::layouts
