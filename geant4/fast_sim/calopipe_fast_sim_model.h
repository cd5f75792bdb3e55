#pragma once

#include <G4FastTrack.hh>
#include <G4Track.hh>
#include <G4VFastSimulationModel.hh>
#include <cstdint>
#include <memory>
#include <vector>

#include "geant4/fast_sim/fast_sim_setup.h"
#include "geant4/fast_sim/particle_batch.h"
#include "geant4/fast_sim/shower_frame.h"

class G4FastSimHitMaker;
class G4ParticleDefinition;

namespace geant4 {

/// Replaces the simulation of electromagnetic showers in a region by a calopipe model.
///
/// Takes particles of the kinds and kinetic energies given by the options, if the shower's mesh fits into the
/// envelope along their direction. Kills them, and deposits the cells of their showers through
/// G4FastSimHitMaker: sensitive detectors of the region must derive from G4VFastSimSensitiveDetector, and get
/// hits at the centres of cells in coordinates of the envelope, as Geant4 expects.
///
/// Particles of one event wait for each other until there are `batch_size` of them or the event's tracks are
/// done (Flush); then their showers are made together. A shower depends only on (seed, run, event, index
/// among the event's particles), not on the thread or on other waiting particles.
///
/// Create one object for each thread in ConstructSDandField, with a setup that all share. Its commands are
/// those of CalopipeFastSimMessenger.
class CalopipeFastSimModel : public G4VFastSimulationModel {
 public:
  CalopipeFastSimModel(const G4String& name, G4Region* envelope, std::shared_ptr<FastSimSetup> setup);
  ~CalopipeFastSimModel() override;

  /// True for all particles: the kinds taken may change from run to run, and Geant4 caches this answer.
  G4bool IsApplicable(const G4ParticleDefinition&) override { return true; }
  G4bool ModelTrigger(const G4FastTrack& track) override;
  void DoIt(const G4FastTrack& track, G4FastStep& step) override;
  void Flush() override;

  /// Number of showers made by this object so far.
  std::int64_t num_showers() const { return num_showers_; }

 private:
  /// The state of a waiting particle, whose track Geant4 deletes.
  struct Waiting {
    std::unique_ptr<G4Track> track;
    G4FastTrack fast_track;
    ShowerFrame frame;
  };

  void refresh();
  calo::infer::Particle describe(const G4Track& track);
  void make_waiting();
  void deposit(std::size_t shower, const ShowerFrame& frame, const G4FastTrack& track);
  void prepare(G4FastSimHitMaker& maker, const G4FastTrack& track);

  std::shared_ptr<FastSimSetup> setup_;
  std::uint64_t version_ = 0;
  std::shared_ptr<const FastSimSetup::State> state_;
  std::vector<const G4ParticleDefinition*> particles_;
  std::vector<std::unique_ptr<G4FastSimHitMaker>> hit_makers_;
  bool hit_makers_prepared_ = false;

  ParticleNumbers numbers_;
  ParticleBatch<Waiting> batch_;
  calo::infer::Workspace workspace_;
  calo::infer::SparseShowers showers_;
  std::vector<std::uint32_t> order_;
  std::int64_t num_showers_ = 0;
};

}  // namespace geant4
