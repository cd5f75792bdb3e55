#pragma once

#include <string>

#include "calo/io/shower_reader.h"
#include "kfp/component/component.h"

namespace pipeline {

/// How files of showers are to be read where they do not say it themselves: the same options in every command
/// that reads showers.
struct ReadingOptions {
  std::string geometry;
  kfp::InputArtifact binning;
  std::string particle;
  std::string axes;

  enum class Geometry {
    kOwn,
    kElsewhere
  };  ///< whether `geometry` is among the options, or set by the component

  void describe(kfp::Visitor& visitor, Geometry own = Geometry::kOwn);
  /// @throws core::UsageError (a particle without a binning file), core::InputError (the binning file)
  calo::ReadOptions read_options() const;
};

/// Help of options that are not declared by describe().
inline constexpr const char* kGeometryHelp = "Geometry of files that do not name it";
inline constexpr const char* kBinningHelp =
    "CaloChallenge binning file (XML): the mesh of files that do not say theirs";
inline constexpr const char* kParticleHelp =
    "Particle of the binning file: its name or PDG number; none = the one whose number of cells fits";
inline constexpr const char* kAxesHelp =
    "Order of the axes of dense arrays, as layer,phi,r; none = the layout's own";

}  // namespace pipeline
