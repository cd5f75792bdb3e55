#include "pipeline/full_sim_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/staged_output.h"
#include "core/temp_folder.h"
#include "kfp/local/process.h"

namespace pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kProgram = "calopipe-fullsim";

bool can_run(const fs::path& program) {
  return fs::is_regular_file(program) && access(program.c_str(), X_OK) == 0;
}

[[noreturn]] void fail(const json& error) {
  core::ErrorDetails details{.message = error.value("message", "simulation failed"),
                             .file = error.value("file", ""),
                             .field = error.value("field", ""),
                             .hint = error.value("hint", "")};
  switch (static_cast<core::ExitCode>(error.value("exit_code", 1))) {
    case core::ExitCode::kUsage:
      throw core::UsageError(std::move(details));
    case core::ExitCode::kInput:
      throw core::InputError(std::move(details));
    case core::ExitCode::kInterrupted:
      throw core::Interrupted(std::move(details));
    default:
      throw core::UnavailableError(std::move(details));
  }
}

kfp::local::ProcessEnd wait_for(kfp::local::Process& process) {
  bool told = false;
  while (true) {
    if (const auto end = process.poll()) return *end;
    if (core::interrupt_requested() && !told) {
      process.signal(SIGTERM);
      told = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

std::filesystem::path find_full_sim() {
  if (const char* named = std::getenv("CALOPIPE_FULLSIM"); named != nullptr && *named != '\0') {
    if (can_run(named)) return named;
    throw core::UnavailableError({.message = "cannot be run",
                                  .file = named,
                                  .field = "CALOPIPE_FULLSIM",
                                  .hint = "set it to the path of the program, or unset it"});
  }
  std::error_code ignored;
  fs::path beside = fs::read_symlink("/proc/self/exe", ignored).parent_path() / kProgram;
  if (can_run(beside)) return beside;
  try {
    return kfp::local::find_program(kProgram, {}, {});
  } catch (const core::InputError&) {
    throw core::UnavailableError(
        {.message = fmt::format("{} is neither next to calopipe nor in PATH", kProgram),
         .hint = "it is built if CMake finds Geant4: doc/geant4.md"});
  }
}

json run_full_sim(const fs::path& program, const std::vector<std::string>& arguments) {
  const core::TempFolder folder("simulate");
  const fs::path report = folder / "report.json";
  std::vector<std::string> all = {kProgram};
  all.insert(all.end(), arguments.begin(), arguments.end());
  all.insert(all.end(), {"--report", report.string()});
  kfp::local::Process process({.program = program, .arguments = all});
  const kfp::local::ProcessEnd end = wait_for(process);
  json figures;
  if (fs::exists(report)) figures = json::parse(core::read_file(report), nullptr, false);
  if (figures.is_object() && figures.contains("error")) fail(figures.at("error"));
  if (end.exit_code == 0 && figures.is_object()) return figures;
  throw core::UnavailableError(
      {.message = end.signal != 0 ? fmt::format("was ended by signal {}", end.signal)
                                  : fmt::format("ended with exit code {} and no report", end.exit_code),
       .file = program,
       .hint = "its own messages above say more; finished parts are kept, --resume continues"});
}

}  // namespace pipeline
