#include "kfp/local/detail/scheduler.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "core/clock.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "kfp/ir/condition.h"
#include "kfp/ir/placeholder.h"
#include "kfp/ir/validate.h"

namespace kfp::local {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);

Claim budget_of(const RunnerOptions& options) {
  Claim total = machine();
  if (options.cpus > 0) total.cpus = options.cpus;
  if (options.memory_bytes > 0) total.memory_bytes = options.memory_bytes;
  if (options.accelerators >= 0) total.accelerators = options.accelerators;
  return total;
}

// The reason of a failure in one line, without the file, which is in the log.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

Scheduler::Scheduler(const ir::Pipeline& pipeline, RunRecord run, const RunnerOptions& options, Store& store,
                     Observer& observer)
    : pipeline_(pipeline),
      run_(std::move(run)),
      options_(options),
      store_(store),
      observer_(observer),
      folder_{run_.folder},
      budget_(budget_of(options)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  names_ = {
      .id = run_.id,
      .name = run_.name,
      .created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(run_.created_s))),
      .workspace = folder_.workspace().string()};
  root_.component = &*pipeline_.spec.root;
  root_.inputs.parameters = run_.parameters.get<std::map<std::string, nlohmann::json>>();
  root_.record.state = State::kRunning;
  if (pipeline_.platform && pipeline_.platform->platforms && pipeline_.platform->platforms->kubernetes) {
    const auto& config = pipeline_.platform->platforms->kubernetes->pipeline_config;
    if (config && config->active_deadline_seconds.value_or(0) > 0)
      run_deadline_ = Clock::now() + std::chrono::seconds(*config->active_deadline_seconds);
    if (config && config->workspace) std::filesystem::create_directories(folder_.workspace());
  }
}

Scheduler::~Scheduler() {
  // If an exception ended the run, outputs may still be collected, which would wake us.
  for (Node* node : collecting_)
    if (node->execution->collecting.valid()) node->execution->collecting.wait();
  if (wake_ >= 0) ::close(wake_);
}

void Scheduler::resume_from(const std::vector<TaskRecord>& tasks,
                            const std::vector<ArtifactRecord>& artifacts,
                            const std::string& program_version) {
  for (const TaskRecord& task : tasks) earlier_[task.path] = task;
  for (const ArtifactRecord& artifact : artifacts) earlier_artifacts_[artifact.task_path].push_back(artifact);
  earlier_version_ = program_version;
}

void Scheduler::put(Node& node) {
  store_.put_task(node.record);
  observer_.on_task(node.record);
}

bool Scheduler::was_done(const std::string& path) const {
  const auto found = earlier_.find(path);
  return found != earlier_.end() &&
         (found->second.state == State::kSucceeded || found->second.state == State::kCached);
}

// Records a new task. If an earlier process ran it, the old record stays until it is known whether it is
// reused, because this process may be killed, too.
void Scheduler::announce(Node& node) {
  if (was_done(node.record.path))
    observer_.on_task(node.record);
  else
    put(node);
}

void Scheduler::warn_once(const std::string& message) {
  if (warned_.insert(message).second) observer_.on_warning(message);
}

Node& Scheduler::add_child(Node& parent, std::string key, const ir::Task& task, int iteration) {
  auto owned = std::make_unique<Node>();
  Node& node = *owned;
  parent.children.push_back(std::move(owned));
  ++parent.open_children;
  node.parent = &parent;
  node.key = std::move(key);
  node.task = &task;
  node.iteration = iteration;
  const std::string component = task.component_ref ? task.component_ref->name.value_or("") : "";
  node.component = &pipeline_.spec.components.at(component);
  if (node.component->executor_label)
    node.executor = &pipeline_.spec.deployment_spec->executors.at(*node.component->executor_label);

  TaskRecord& record = node.record;
  record.run_id = run_.id;
  if (iteration >= 0)
    record.path = fmt::format("{}[{}]", parent.record.path, iteration);
  else
    record.path = parent.record.path.empty() ? node.key : parent.record.path + '/' + node.key;
  record.name = task.task_info ? task.task_info->name.value_or(node.key) : node.key;
  if (iteration >= 0) record.name += fmt::format("[{}]", iteration);
  record.component = component;
  record.is_dag = node.component->dag.has_value() || node.is_loop();
  // Facts from before this process remain visible: the number of attempts and the log.
  if (const auto before = earlier_.find(record.path); before != earlier_.end()) {
    record.attempt = before->second.attempt;
    record.log = before->second.log;
  }
  return node;
}

