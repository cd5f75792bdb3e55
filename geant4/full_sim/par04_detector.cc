#include "geant4/full_sim/par04_detector.h"

#include <CLHEP/Units/SystemOfUnits.h>

#include <G4Box.hh>
#include <G4LogicalVolume.hh>
#include <G4Material.hh>
#include <G4NistManager.hh>
#include <G4PVPlacement.hh>
#include <G4Region.hh>
#include <G4RegionStore.hh>
#include <G4SDManager.hh>
#include <G4Tubs.hh>

#include "core/error.h"
#include "geant4/fast_sim/calopipe_fast_sim_model.h"

namespace geant4 {
namespace {

constexpr const char* kScorer = "calopipeMesh";

G4Material* material(const std::string& name) {
  G4Material* found = G4NistManager::Instance()->FindOrBuildMaterial(name);
  if (found == nullptr)
    throw core::InputError({.message = "\"" + name + "\" is not a material of Geant4",
                            .field = "absorbers.material",
                            .hint = "use a NIST name, as in G4_W"});
  return found;
}

// Places a full cylinder around z in the centre of its mother.
G4LogicalVolume* place_tube(const std::string& name, double inner_mm, double outer_mm, double length_mm,
                            G4Material* material, G4LogicalVolume* mother, int copy) {
  auto* solid = new G4Tubs(name, inner_mm * CLHEP::mm, outer_mm * CLHEP::mm, length_mm / 2 * CLHEP::mm, 0,
                           CLHEP::twopi);
  auto* logical = new G4LogicalVolume(solid, material, name);
  new G4PVPlacement(nullptr, G4ThreeVector(), logical, name, mother, false, copy);
  return logical;
}

}  // namespace

Par04Detector::Par04Detector(Detector detector, std::shared_ptr<FastSimSetup> fast)
    : detector_(std::move(detector)), fast_(std::move(fast)) {}

// Geant4 owns solids, volumes and regions.
G4VPhysicalVolume* Par04Detector::Construct() {
  const double outer_mm = detector_.outer_radius_mm();
  auto* air = material("G4_AIR");
  auto* world = new G4LogicalVolume(
      new G4Box("World", 2 * outer_mm * CLHEP::mm, 2 * outer_mm * CLHEP::mm, detector_.length_mm * CLHEP::mm),
      air, "World");
  auto* placed = new G4PVPlacement(nullptr, G4ThreeVector(), world, "World", nullptr, false, 0);
  envelope_ =
      place_tube("Calorimeter", detector_.inner_radius_mm, outer_mm, detector_.length_mm, air, world, 0);
  (new G4Region(region_name))->AddRootLogicalVolume(envelope_);
  double inner_mm = detector_.inner_radius_mm;
  int copy = 0;
  for (int layer = 0; layer < detector_.layers; ++layer)
    for (const Absorber& absorber : detector_.absorbers) {
      const double edge_mm = inner_mm + absorber.thickness_mm;
      G4LogicalVolume* plate = place_tube("Plate", inner_mm, edge_mm, detector_.length_mm,
                                          material(absorber.material), envelope_, copy++);
      plates_.push_back(plate);
      if (absorber.active) active_.insert(plate);
      inner_mm = edge_mm;
    }
  return placed;
}

void Par04Detector::ConstructSDandField() {
  auto* scorer = new MeshScorer(kScorer, active_, detector_);
  G4SDManager::GetSDMpointer()->AddNewDetector(scorer);
  // Centres of cells may lie in a passive plate, where only the fast simulation counts.
  for (G4LogicalVolume* plate : plates_)
    if (fast_ || active_.contains(plate)) SetSensitiveDetector(plate, scorer);
  if (fast_) {
    auto* region = G4RegionStore::GetInstance()->GetRegion(region_name);
    new CalopipeFastSimModel("calopipe", region, fast_);
  }
}

MeshScorer* Par04Detector::scorer() {
  return static_cast<MeshScorer*>(G4SDManager::GetSDMpointer()->FindSensitiveDetector(kScorer));
}

}  // namespace geant4
