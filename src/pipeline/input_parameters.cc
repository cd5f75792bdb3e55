#include <fmt/format.h>

#include "calo/geometry/binning_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/remote.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo InputParameters::info() {
  return {
      .name = "input-parameters",
      .summary = "Checks the data, energies, angles and encoding of a pipeline and writes them as one file",
      .description =
          "The first component of the pipeline. It takes everything that several components must agree "
          "on; `preprocess` reads the result.",
      .examples = {
          "calopipe input-parameters --data data/mlfastsim --max-energy-gev 64 --out configuration.json"}};
}

void InputParameters::describe(kfp::Visitor& v) {
  v.parameter("data", data,
              {.help = "File or folder of full-simulation showers", .required = true, .operational = true});
  v.parameter("geometries", geometries, {.help = "Geometries to select from the data; none = all"});
  v.parameter("energies_gev", energies_gev,
              {.help = "Incident energies to select; none = all in the range",
               .unit = "GeV",
               .min = 0,
               .above_min = true});
  v.parameter("angles_deg", angles_deg,
              {.help = "Angles to select; none = all in the range", .unit = "deg", .min = 0, .max = 180});
  v.parameter("min_energy_gev", min_energy_gev, {.help = "Lowest incident energy", .unit = "GeV", .min = 0});
  v.parameter("max_energy_gev", max_energy_gev,
              {.help = "Highest incident energy; also the E_max of the encoding E / E_max",
               .unit = "GeV",
               .min = 0,
               .above_min = true});
  v.parameter("min_angle_deg", min_angle_deg,
              {.help = "Smallest angle", .unit = "deg", .min = 0, .max = 180});
  v.parameter("max_angle_deg", max_angle_deg,
              {.help = "Largest angle; also the divisor of the encoding",
               .unit = "deg",
               .min = 0,
               .max = 180,
               .above_min = true});
  v.parameter("geometry_encoding", geometry_encoding,
              {.help = "Geometry at each index of the one-hot; Par04 expects SciPb, SiW"});
  v.parameter("n_r", n_r,
              {.help = "Cells in r, if the data do not say it; 0 = from the data", .min = 0, .max = 65536});
  v.parameter("n_phi", n_phi, {.help = "Cells in phi; 0 = from the data", .min = 0, .max = 65536});
  v.parameter("n_z", n_z, {.help = "Cells in z; 0 = from the data", .min = 0, .max = 65536});
  v.parameter("size_r_mm", size_r_mm,
              {.help = "Size of a cell in r; 0 = as in the geometry", .unit = "mm", .min = 0});
  v.parameter("size_z_mm", size_z_mm,
              {.help = "Size of a cell in z; 0 = as in the geometry", .unit = "mm", .min = 0});
  // Operational like the path of the data: the configuration holds the meshes themselves.
  v.parameter("binning", binning, {.help = kBinningHelp, .operational = true});
  v.parameter("particle", particle, {.help = kParticleHelp});
  v.output_parameter(
      "data_fingerprint", data_fingerprint,
      {.help =
           "Fingerprint of the names, sizes and times of the data's files. Every task that reads the data "
           "takes it, so that no cache returns results of older data"});
  v.output_parameter(
      "configuration_values", configuration_values,
      {.help = "The configuration as a string. Caches of Kubeflow know it by its content, but the "
               "file only by the run that made it"});
  v.output("configuration", configuration, {.help = "The checked values", .file = "configuration.json"});
}

void InputParameters::run(kfp::RunContext& context) {
  if (!core::path_exists(data))
    throw core::InputError({.message = "does not exist", .file = data, .field = "data"});
  data_fingerprint = core::fingerprint_of_path(data);
  if (min_energy_gev > max_energy_gev)
    throw core::UsageError(
        {.message = fmt::format("is above max_energy_gev ({} > {})", min_energy_gev, max_energy_gev),
         .field = "min_energy_gev"});
  if (min_angle_deg > max_angle_deg)
    throw core::UsageError(
        {.message = fmt::format("is above max_angle_deg ({} > {})", min_angle_deg, max_angle_deg),
         .field = "min_angle_deg"});
  if (geometry_encoding.empty())
    throw core::UsageError({.message = "must name a geometry", .field = "geometry_encoding"});
  nlohmann::json mesh;
  const bool some = n_r > 0 || n_phi > 0 || n_z > 0 || size_r_mm > 0 || size_z_mm > 0;
  if (some)
    mesh = calo::VoxelMesh(calo::VoxelMesh::Cylinder{.n_r = static_cast<int>(n_r),
                                                     .n_phi = static_cast<int>(n_phi),
                                                     .n_z = static_cast<int>(n_z),
                                                     .size_r_mm = size_r_mm,
                                                     .size_z_mm = size_z_mm})
               .to_json();
  if (some && !binning.empty())
    throw core::UsageError({.message = "cannot be given together with n_r, n_phi, n_z and sizes",
                            .field = "binning",
                            .hint = "leave one of the two out"});
  if (!particle.empty() && binning.empty())
    throw core::UsageError({.message = "selects from a binning file, but none is given",
                            .field = "particle",
                            .hint = "give binning"});
  nlohmann::json values = {{"geometries", geometries},
                           {"energies_gev", energies_gev},
                           {"angles_deg", angles_deg},
                           {"min_energy_gev", min_energy_gev},
                           {"max_energy_gev", max_energy_gev},
                           {"min_angle_deg", min_angle_deg},
                           {"max_angle_deg", max_angle_deg},
                           {"geometry_encoding", geometry_encoding},
                           {"mesh", mesh},
                           {"calopipe", context.provenance}};
  if (!binning.empty()) values["binning"] = calo::Binning::read(binning, particle).to_json();
  configuration_values = values.dump();
  core::write_file(configuration.path, values.dump(2) + "\n");
}

}  // namespace pipeline