void Scheduler::expand_dag(Node& dag) {
  const ir::Dag& spec = *dag.component->dag;
  for (const std::string& key : ir::topological_order(spec)) {
    Node& node = add_child(dag, key, spec.tasks.at(key), -1);
    dag.by_key[key] = &node;
    for (const std::string& upstream : ir::upstream_of(*node.task)) {
      dag.by_key.at(upstream)->dependents.push_back(&node);
      ++node.waits_for;
    }
  }
  for (const auto& node : dag.children) {
    announce(*node);
    if (node->waits_for == 0) to_activate_.push_back(node.get());
  }
  if (dag.children.empty()) finish(dag, State::kSucceeded);
}

void Scheduler::expand_loop(Node& loop) {
  const std::int32_t limit =
      loop.task->iterator_policy ? loop.task->iterator_policy->parallelism_limit.value_or(0) : 0;
  const std::size_t first =
      limit > 0 ? std::min(loop.items.size(), static_cast<std::size_t>(limit)) : loop.items.size();
  for (std::size_t i = 0; i < first; ++i) add_iteration(loop);
  if (!loop.items.empty()) return;
  collect_iterations(loop);  // empty lists
  finish(loop, State::kSucceeded);
}

void Scheduler::add_iteration(Node& loop) {
  const auto index = static_cast<int>(loop.children.size());
  Node& node = add_child(loop, loop.key, *loop.task, index);
  announce(node);
  to_activate_.push_back(&node);
}

bool Scheduler::upstream_allows(const Node& node, std::string& reason) const {
  if (node.iteration >= 0) return true;
  const bool always = node.task->trigger_policy &&
                      node.task->trigger_policy->strategy == ir::TriggerStrategy::kAllUpstreamTasksCompleted;
  if (always) return true;
  for (const std::string& key : ir::upstream_of(*node.task)) {
    const Node& upstream = *node.parent->by_key.at(key);
    if (upstream.succeeded()) continue;
    reason = upstream.record.state == State::kFailed ? fmt::format("{} failed", upstream.record.path)
                                                     : fmt::format("{} was skipped", upstream.record.path);
    return false;
  }
  return true;
}

void Scheduler::activate(Node& node) {
  if (stop_ != Stop::kNo)
    return finish(node, stop_ == Stop::kInterrupted ? State::kCanceled : State::kSkipped);
  std::string reason;
  if (!upstream_allows(node, reason)) return finish(node, State::kSkipped, reason);

  bool skip = false;
  const Warn warn = [this](const std::string& message) { warn_once(message); };
  try {
    if (node.iteration >= 0) {
      resolve_iteration(node, node.parent->items[static_cast<std::size_t>(node.iteration)], names_, warn);
    } else {
      resolve_inputs(node, names_, warn);
      const std::string condition =
          node.task->trigger_policy ? node.task->trigger_policy->condition.value_or("") : "";
      if (const std::string channel = ir::unresolved_channel(condition); !channel.empty())
        throw core::InputError(
            {.message = fmt::format("its condition has {}, which the SDK that compiled the "
                                    "pipeline left unresolved",
                                    channel),
             .hint = "compare with a parameter or a plain value"});
      skip = !condition.empty() && !ir::evaluate_condition(condition, node.inputs.parameters);
    }
    if (!skip && node.is_loop()) node.items = loop_items(node, names_, warn);
    if (!skip && node.task->artifact_iterator)
      throw core::InputError(
          {.message = "loops over artifacts are not implemented, here and on the cluster"});
  } catch (const std::exception& error) {
    return finish(node, State::kFailed, error.what());
  }
  if (skip) return finish(node, State::kSkipped, "its condition is false");

  if (!node.record.is_dag) return prepare(node);
  node.record.state = State::kRunning;
  node.record.started_s = core::now_s();
  put(node);
  if (node.is_loop())
    expand_loop(node);
  else
    expand_dag(node);
}

void Scheduler::finish(Node& node, State state, const std::string& error) {
  node.record.state = state;
  node.record.error = one_line(error);
  node.record.finished_s = core::now_s();
  if (node.record.started_s == 0) node.record.started_s = node.record.finished_s;
  if (node.parent != nullptr) {
    put(node);
    to_settle_.push_back(&node);
  }
  // A DAG fails because of something inside it, whose message is reported.
  if (state == State::kFailed && node.parent != nullptr && node.children.empty() && run_.error.empty())
    run_.error = fmt::format("{}: {}", node.record.path, node.record.error);
  node.execution.reset();
}

