#include "geant4/fast_sim/calopipe_fast_sim_messenger.h"

#include <G4UIcmdWithAString.hh>
#include <G4UIcmdWithoutParameter.hh>
#include <G4UIdirectory.hh>
#include <G4ios.hh>
#include <string>

#include "core/error.h"

namespace geant4 {

CalopipeFastSimMessenger::CalopipeFastSimMessenger(std::shared_ptr<FastSimSetup> setup)
    : setup_(std::move(setup)), directory_(std::make_unique<G4UIdirectory>("/calopipe/", false)) {
  directory_->SetGuidance("Fast simulation with a calopipe model.");
  for (const FastSimCommand& known : fast_sim_commands()) {
    const std::string path = std::string("/calopipe/") + known.name;
    auto command = std::make_unique<G4UIcmdWithAString>(path.c_str(), this);
    command->SetGuidance(known.guidance);
    command->SetParameterName(known.parameter, false);
    command->SetToBeBroadcasted(false);
    command->AvailableForStates(G4State_PreInit, G4State_Idle);
    commands_.push_back(std::move(command));
  }
  list_ = std::make_unique<G4UIcmdWithoutParameter>("/calopipe/list", this);
  list_->SetGuidance("Lists the current options.");
  list_->SetToBeBroadcasted(false);
}

CalopipeFastSimMessenger::~CalopipeFastSimMessenger() = default;

void CalopipeFastSimMessenger::SetNewValue(G4UIcommand* command, G4String text) {
  if (command == list_.get()) return list();
  try {
    setup_->change([&](FastSimOptions& options) { set_option(options, command->GetCommandName(), text); });
  } catch (const core::Error& error) {
    G4ExceptionDescription description;
    description << error.what();
    command->CommandFailed(description);
  }
}

G4String CalopipeFastSimMessenger::GetCurrentValue(G4UIcommand* command) {
  return option_text(setup_->options(), command->GetCommandName());
}

void CalopipeFastSimMessenger::list() const {
  const FastSimOptions options = setup_->options();
  for (const FastSimCommand& known : fast_sim_commands())
    G4cout << "/calopipe/" << known.name << " " << option_text(options, known.name) << G4endl;
}

}  // namespace geant4
