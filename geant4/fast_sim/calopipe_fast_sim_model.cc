#include "geant4/fast_sim/calopipe_fast_sim_model.h"

#include <CLHEP/Units/SystemOfUnits.h>

#include <G4AffineTransform.hh>
#include <G4Event.hh>
#include <G4EventManager.hh>
#include <G4FastHit.hh>
#include <G4FastSimHitMaker.hh>
#include <G4FastStep.hh>
#include <G4ParticleTable.hh>
#include <G4Region.hh>
#include <G4Run.hh>
#include <G4RunManager.hh>
#include <G4TransportationManager.hh>
#include <G4VSolid.hh>
#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace geant4 {
namespace {

// Geant4 calls us from deep inside its code; an exception would end the program without a message.
[[noreturn]] void fail(const core::Error& error) {
  G4ExceptionDescription text;
  text << error.what();
  G4Exception("CalopipeFastSimModel", "calopipe001", FatalException, text);
  std::abort();
}

Vector3 in_mm(const G4ThreeVector& v) {
  return {.x = v.x() / CLHEP::mm, .y = v.y() / CLHEP::mm, .z = v.z() / CLHEP::mm};
}

// Makes a copy of a fast track, which knows the envelope's position, refer to a copy of its track.
void point_to(G4FastTrack& fast_track, const G4Track& track) {
  auto* transportation = G4TransportationManager::GetTransportationManager();
  fast_track.SetCurrentTrack(track,
                             transportation->GetNavigator(fast_track.GetEnvelope()->GetWorldPhysical()));
}

}  // namespace

CalopipeFastSimModel::CalopipeFastSimModel(const G4String& name, G4Region* envelope,
                                           std::shared_ptr<FastSimSetup> setup)
    : G4VFastSimulationModel(name, envelope), setup_(std::move(setup)) {}

CalopipeFastSimModel::~CalopipeFastSimModel() = default;

void CalopipeFastSimModel::refresh() {
  const std::uint64_t version = setup_->version();
  if (version == version_) return;
  try {
    state_ = setup_->state();
  } catch (const core::Error& error) {
    fail(error);
  }
  version_ = version;
  const FastSimOptions& options = state_->options;
  particles_.clear();
  for (const std::string& name : options.particles) {
    const auto* particle = G4ParticleTable::GetParticleTable()->FindParticle(name);
    if (particle == nullptr)
      fail(core::UsageError(
          {.message = "\"" + name + "\" is not a particle", .field = "/calopipe/particles"}));
    particles_.push_back(particle);
  }
  hit_makers_.clear();
  hit_makers_prepared_ = false;
  for (const std::string& world : options.worlds) {
    auto maker = std::make_unique<G4FastSimHitMaker>();
    if (world != "mass") maker->SetNameOfWorldWithSD(world);
    hit_makers_.push_back(std::move(maker));
  }
  batch_.set_capacity(static_cast<std::size_t>(options.batch_size));
}

G4bool CalopipeFastSimModel::ModelTrigger(const G4FastTrack& track) {
  refresh();
  const G4Track& primary = *track.GetPrimaryTrack();
  if (std::find(particles_.begin(), particles_.end(), primary.GetDefinition()) == particles_.end())
    return false;
  const FastGenerator& generator = *state_->generator;
  const double energy_mev = primary.GetKineticEnergy() / CLHEP::MeV;
  if (!(energy_mev > 0 && energy_mev >= generator.min_energy_mev() &&
        energy_mev <= generator.max_energy_mev()))
    return false;
  const double exit_mm = track.GetEnvelopeSolid()->DistanceToOut(track.GetPrimaryTrackLocalPosition(),
                                                                 track.GetPrimaryTrackLocalDirection()) /
                         CLHEP::mm;
  return is_contained(exit_mm, generator.mesh().depth_mm(), state_->options.containment);
}