// Notifies the tasks that wait for the node of its end.
void Scheduler::settle(Node& node) {
  Node& parent = *node.parent;
  parent.ran = parent.ran || node.ran;
  for (Node* dependent : node.dependents)
    if (--dependent->waits_for == 0) to_activate_.push_back(dependent);
  --parent.open_children;
  if (parent.is_loop() && stop_ == Stop::kNo && parent.children.size() < parent.items.size())
    return add_iteration(parent);
  if (parent.open_children > 0) return;

  bool failed = false;
  bool canceled = parent.is_loop() && parent.children.size() < parent.items.size();
  for (const auto& child : parent.children) {
    failed = failed || child->record.state == State::kFailed;
    canceled = canceled || child->record.state == State::kCanceled;
  }
  if (parent.is_loop())
    collect_iterations(parent);
  else
    resolve_outputs(parent);
  finish(parent, failed ? State::kFailed : canceled ? State::kCanceled : State::kSucceeded);
}

void Scheduler::drain() {
  while (!to_settle_.empty() || !to_activate_.empty()) {
    if (!to_settle_.empty()) {
      Node* node = to_settle_.front();
      to_settle_.pop_front();
      settle(*node);
    } else {
      Node* node = to_activate_.front();
      to_activate_.pop_front();
      activate(*node);
    }
  }
}

void Scheduler::stop(Stop why) {
  stop_ = why;
  const State waiting = why == Stop::kInterrupted ? State::kCanceled : State::kSkipped;
  for (Node* node : std::exchange(ready_, {})) finish(*node, waiting);
  for (Node* node : std::exchange(backing_off_, {})) finish(*node, waiting, node->record.error);
  for (Node* node : running_)
    terminate(*node, why == Stop::kInterrupted ? "interrupted" : "the run took longer than its deadline");
}

void Scheduler::wait() {
  std::vector<pollfd> descriptors = {{.fd = wake_, .events = POLLIN, .revents = 0}};
  auto until = Clock::now() + kTick;
  for (const Node* node : running_) {
    const int descriptor = node->execution->process->descriptor();
    if (descriptor < 0)
      until = std::min(until, Clock::now() + std::chrono::milliseconds(5));
    else
      descriptors.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
  }
  for (const Node* node : backing_off_) until = std::min(until, node->execution->next_start);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  ::poll(descriptors.data(), descriptors.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_, &count, sizeof count);
}

RunResult Scheduler::execute() {
  run_.state = State::kRunning;
  store_.update_run(run_);
  observer_.on_run(run_);
  expand_dag(root_);
  while (true) {
    drain();
    start_ready();
    drain();
    if (is_final(root_.record.state)) break;
    if (!to_activate_.empty() || !to_settle_.empty()) continue;
    wait();
    look_at_running();
    look_at_collecting();
    const bool is_unwanted =
        core::interrupt_requested() || (options_.stop_requested && options_.stop_requested());
    if (stop_ == Stop::kNo && is_unwanted) stop(Stop::kInterrupted);
    if (stop_ == Stop::kNo && run_deadline_ && Clock::now() >= *run_deadline_) {
      run_.error = "the run took longer than its deadline";
      stop(Stop::kTimedOut);
    }
    observer_.on_tick();
  }
  run_.state = stop_ == Stop::kInterrupted ? State::kCanceled
               : stop_ == Stop::kTimedOut  ? State::kFailed
                                           : root_.record.state;
  if (run_.state == State::kCanceled && run_.error.empty()) run_.error = "interrupted";
  run_.options["outputs"] = root_.outputs.parameters;
  run_.finished_s = core::now_s();
  run_.runner_pid = 0;
  run_.runner_start = 0;
  store_.update_run(run_);
  observer_.on_run(run_);
  return result();
}

RunResult Scheduler::result() const {
  RunResult result{.run = run_, .outputs = root_.outputs.parameters};
  std::vector<const Node*> open = {&root_};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (!node->record.is_dag && node->parent != nullptr) ++result.tasks[node->record.state];
    for (const auto& child : node->children) open.push_back(child.get());
  }
  return result;
}

}  // namespace kfp::local
