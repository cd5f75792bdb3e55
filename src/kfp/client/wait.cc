#include "kfp/client/wait.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "core/interrupt.h"

namespace kfp::client {
namespace {

double steady_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The changes reported so far.
class Changes {
 public:
  explicit Changes(const WaitOptions& options) : options_(options) {}

  // @return true if there was anything new
  bool tell(const Run& run) {
    bool changed = false;
    if (!run_ || *run_ != run.state) {
      run_ = run.state;
      changed = true;
      // The end of the run is reported last, after the ends of the tasks.
      if (options_.on_run && !is_final(run.state)) options_.on_run(run);
    }
    if (run.run_details)
      for (const TaskDetail& task : run.run_details->task_details) {
        const std::string& id = task.task_id.empty() ? task.display_name : task.task_id;
        const auto [known, is_new] = tasks_.try_emplace(id, task.state);
        if (!is_new && known->second == task.state) continue;
        known->second = task.state;
        changed = true;
        if (options_.on_task) options_.on_task(task);
      }
    if (changed && is_final(run.state) && options_.on_run) options_.on_run(run);
    return changed;
  }

 private:
  const WaitOptions& options_;
  std::optional<RunState> run_;
  std::map<std::string, RunState> tasks_;
};

}  // namespace

Run wait(Client& client, const std::string& run_id, const WaitOptions& options) {
  const auto now = [&] { return options.clock ? options.clock() : steady_s(); };
  const double begin = now();
  Changes changes(options);
  double interval_s = options.first_interval_s;
  double away_since_s = -1;  // negative = it answers
  for (;;) {
    if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted"});
    try {
      Run run = client.run(run_id);
      if (away_since_s >= 0 && options.on_outage) options.on_outage("");
      away_since_s = -1;
      if (changes.tell(run)) interval_s = options.first_interval_s;
      if (is_final(run.state)) return run;
      if (options.longest_wait_s > 0 && now() - begin >= options.longest_wait_s) return run;
    } catch (const Unreachable& error) {
      if (away_since_s < 0) {
        away_since_s = now();
        if (options.on_outage) options.on_outage(error.what());
      }
      if (now() - away_since_s >= options.patience_s) throw;
      if (options.longest_wait_s > 0 && now() - begin >= options.longest_wait_s) throw;
    }
    client.http().wait(interval_s);
    interval_s = std::min(options.longest_interval_s, interval_s * options.growth);
  }
}

}  // namespace kfp::client
