#pragma once

#include <string>

#include "calo/io/shower_reader.h"
#include "kfp/component/component.h"

namespace pipeline {

/// Facts about files of showers that the files do not hold themselves: the same options in every command that
/// reads showers.
struct ReadingOptions {
  std::string geometry;
  kfp::InputArtifact binning;
  std::string particle;
  std::string axes;

  enum class Geometry { kOwn, kElsewhere };  ///< `geometry` is one of the options, or set by the component

  void describe(kfp::Visitor& visitor, Geometry own = Geometry::kOwn);
  /// @throws core::UsageError (a particle without a binning file), core::InputError (the binning file)
  calo::ReadOptions read_options() const;
};

/// Help of options that describe() does not declare.
inline constexpr const char* kGeometryHelp = "Geometry of files that do not name it";
inline constexpr const char* kBinningHelp =
    "CaloChallenge binning file (XML): the mesh of files that do not describe it";
inline constexpr const char* kParticleHelp =
    "Particle in the binning file, by name or PDG number; none = the one whose number of cells fits";
inline constexpr const char* kAxesHelp =
    "Order of the axes of dense arrays, as layer,phi,r; none = as the layout defines it";

}  // namespace pipeline
