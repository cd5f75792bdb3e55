#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"

namespace calo {

/// A mesh of a binning file, and its particle.
struct ParticleBinning {
  std::string name;        ///< name of the particle; may be empty
  std::optional<int> pid;  ///< PDG number
  std::string eta;         ///< range of eta as in the file, "0 to 130"; may be empty
  VoxelMesh mesh;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("pid", pid);
    v("eta", eta);
    v("mesh", mesh, {.required = true});
  }

  /// "photon (pid 22)", "pid 22", "pid 22, eta 0 to 130": also accepted as the name of the particle.
  std::string to_string() const;
};

/// A CaloChallenge binning file (`<Bins><Bin pid="22" name="photon"><Layer id="0" r_edges="0,5"
/// n_bin_alpha="1"/> …`; doc/formats.md): the meshes of one particle or of all. Layers are in the order of
/// their `id`; missing ids are layers without cells. If all layers are alike with equal steps in r from 0,
/// the mesh is a cylinder.
class Binning {
 public:
  /// A binning without meshes.
  Binning() = default;
  /// @param particle name ("photon"), PDG number ("22") or a whole to_string(); empty = all particles
  /// @throws core::InputError with file, Bin, Layer and the fault, or if no Bin is for the particle
  static Binning read(const std::filesystem::path& file, const std::string& particle);
  /// Reads the output of to_json(). @throws core::InputError
  static Binning from_json(const nlohmann::json& json);
  nlohmann::json to_json() const;

  explicit operator bool() const { return !bins_.empty(); }
  const std::vector<ParticleBinning>& bins() const { return bins_; }

  /// The only mesh with this number of cells.
  /// @param data  file whose dataset has this number of cells, for the message
  /// @throws core::InputError if no mesh has it (the message has both numbers), or meshes of several
  ///         particles do
  const VoxelMesh& mesh(std::uint64_t num_cells, const std::filesystem::path& data,
                        const std::string& dataset) const;

 private:
  std::filesystem::path file_;
  std::vector<ParticleBinning> bins_;
};

}  // namespace calo
