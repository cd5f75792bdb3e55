#include "calo/convert/par04_macro.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "calo/models/architectures.h"
#include "core/error.h"

namespace calo {
namespace {

// A detector that commands of Par04 define: layers of a passive and an active material.
struct Detector {
  const char* geometry;
  const char* length;
  int layers;
  const char* passive;
  const char* active;
};

// The detectors of Par04 (common_settings_*.mac, README of training_vae). Both absorbers are sensitive in
// fast simulation, because its deposits are at cell centres.
constexpr Detector kDetectors[] = {{"SiW", "2 m", 90, "G4_W 1.4 mm", "G4_Si 0.3 mm"},
                                   {"SciPb", "4 m", 45, "G4_Pb 4.4 mm", "G4_POLYSTYRENE 1.2 mm"}};

std::string detector_commands(const std::string& geometry) {
  for (const Detector& detector : kDetectors)
    if (geometry == detector.geometry)
      return fmt::format(
          "/Par04/detector/setDetectorInnerRadius 80 cm\n"
          "/Par04/detector/setDetectorLength {}\n"
          "/Par04/detector/setNbOfLayers {}\n"
          "/Par04/detector/setAbsorber 0 {} true\n"
          "/Par04/detector/setAbsorber 1 {} true\n",
          detector.length, detector.layers, detector.passive, detector.active);
  spdlog::warn("calopipe does not know the detector {}: add its commands to the macro", geometry);
  return fmt::format(
      "# The detector {} is not known to calopipe: put its /Par04/detector/ commands here.\n"
      "# /Par04/detector/setDetectorInnerRadius 80 cm\n"
      "# /Par04/detector/setDetectorLength 2 m\n"
      "# /Par04/detector/setNbOfLayers 90\n"
      "# /Par04/detector/setAbsorber 0 MATERIAL THICKNESS mm true\n"
      "# /Par04/detector/setAbsorber 1 MATERIAL THICKNESS mm true\n",
      geometry);
}

std::string mesh_commands(const VoxelMesh::Cylinder& mesh, const char* folder) {
  return fmt::format(
      "/Par04/{0}/setSizeOfRhoCells {1} mm\n"
      "/Par04/{0}/setSizeOfZCells {2} mm\n"
      "/Par04/{0}/setNbOfRhoCells {3}\n"
      "/Par04/{0}/setNbOfPhiCells {4}\n"
      "/Par04/{0}/setNbOfZCells {5}\n",
      folder, mesh.size_r_mm, mesh.size_z_mm, mesh.n_r, mesh.n_phi, mesh.n_z);
}

// Geant4 takes the rest of the line as a path, including quotation marks. Single spaces survive; comments,
// aliases in braces and runs of spaces do not (G4UIcommand::DoIt).
const std::string& as_argument(const std::string& path) {
  if (path.empty() || path.find_first_of("\"#{}!\t\n\r") != std::string::npos ||
      path.find("  ") != std::string::npos || path.front() == ' ' || path.back() == ' ')
    throw core::UsageError({.message = fmt::format("\"{}\" cannot be written in a Geant4 macro", path),
                            .field = "model_path",
                            .hint = "use a path without quotation marks, #, !, braces and runs of spaces"});
  return path;
}

// Removes the rounding error of a zero.
double rounded(double value) {
  return std::abs(value) < 1e-12 ? 0 : value;
}

}  // namespace

std::string par04_macro(const ModelFolder& model, const ContractMapping& mapping,
                        const Par04MacroOptions& options) {
  const Transform& transform = model.transform;
  std::vector<double> energies = options.energies_gev;
  const TrainedGeometry trained = transform.trained_on(mapping.geometry);
  const VoxelMesh::Cylinder& mesh = trained.mesh.cylinder();
  const double low = trained.min_energy_mev / 1000, high = trained.max_energy_mev / 1000;
  if (energies.empty()) energies = {high > 0 ? std::clamp(10.0, low, high) : 10.0};
  const bool vae = mapping.contract == Contract::kPar04Vae;
  std::string text = fmt::format(
      "# Geant4 example Par04 (11.4) with a model of calopipe, as it is:\n"
      "#   ./examplePar04 -m THIS_FILE{}\n"
      "# started in a folder from which the model's path below is right.\n"
      "# Model: contract {}, geometry {}, mesh {},\n"
      "# trained on {:g} to {:g} GeV and {:g} to {:g} degrees.\n",
      vae ? "" : " -r 0", to_string(mapping.contract), mapping.geometry, trained.mesh.to_string(), low, high,
      trained.min_theta_deg, trained.max_theta_deg);
  if (!vae)
    text +=
        "# Noise is drawn inside the model. The threads of one process would all draw the same, since\n"
        "# onnxruntime seeds it once for a process: run serially (-r 0), or several processes.\n";
  text += "/process/had/verbose 0\n\n# Detector\n" + detector_commands(mapping.geometry);
  text += "/Par04/parallel/setNbOfSlices 320\n/Par04/parallel/setNbOfRows 100\n";
  text += "\n# Readout mesh, the model's\n" + mesh_commands(mesh, "mesh");
  text += "\n/run/initialize\n\n# Inference\n";
  if (vae)
    text += fmt::format(
        "/Par04/inference/setSizeLatentVector {}\n"
        "/Par04/inference/setSizeConditionVector {}\n",
        architecture_of(model).latent_dim(model), mapping.columns.size());
  text += fmt::format("/Par04/inference/setModelPathName {}\n", as_argument(options.model_path));
  text += fmt::format("/Par04/inference/setModelType {}\n", vae ? "VAE" : "CaloDiT-2");
  text +=
      "/Par04/inference/setProfileFlag 0\n"
      "/Par04/inference/setOptimizationFlag 0\n"
      "/Par04/inference/setCudaFlag 0\n"
      "# opens the model: after all of the above\n"
      "/Par04/inference/setInferenceLibrary ONNX\n";
  text += mesh_commands(mesh, "inference");
  text +=
      "\n# The first model sets the mesh from the particle, the second generates the shower.\n"
      "/param/ActivateModel defineMesh\n"
      "/param/ActivateModel inferenceModel\n"
      "\n/gun/particle e-\n"
      "/gun/position 0 0 0\n";
  const double low_deg = trained.min_theta_deg, high_deg = trained.max_theta_deg;
  for (const double angle : options.angles_deg)
    if (high_deg > 0 && (angle < low_deg - 0.1 || angle > high_deg + 0.1))
      spdlog::warn("the macro's {:g} degrees are outside the training's range of {:g} to {:g} degrees for {}",
                   angle, low_deg, high_deg, trained.geometry);
  for (const double energy : energies) {
    if (!(energy > 0))
      throw core::UsageError({.message = fmt::format("cannot be {}", energy), .field = "energy_gev"});
    if (high > 0 && (energy < low * 0.999 || energy > high * 1.001))
      spdlog::warn("the macro's {:g} GeV are outside the training's range of {:g} to {:g} GeV for {}", energy,
                   low, high, trained.geometry);
    for (const double angle : options.angles_deg) {
      if (!(angle > 0 && angle < 180))
        throw core::UsageError(
            {.message = fmt::format("cannot be {}: there is no calorimeter along the beam", angle),
             .field = "angle_deg",
             .hint = "allowed: above 0, below 180"});
      const double theta = angle * std::numbers::pi / 180;
      text += fmt::format(
          "\n/gun/energy {0} GeV\n"
          "/gun/direction 0 {1:.12g} {2:.12g}\n"
          "/analysis/setFileName par04_{3}_{0}GeV_{4}deg.root\n"
          "/run/beamOn {5}\n",
          energy, std::sin(theta), rounded(std::cos(theta)), mapping.geometry, angle, options.events);
    }
  }
  return text;
}

}  // namespace calo
