#include "pipeline/reading_options.h"

#include "core/error.h"

namespace pipeline {

void ReadingOptions::describe(kfp::Visitor& v, Geometry own) {
  v.input("binning", binning, {.help = kBinningHelp, .optional = true});
  if (own == Geometry::kOwn) v.parameter("geometry", geometry, {.help = kGeometryHelp});
  v.parameter("particle", particle, {.help = kParticleHelp});
  v.parameter("axes", axes, {.help = kAxesHelp});
}

calo::ReadOptions ReadingOptions::read_options() const {
  calo::ReadOptions options{.axes = axes, .geometry = geometry};
  if (binning)
    options.binning = calo::Binning::read(binning.path, particle);
  else if (!particle.empty())
    throw core::UsageError({.message = "selects from a binning file, but none is given",
                            .field = "particle",
                            .hint = "give --binning FILE"});
  return options;
}

}  // namespace pipeline
