#include "app/train_processes.h"

#include <fmt/format.h>

#include "core/error.h"
#include "parallel/launcher.h"
#include "parallel/place.h"

namespace app {
namespace {

constexpr const char* kProcesses = "--processes";
constexpr const char* kRestarts = "--restarts";

bool is_given(const std::vector<std::string>& arguments, const std::string& option) {
  for (const std::string& word : arguments)
    if (word == option || word.starts_with(option + "=")) return true;
  return false;
}

// The arguments without an option and its value.
std::vector<std::string> without(const std::vector<std::string>& arguments, const std::string& option) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == option)
      ++i;
    else if (!arguments[i].starts_with(option + "="))
      result.push_back(arguments[i]);
  }
  return result;
}

}  // namespace

TrainProcesses::TrainProcesses(CLI::App& train) : train_(&train) {
  train
      .add_option(
          kProcesses, processes_,
          "Processes that train together on this machine; 0 = one, or as many as Kubeflow Trainer says")
      ->envname("CALOPIPE_PROCESSES")
      ->check(CLI::Range(0, 4096))
      ->group("Processes");
  train
      .add_option(kRestarts, restarts_,
                  "How often all processes start again from the checkpoint after one was lost [requires "
                  "--checkpoints]")
      ->check(CLI::Range(0, 1000))
      ->group("Processes");
}

std::optional<int> TrainProcesses::launch(const std::vector<std::string>& arguments, int threads) const {
  if (!train_->parsed()) return std::nullopt;
  const parallel::Place place = parallel::place_of(parallel::own_environment);
  const bool by_trainer = place.said_by.starts_with("PET_");
  if (processes_ > 0 && !place.said_by.empty() && !by_trainer)
    throw core::UsageError(
        {.message =
             fmt::format("this process is rank {} of {} already ({})", place.rank, place.size, place.said_by),
         .field = "processes",
         .hint =
             fmt::format("omit {} (and unset CALOPIPE_PROCESSES), or unset these variables", kProcesses)});
  if (place.is_set) return std::nullopt;
  parallel::Launch launch{.program = "/proc/self/exe",
                          .arguments = without(without(arguments, kProcesses), kRestarts),
                          .restart_arguments = {},
                          .machine = parallel::machine_of(parallel::own_environment, processes_),
                          .threads = threads};
  const bool has_checkpoints = is_given(arguments, "--checkpoints");
  if (restarts_ > 0) {
    if (!has_checkpoints)
      throw core::UsageError({.message = "requires a checkpoint to start again from",
                              .field = "restarts",
                              .hint = "give --checkpoints DIR"});
    launch.machine.restarts = restarts_;
  }
  if (has_checkpoints && !is_given(arguments, "--resume")) launch.restart_arguments = {"--resume"};
  if (launch.machine.processes == 1 && launch.machine.restarts == 0) return std::nullopt;
  return parallel::launch(launch);
}

}  // namespace app
