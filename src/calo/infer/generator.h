#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/model.h"
#include "calo/infer/sparse_showers.h"

namespace calo::infer {

/// What a shower is made for.
struct Particle {
  float energy_mev = 0;
  float theta_rad = 0;
  float phi_rad = 0;
  std::uint32_t geometry = 0;  ///< index into Generator::geometries()
  std::uint64_t event = 0;     ///< with `particle`, what its noise belongs to
  std::uint32_t particle = 0;
};

/// Extents of a regular mesh, flat order `[r, phi, z]` with z fastest; zeros for another one.
struct MeshInfo {
  std::int64_t n_r = 0, n_phi = 0, n_z = 0;
  std::string json;  ///< as the model says it: sizes, or layers
};

/// Makes showers with a model that `calopipe convert` wrote, in any of its contracts: knows from the file's
/// properties how conditions are encoded, where noise goes in, and how the output becomes MeV.
///
/// Const use is thread-safe, with a workspace for each thread. A shower depends on (seed, event, particle)
/// and its conditions only, whatever is in the same batch; at fp32 to the bit.
class Generator {
 public:
  /// @throws core::InputError where the file is no such model
  explicit Generator(Model model);
  static Generator load(const std::filesystem::path& file, const LoadOptions& options = {});

  const Model& model() const { return model_; }
  const std::vector<std::string>& geometries() const { return geometries_; }
  const MeshInfo& mesh() const { return mesh_; }
  std::int64_t num_cells() const { return cells_; }
  std::int64_t latent_dim() const { return latent_; }
  /// plain, par04-vae or par04-calodit.
  const std::string& contract() const { return contract_; }

  /// Cells at or above the threshold, ascending. Allocates nothing once `workspace` and `out` have been used
  /// for as many particles.
  /// @throws core::UsageError where a particle cannot be: energy not above zero, unknown geometry
  void generate(std::span<const Particle> particles, std::uint64_t seed, float threshold_mev,
                Workspace& workspace, SparseShowers& out) const;

  /// All cells, MeV. @param out `[particles, num_cells]`
  void generate_dense(std::span<const Particle> particles, std::uint64_t seed, Workspace& workspace,
                      std::span<float> out) const;

 private:
  enum class Contract { kPlain, kPar04Vae, kPar04CaloDit };
  struct Column {
    enum class Kind { kEnergy, kTheta, kPhi, kGeometry, kNothing };
    Kind kind = Kind::kNothing;
    float times = 1;
    std::uint32_t geometry = 0;
  };

  void check_inputs();
  void check(std::span<const Particle> particles) const;
  void encode(std::span<const Particle> particles, std::uint64_t seed, RunState& state) const;
  float column(const Column& column, const Particle& particle) const;
  std::size_t rows_at_once() const;

  Model model_;
  Contract kind_ = Contract::kPlain;
  std::string contract_;
  std::vector<std::string> geometries_;
  std::vector<Column> columns_;
  MeshInfo mesh_;
  std::int64_t cells_ = 0;
  std::int64_t latent_ = 0;
};

}  // namespace calo::infer
