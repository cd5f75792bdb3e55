#pragma once

#include "calo/io/shower_reader.h"

namespace calo {

/// Another data set in the terms of one that it is compared with.
///
/// The mesh of each geometry is the other's, where both are alike (VoxelMesh::is_alike). Where each side
/// holds one geometry and only one of the two names it (the other says "unknown"), both have the name.
class SameTerms {
 public:
  /// @param geometry  name of the geometry of a side that holds one, and of what is "unknown" on a side that
  /// holds
  ///                  several; empty = as the files say
  /// @throws core::InputError if the meshes differ; where both name one geometry, and another one; where
  /// one side does not name its geometry and the other has several
  SameTerms(ShowerReader& full, ShowerReader& fast, const std::string& geometry = "");

  ShowerReader& full() { return *full_; }
  ShowerReader& fast() { return *fast_; }

 private:
  std::unique_ptr<ShowerReader> full_, fast_;
};

}  // namespace calo
