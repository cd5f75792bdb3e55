#include "app/katib_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "app/output.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "kfp/kubernetes/api.h"
#include "pipeline/katib.h"
#include "pipeline/tune_report.h"
#include "pipeline/tune_status.h"

namespace app {
namespace {

namespace kubernetes = kfp::kubernetes;
using nlohmann::json;
using tune::Trial;
using tune::TrialState;

bool has_ended(TrialState state) {
  return state == TrialState::kDone || state == TrialState::kFailed || state == TrialState::kStopped;
}

// Tells the status what has changed since the last time.
void show_changes(const std::vector<Trial>& trials, std::map<std::string, TrialState>& known,
                  pipeline::TuneStatus& status) {
  for (const Trial& trial : trials) {
    const auto [before, is_new] = known.try_emplace(trial.run, TrialState::kWaiting);
    if (is_new) status.begin(trial);
    if (trial.state != before->second) {
      if (has_ended(trial.state))
        status.end_of(trial);
      else
        status.task(trial.number, trial.run);
    }
    before->second = trial.state;
  }
  status.show(trials);
}

void wait_a_little(const kubernetes::ObjectName& name) {
  for (int i = 0; i < 20; ++i) {
    if (core::interrupt_requested())
      throw core::Interrupted(
          {.message = fmt::format("{} continues", kubernetes::to_string(name)),
           .hint = "--resume follows it again; kubectl delete experiment " + name.name + " stops it"});
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::vector<Trial> trials_of(kubernetes::Api& api, const pipeline::StudyDefinition& study,
                             const kubernetes::ObjectName& name) {
  return pipeline::katib_trials(study, api.list("Trial", "katib.kubeflow.org/experiment=" + name.name));
}

[[noreturn]] void fail(const std::vector<Trial>& trials, const kubernetes::ObjectName& name,
                       const std::string& message) {
  const auto first = std::find_if(trials.begin(), trials.end(),
                                  [](const Trial& trial) { return trial.state == TrialState::kFailed; });
  core::ErrorDetails details{.message = message, .field = kubernetes::to_string(name)};
  if (first != trials.end()) {
    details.message += fmt::format("; the first one, {}: {}", first->run, shown(first->error));
    details.hint = "kubectl logs job/" + first->run;
  }
  throw core::Error(core::ExitCode::kInternal, std::move(details));
}

}  // namespace

std::string run_katib_study(const pipeline::StudyDefinition& study, const json& experiment,
                            const KatibPlace& place, std::int64_t trials, bool quiet) {
  kubernetes::Api api(kubernetes::choose_access(
      {.kubeconfig = place.kubeconfig, .context = place.context, .namespace_name = place.name_space}));
  const kubernetes::ObjectName name = kubernetes::name_of(experiment);
  const bool exists = api.get(name).has_value();
  if (place.follow && !exists)
    throw core::UsageError(
        {.message = fmt::format("there is no {} in the namespace {}", kubernetes::to_string(name),
                                shown(api.namespace_name()))});
  if (!place.follow && exists)
    throw core::UsageError({.message = fmt::format("there is an {} already", kubernetes::to_string(name)),
                            .hint =
                                "--resume follows it; else take another --name, or delete it with kubectl "
                                "delete experiment"});
  if (!place.follow) api.apply(experiment);
  if (!quiet)
    fmt::print(stderr, "{}, namespace {}\n", kubernetes::to_string(name), shown(api.namespace_name()));
  // Katib knows a sum of objectives as one number.
  const tune::Objectives objectives = study.objectives.all().size() == 1
                                          ? study.objectives
                                          : tune::Objectives({{.value = "Katib:objective"}});
  pipeline::TuneStatus status(objectives, trials, quiet);
  std::map<std::string, TrialState> known;
  pipeline::KatibState state;
  std::vector<Trial> all;
  while (!state.is_final()) {
    wait_a_little(name);
    const std::optional<json> now = api.get(name);
    if (!now) throw core::InputError({.message = "was deleted", .field = kubernetes::to_string(name)});
    state = pipeline::katib_state(*now);
    all = trials_of(api, study, name);
    show_changes(all, known, status);
  }
  status.end();
  if (state.type == "Failed") fail(all, name, "failed: " + shown(state.message));
  const auto best =
      std::find_if(all.begin(), all.end(), [&](const Trial& trial) { return trial.run == state.best; });
  if (best == all.end()) fail(all, name, "has no best trial");
  return pipeline::best_text(*best, best->run);
}

}  // namespace app
