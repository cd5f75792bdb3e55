#pragma once

#include <G4UImessenger.hh>
#include <memory>
#include <vector>

#include "geant4/fast_sim/fast_sim_setup.h"

class G4UIcommand;
class G4UIcmdWithAString;
class G4UIcmdWithoutParameter;
class G4UIdirectory;

namespace geant4 {

/// The commands under /calopipe/ (fast_sim_commands(), and /calopipe/list). Create one object for a setup, on
/// the master thread. Workers see changed options at their next particle, so commands are not passed on to
/// them.
class CalopipeFastSimMessenger : public G4UImessenger {
 public:
  explicit CalopipeFastSimMessenger(std::shared_ptr<FastSimSetup> setup);
  ~CalopipeFastSimMessenger() override;

  void SetNewValue(G4UIcommand* command, G4String text) override;
  G4String GetCurrentValue(G4UIcommand* command) override;

 private:
  void list() const;

  std::shared_ptr<FastSimSetup> setup_;
  std::unique_ptr<G4UIdirectory> directory_;
  std::vector<std::unique_ptr<G4UIcmdWithAString>> commands_;
  std::unique_ptr<G4UIcmdWithoutParameter> list_;
};

}  // namespace geant4
