#include "geant4/full_sim/complaints.h"

#include <fmt/format.h>
#include <unistd.h>

#include <G4VExceptionHandler.hh>
#include <cstdlib>
#include <memory>
#include <string>

#include "core/error.h"

namespace geant4 {
namespace {

// The base class's constructor installs it for the thread.
class Complaints : public G4VExceptionHandler {
 public:
  explicit Complaints(bool verbose) : verbose_(verbose) {}

  G4bool Notify(const char* origin, const char* code, G4ExceptionSeverity severity,
                const char* description) override {
    const bool warning = severity == JustWarning;
    if (warning && !verbose_) return false;
    const std::string text = fmt::format("calopipe-fullsim: {}{}: {} ({})\n", warning ? "warning: " : "",
                                         origin, description, code);
    if (write(STDERR_FILENO, text.data(), text.size()) < 0 || !warning)
      std::_Exit(static_cast<int>(core::ExitCode::kInternal));
    return false;
  }

 private:
  bool verbose_;
};

}  // namespace

void install_complaints(bool verbose) {
  thread_local std::unique_ptr<Complaints> complaints;
  complaints = std::make_unique<Complaints>(verbose);
}

}  // namespace geant4