calo::infer::Particle CalopipeFastSimModel::describe(const G4Track& track) {
  const G4Run* run = G4RunManager::GetRunManager()->GetCurrentRun();
  const G4Event* event = G4EventManager::GetEventManager()->GetConstCurrentEvent();
  const std::uint64_t run_number =
      state_->options.noise_per_run && run != nullptr ? static_cast<std::uint64_t>(run->GetRunID()) : 0;
  const ParticleNumbers::Number number =
      numbers_.next(run_number, static_cast<std::uint64_t>(event->GetEventID()));
  // Particles still waiting belong to an aborted event.
  if (number.particle == 0) batch_.clear();
  const G4ThreeVector& direction = track.GetMomentumDirection();
  return {.energy_mev = static_cast<float>(track.GetKineticEnergy() / CLHEP::MeV),
          .theta_rad = static_cast<float>(direction.theta()),
          .phi_rad = static_cast<float>(direction.phi()),
          .geometry = state_->generator->geometry(),
          .event = number.event,
          .particle = number.particle};
}

void CalopipeFastSimModel::DoIt(const G4FastTrack& track, G4FastStep& step) {
  const G4Track& primary = *track.GetPrimaryTrack();
  step.KillPrimaryTrack();
  step.ProposePrimaryTrackPathLength(0);
  step.ProposeTotalEnergyDeposited(primary.GetKineticEnergy());
  if (!hit_makers_prepared_) {
    for (const auto& maker : hit_makers_) prepare(*maker, track);
    hit_makers_prepared_ = true;
  }
  const calo::infer::Particle particle = describe(primary);
  Waiting waiting{.track = std::make_unique<G4Track>(primary),
                  .fast_track = track,
                  .frame = ShowerFrame(in_mm(primary.GetPosition()), in_mm(primary.GetMomentumDirection()))};
  point_to(waiting.fast_track, *waiting.track);
  if (batch_.add(particle, std::move(waiting))) make_waiting();
}

void CalopipeFastSimModel::Flush() {
  if (!batch_.empty()) make_waiting();
}

void CalopipeFastSimModel::make_waiting() {
  const FastSimOptions& options = state_->options;
  try {
    state_->generator->generator().generate(batch_.particles(), options.seed,
                                            static_cast<float>(options.threshold_mev), workspace_, showers_);
  } catch (const core::Error& error) {
    fail(error);
  }
  for (std::size_t i = 0; i < batch_.size(); ++i)
    deposit(i, batch_.carried(i).frame, batch_.carried(i).fast_track);
  num_showers_ += static_cast<std::int64_t>(batch_.size());
  batch_.clear();
}

void CalopipeFastSimModel::deposit(std::size_t shower, const ShowerFrame& frame, const G4FastTrack& track) {
  const CylinderMesh& mesh = state_->generator->mesh();
  const auto cells = showers_.cells_of(shower);
  const auto energies_mev = showers_.energies_of(shower);
  // Sorted by depth: consecutive hits then mostly lie in the same volume and are located at once.
  const auto n_z = static_cast<std::uint32_t>(mesh.size().n_z);
  order_.resize(cells.size());
  std::iota(order_.begin(), order_.end(), std::uint32_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return cells[a] % n_z < cells[b] % n_z; });
  for (const std::uint32_t i : order_) {
    const Vector3 centre_mm = frame.to_global(mesh.centre(cells[i]));
    const G4ThreeVector position(centre_mm.x * CLHEP::mm, centre_mm.y * CLHEP::mm, centre_mm.z * CLHEP::mm);
    const G4FastHit hit(track.GetAffineTransformation()->TransformPoint(position),
                        energies_mev[i] * CLHEP::MeV);
    for (const auto& maker : hit_makers_) maker->make(hit, track);
  }
}

// The first hit of a G4FastSimHitMaker is located at its particle instead of its own position. This first hit
// comes from a particle beyond the world, where nothing detects it.
void CalopipeFastSimModel::prepare(G4FastSimHitMaker& maker, const G4FastTrack& track) {
  constexpr double kBeyond = 1e12;
  G4Track far(*track.GetPrimaryTrack());
  far.SetPosition(G4ThreeVector(kBeyond, kBeyond, kBeyond));
  G4FastTrack fast_track = track;
  point_to(fast_track, far);
  maker.make(G4FastHit(G4ThreeVector(), CLHEP::eV), fast_track);
}

}  // namespace geant4
