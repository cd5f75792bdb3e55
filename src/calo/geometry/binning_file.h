#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"

namespace calo {

/// A mesh that a binning file gives, and whose it is.
struct ParticleBinning {
  std::string name;        ///< of the particle; may be empty
  std::optional<int> pid;  ///< the PDG's number
  std::string eta;         ///< "0 to 130", as the file says; may be empty
  VoxelMesh mesh;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("pid", pid);
    v("eta", eta);
    v("mesh", mesh, {.required = true});
  }

  /// "photon (pid 22)", "pid 22", "pid 22, eta 0 to 130": what the particle may be called, too.
  std::string to_string() const;
};

/// A CaloChallenge binning file (`<Bins><Bin pid="22" name="photon"><Layer id="0" r_edges="0,5"
/// n_bin_alpha="1"/> …`; doc/formats.md): the meshes of one particle or of all. Layers stand in the order of
/// their `id`; those that the ids leave out have no cells. Where all layers are alike with equal steps in r
/// from 0 the mesh is a cylinder.
class Binning {
 public:
  /// None.
  Binning() = default;
  /// @param particle name ("photon"), the PDG's number ("22") or a whole to_string(); empty = all particles
  /// @throws core::InputError with file, Bin, Layer and what is wrong; where no Bin is of the particle
  static Binning read(const std::filesystem::path& file, const std::string& particle);
  /// What to_json() gave. @throws core::InputError
  static Binning from_json(const nlohmann::json& json);
  nlohmann::json to_json() const;

  explicit operator bool() const { return !bins_.empty(); }
  const std::vector<ParticleBinning>& bins() const { return bins_; }

  /// The only mesh with this number of cells.
  /// @param data  file and dataset that have the number of cells, for the message
  /// @throws core::InputError if none has it (both numbers are told), or meshes of several particles have
  /// it
  const VoxelMesh& mesh(std::uint64_t num_cells, const std::filesystem::path& data,
                        const std::string& dataset) const;

 private:
  std::filesystem::path file_;
  std::vector<ParticleBinning> bins_;
};

}  // namespace calo
