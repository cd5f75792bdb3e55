#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "calo/infer/foreign_contract.h"
#include "calo/infer/generator_properties.h"
#include "calo/infer/model.h"
#include "calo/infer/not_finite.h"
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

/// Makes showers with a model that `calopipe convert` wrote, in any of its contracts, or with one of somebody
/// else under a contract that is said: knows from the file's properties (or the contract) how conditions are
/// encoded, where noise goes in, and how the output becomes MeV.
///
/// Const use is thread-safe, with a workspace for each thread. A shower depends on (seed, event, particle)
/// and its conditions only, whatever is in the same batch; at fp32 to the bit.
class Generator {
 public:
  /// @param contract  of a model that does not say its own
  /// @throws core::InputError if the file is no such model, core::UsageError (see properties_under)
  explicit Generator(Model model, const ForeignContract& contract = {});
  static Generator load(const std::filesystem::path& file, const LoadOptions& options = {},
                        const ForeignContract& contract = {});

  const Model& model() const { return model_; }
  /// Properties of the file, and of the contract under which it was loaded.
  const std::map<std::string, std::string>& properties() const { return properties_; }
  /// The same, read.
  const GeneratorProperties& said() const { return said_; }
  const std::vector<std::string>& geometries() const { return said_.geometries; }
  /// See GeneratorProperties::mesh.
  const MeshInfo& mesh() const { return said_.mesh; }
  /// Mesh of a geometry, by its index in geometries().
  const MeshInfo& mesh_of(std::uint32_t geometry) const {
    return said_.mesh_of(said_.geometries.at(geometry));
  }
  std::int64_t num_cells() const { return cells_; }
  /// 0 if somebody else's graph draws its noise itself.
  std::int64_t latent_dim() const { return said_.latent_dim; }
  /// plain, par04-vae or par04-calodit.
  std::string contract() const { return to_string(said_.contract); }

  /// Cells at or above the threshold, ascending. Allocates nothing once `workspace` and `out` have been used
  /// for as many particles.
  /// @throws core::UsageError if a particle is invalid (energy not above zero, unknown geometry) or the
  ///         threshold is NaN
  /// @throws NotFiniteError if a cell is NaN or infinite, with model, particle and cell
  void generate(std::span<const Particle> particles, std::uint64_t seed, float threshold_mev,
                Workspace& workspace, SparseShowers& out) const;

  /// All cells, MeV. @param out `[particles, num_cells]`  @throws as generate()
  void generate_dense(std::span<const Particle> particles, std::uint64_t seed, Workspace& workspace,
                      std::span<float> out) const;

 private:
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
  void sample(std::span<const Particle> particles, std::uint64_t seed, float threshold_mev, RunState& state,
              SparseShowers& out) const;
  void check_made(const OutputView& made, std::size_t rows) const;
  std::size_t rows_at_once() const;
  /// @param counts  cells that are not finite, by shower; not all are 0  @param first  the first of them and
  /// what
  ///                it holds, of a shower that has some
  [[noreturn]] void refuse_spoilt(
      std::span<const Particle> particles, std::span<const std::size_t> counts,
      const std::function<std::pair<std::size_t, float>(std::size_t)>& first) const;

  Model model_;
  std::map<std::string, std::string> properties_;
  GeneratorProperties said_;
  std::vector<Column> columns_;
  std::vector<std::uint32_t> sampler_geometries_;  // of a cascade, by geometry
  std::int64_t cells_ = 0;
};

}  // namespace calo::infer
