#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>

#include "core/clock.h"
#include "core/error.h"
#include "kfp/ir/validate.h"
#include "kfp/local/detail/cache_key.h"
#include "kfp/local/detail/launcher.h"
#include "kfp/local/detail/scheduler.h"

// Runs containers and importers, from their inputs to their end.
namespace kfp::local {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

std::chrono::duration<double> seconds(double value) {
  return std::chrono::duration<double>(value);
}

Clock::time_point in_seconds(double value) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(seconds(std::min(value, 1e8)));
}

std::string schema_title(const Artifact& artifact) {
  return artifact.type.value("schemaTitle", "");
}

// "out", or "out[3]" for an element of a list.
std::string element_name(const std::string& name, std::size_t index, bool is_list) {
  return is_list ? fmt::format("{}[{}]", name, index) : name;
}

// True for images that represent work of the cluster and have no program.
bool is_cluster_work(const std::string& image) {
  return image == "argostub/createpvc" || image == "argostub/deletepvc";
}

}  // namespace

const ir::KubernetesExecutorConfig* Scheduler::platform_of(const Node& node) const {
  if (!pipeline_.platform || !pipeline_.platform->platforms || !pipeline_.platform->platforms->kubernetes)
    return nullptr;
  const auto& deployment = pipeline_.platform->platforms->kubernetes->deployment_spec;
  if (!deployment || !node.component->executor_label) return nullptr;
  const auto found = deployment->executors.find(*node.component->executor_label);
  return found == deployment->executors.end() ? nullptr : &found->second;
}

void Scheduler::warn_of_platform(const Node& node) {
  const ir::KubernetesExecutorConfig* platform = platform_of(node);
  if (platform == nullptr) return;
  const auto variables = [&](const std::string& what, const auto& entry, const auto& name) {
    const std::string& variable = entry.env_var.value_or("");
    if (!variable.empty() && ::getenv(variable.c_str()) == nullptr)  // NOLINT(concurrency-mt-unsafe)
      warn_once(fmt::format("{}: variable {} comes from {} {} on the cluster, and is not set here", node.key,
                            variable, what, name.value_or("")));
  };
  for (const auto& secret : platform->secret_as_env)
    for (const auto& entry : secret.key_to_env)
      if (!secret.optional.value_or(false)) variables("secret", entry, secret.secret_name);
  for (const auto& map : platform->config_map_as_env)
    for (const auto& entry : map.key_to_env)
      if (!map.optional.value_or(false)) variables("config map", entry, map.config_map_name);
  const auto mounts = [&](const std::string& what, const auto& list) {
    std::error_code error;
    for (const auto& mount : list)
      if (!mount.mount_path.value_or("").empty() && !fs::exists(*mount.mount_path, error))
        warn_once(
            fmt::format("{}: {} at {} is mounted only on the cluster", node.key, what, *mount.mount_path));
  };
  mounts("the volume", platform->pvc_mount);
  mounts("the empty folder", platform->empty_dir_mounts);
  mounts("the volume", platform->generic_ephemeral_volume);
  mounts("the secret", platform->secret_as_volume);
  mounts("the config map", platform->config_map_as_volume);
}

bool Scheduler::is_forced(const Node& node) const {
  return std::any_of(options_.force.begin(), options_.force.end(), [&](const std::string& name) {
    return name == node.record.path || name == node.key || name == node.record.name;
  });
}

// Values of variables are literal, as on the cluster.
void Scheduler::warn_of_environment(const Node& node) {
  for (const ir::EnvVar& variable : node.executor->container->env) {
    const std::string value = variable.value.value_or("");
    std::string left = ir::unresolved_channel(value);
    if (const auto found = ir::placeholders_in(value); !found.empty()) left = found.front().text;
    if (!left.empty())
      warn_once(fmt::format("{}: {} in the variable {} is not replaced, as on the cluster", node.key, left,
                            variable.name.value_or("")));
  }
}

void Scheduler::prepare(Node& node) {
  if (node.executor != nullptr && node.executor->importer) return import(node);
  try {
    if (node.executor == nullptr || !node.executor->container)
      throw core::InputError({.message = "only containers and importers can be run on this machine"});
    const ir::Container& container = *node.executor->container;
    if (is_cluster_work(container.image.value_or("")))
      throw core::InputError(
          {.message = "creates or deletes a volume of the cluster, which does not exist on this machine",
           .hint = "do not use volumes in pipelines for one machine"});
    warn_of_platform(node);
    warn_of_environment(node);
    node.execution = std::make_unique<Execution>();
    node.execution->claim =
        claim_of(container, node.inputs.parameters,
                 {.cpus = options_.default_cpus, .memory_bytes = options_.default_memory_bytes});
    node.record.cache_key =
        cache_key(*node.task, *node.component, *node.executor, node.inputs, options_.program_version);
  } catch (const std::exception& error) {
    return finish(node, State::kFailed, error.what());
  }
  const std::string earlier_key = earlier_.empty() ? ""
                                                   : cache_key(*node.task, *node.component, *node.executor,
                                                               node.inputs, earlier_version_);
  if (take_earlier(node, earlier_key) || take_cached(node)) return;

  Execution& execution = *node.execution;
  try {
    execution.executor_input =
        executor_input(*node.component, node.inputs, folder_.artifacts(node.record.path));
    execution.arguments = command_line(*node.executor->container, execution.executor_input);
    execution.program = find_program(execution.arguments.front(), options_.programs, options_.working_folder);
  } catch (const std::exception& error) {
    return finish(node, State::kFailed, error.what());
  }
  for (const auto& [name, list] : node.inputs.artifacts)
    for (const Artifact& artifact : list)
      if (artifact.sha256.empty() && local_path(artifact.uri))
        observer_.on_warning(
            fmt::format("{}: input {} was not written: {}", node.record.path, name, artifact.uri));
  ready_.push_back(&node);
}

void Scheduler::import(Node& node) {
  const ir::Importer& importer = *node.executor->importer;
  Artifact artifact;
  std::string output;
  try {
    if (node.component->output_definitions && !node.component->output_definitions->artifacts.empty())
      output = node.component->output_definitions->artifacts.begin()->first;
    else
      throw core::InputError({.message = "the importer has no output"});
    json uri;
    if (importer.artifact_uri && importer.artifact_uri->runtime_parameter) {
      // A value that was passed is used unchanged.
      if (const auto found = node.inputs.parameters.find(*importer.artifact_uri->runtime_parameter);
          found != node.inputs.parameters.end())
        uri = found->second;
    } else if (importer.artifact_uri) {
      if (importer.artifact_uri->constant) uri = *importer.artifact_uri->constant;
      if (importer.artifact_uri->constant_value)
        uri = importer.artifact_uri->constant_value->string_value.value_or("");
      uri = with_parameters(uri, node.inputs.parameters);
    }
    if (!uri.is_string() || uri.get_ref<const std::string&>().empty())
      throw core::InputError({.message = "the importer has no uri"});
    artifact.name = output;
    artifact.uri = uri.get<std::string>();
    if (const std::string channel = ir::unresolved_channel(artifact.uri); !channel.empty())
      throw core::InputError({.message = fmt::format("the uri \"{}\" has {}, which the SDK that compiled the "
                                                     "pipeline left unresolved",
                                                     artifact.uri, channel),
                              .hint = "pass the whole uri as a parameter"});
    if (const auto path = local_path(artifact.uri)) {
      const fs::path absolute = (options_.working_folder / *path).lexically_normal();
      if (!fs::exists(absolute))
        throw core::InputError({.message = "the data to import does not exist", .file = absolute});
      artifact.uri = absolute.string();
    }
    if (importer.type_schema) {
      artifact.type = json::object();
      if (importer.type_schema->schema_title)
        artifact.type["schemaTitle"] = *importer.type_schema->schema_title;
      if (importer.type_schema->instance_schema)
        artifact.type["instanceSchema"] = *importer.type_schema->instance_schema;
      if (importer.type_schema->schema_version)
        artifact.type["schemaVersion"] = *importer.type_schema->schema_version;
    }
    if (importer.metadata)
      artifact.metadata = with_parameters(importer.metadata->value, node.inputs.parameters);
  } catch (const std::exception& error) {
    return finish(node, State::kFailed, error.what());
  }
  node.execution = std::make_unique<Execution>();
  node.record.state = State::kRunning;
  node.record.started_s = core::now_s();
  ++node.record.attempt;
  put(node);
  collect(node, [artifact, output]() mutable {
    measure(artifact);
    Values values;
    values.artifacts[output].push_back(std::move(artifact));
    return values;
  });
}

// Reuses the work of an earlier process on this run, if the inputs were the same.
bool Scheduler::take_earlier(Node& node, const std::string& earlier_key) {
  const auto found = earlier_.find(node.record.path);
  if (!was_done(node.record.path) || found->second.cache_key != earlier_key || is_forced(node)) return false;
  // An exit task cleans up after others: it runs again if one of them did.
  if (node.task->trigger_policy && node.iteration < 0 &&
      node.task->trigger_policy->strategy == ir::TriggerStrategy::kAllUpstreamTasksCompleted)
    for (const std::string& key : ir::upstream_of(*node.task))
      if (node.parent->by_key.at(key)->ran) return false;
  if (!restore_outputs(node, found->second, earlier_artifacts_[node.record.path])) return false;
  node.record = found->second;
  observer_.on_task(node.record);
  node.execution.reset();
  to_settle_.push_back(&node);
  return true;
}

bool Scheduler::take_cached(Node& node) {
  if (!options_.cache || !node.task->caching_options ||
      !node.task->caching_options->enable_cache.value_or(false) || is_forced(node))
    return false;
  const std::optional<TaskRecord> cached = store_.find_cached(node.record.cache_key);
  if (!cached) return false;
  std::vector<ArtifactRecord> artifacts;
  if (node.component->output_definitions && !node.component->output_definitions->artifacts.empty())
    for (ArtifactRecord& artifact : store_.artifacts(cached->run_id))
      if (artifact.task_path == cached->path) artifacts.push_back(std::move(artifact));
  if (!restore_outputs(node, *cached, artifacts)) return false;
  node.record.cached_from = cached->run_id;
  node.record.log = cached->log;
  node.record.outputs = cached->outputs;
  put_artifacts(node, ArtifactRecord::Direction::kInput, node.inputs.artifacts);
  put_artifacts(node, ArtifactRecord::Direction::kOutput, node.outputs.artifacts);
  finish(node, State::kCached);
  return true;
}

bool Scheduler::restore_outputs(Node& node, const TaskRecord& record,
                                const std::vector<ArtifactRecord>& artifacts) {
  Values outputs;
  outputs.parameters = record.outputs.get<std::map<std::string, json>>();
  if (node.component->output_definitions) {
    const json promised = executor_input(*node.component, {}, folder_.artifacts(node.record.path))["outputs"];
    for (const auto& [name, spec] : node.component->output_definitions->parameters)
      if (!outputs.parameters.contains(name)) return false;
    for (const auto& [name, spec] : node.component->output_definitions->artifacts) {
      const bool is_list = spec.is_artifact_list.value_or(false);
      std::vector<Artifact>& list = outputs.artifacts[name];
      while (true) {
        const std::string wanted = element_name(name, list.size(), is_list);
        const auto found =
            std::find_if(artifacts.begin(), artifacts.end(), [&wanted](const ArtifactRecord& artifact) {
              return artifact.direction == ArtifactRecord::Direction::kOutput && artifact.name == wanted;
            });
        if (found == artifacts.end()) break;
        std::error_code error;
        if (!found->sha256.empty() && !fs::exists(found->path, error)) return false;
        list.push_back({.name = name,
                        .uri = found->path.string(),
                        .type = promised["artifacts"][name]["artifacts"][0]["type"],
                        .metadata = found->metadata,
                        .sha256 = found->sha256,
                        .bytes = found->bytes});
        if (!is_list) break;
      }
      if (list.empty() && !is_list) return false;
    }
  }
  node.outputs = std::move(outputs);
  return true;
}

void Scheduler::put_artifacts(const Node& node, ArtifactRecord::Direction direction,
                              const std::map<std::string, std::vector<Artifact>>& artifacts) {
  for (const auto& [name, list] : artifacts) {
    bool is_list = list.size() != 1;
    if (direction == ArtifactRecord::Direction::kOutput) {
      const auto& declared = node.component->output_definitions->artifacts;
      const auto spec = declared.find(name);
      is_list = spec != declared.end() && spec->second.is_artifact_list.value_or(false);
    }
    for (std::size_t i = 0; i < list.size(); ++i)
      store_.put_artifact({.run_id = run_.id,
                           .task_path = node.record.path,
                           .direction = direction,
                           .name = element_name(name, i, is_list),
                           .type = schema_title(list[i]),
                           .path = local_path(list[i].uri).value_or(list[i].uri),
                           .sha256 = list[i].sha256,
                           .bytes = list[i].bytes,
                           .metadata = list[i].metadata});
  }
}

void Scheduler::start_ready() {
  const auto now = Clock::now();
  for (std::size_t i = 0; i < backing_off_.size();) {
    if (backing_off_[i]->execution->next_start > now) {
      ++i;
      continue;
    }
    ready_.push_back(backing_off_[i]);
    backing_off_.erase(backing_off_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  // In order, so that small tasks do not block a large one forever.
  while (!ready_.empty() && budget_.fits(ready_.front()->execution->claim)) {
    Node* node = ready_.front();
    ready_.pop_front();
    // A task with the same content may have ended while this one waited.
    if (node->execution->tries > 0 || !take_cached(*node)) start(*node);
  }
}

void Scheduler::start(Node& node) {
  Execution& execution = *node.execution;
  TaskRecord& record = node.record;
  const fs::path log = folder_.log(record.path);
  ProcessOptions process{.program = execution.program,
                         .arguments = execution.arguments,
                         .environment = options_.environment,
                         .working_folder = options_.working_folder,
                         .log = log,
                         .guard = &guard_};
  for (const ir::EnvVar& variable : node.executor->container->env)
    if (variable.name) process.environment[*variable.name] = variable.value.value_or("");
  process.environment["KFP_RETRY_INDEX"] = std::to_string(execution.tries);
  process.environment["KFP_TASK_SCRATCH"] = folder_.scratch(record.path).string();

  if (execution.tries++ == 0) execution.first_start = Clock::now();
  node.ran = true;
  record.state = State::kRunning;
  record.error.clear();
  record.exit_code.reset();
  record.finished_s = 0;
  record.started_s = core::now_s();
  record.log = log;
  ++record.attempt;
  put(node);
  put_artifacts(node, ArtifactRecord::Direction::kInput, node.inputs.artifacts);
  try {
    std::error_code error;
    fs::create_directories(folder_.scratch(record.path), error);
    if (error)
      throw core::UnavailableError({.message = "the folder of the task cannot be created: " + error.message(),
                                    .file = folder_.scratch(record.path)});
    prepare_outputs(execution.executor_input, folder_.artifacts(record.path));
    if (record.attempt > 1)
      std::ofstream(log, std::ios::app) << fmt::format("--- attempt {} ---\n", record.attempt);
    execution.process = std::make_unique<Process>(process);
  } catch (const core::Error& error) {
    return attempt_failed(node, error.what());
  }
  budget_.take(execution.claim);
  running_.push_back(&node);
  const ir::KubernetesExecutorConfig* platform = platform_of(node);
  if (platform != nullptr && platform->active_deadline_seconds.value_or(0) > 0)
    execution.deadline = in_seconds(static_cast<double>(*platform->active_deadline_seconds));
}

void Scheduler::terminate(Node& node, const std::string& reason) {
  Execution& execution = *node.execution;
  if (execution.kill_at) return;
  execution.process->signal(SIGTERM);
  execution.kill_at = in_seconds(options_.grace_s);
  execution.stopped_because = reason;
}

void Scheduler::look_at_running() {
  for (std::size_t i = 0; i < running_.size();) {
    Node& node = *running_[i];
    Execution& execution = *node.execution;
    const std::optional<ProcessEnd> end = execution.process->poll();
    if (!end) {
      const auto now = Clock::now();
      if (execution.deadline && now >= *execution.deadline)
        terminate(node, fmt::format("it took longer than its deadline of {} s",
                                    *platform_of(node)->active_deadline_seconds));
      if (execution.kill_at && now >= *execution.kill_at) execution.process->signal(SIGKILL);
      ++i;
      continue;
    }
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    budget_.give_back(execution.claim);
    node.record.exit_code = end->exit_code;
    node.record.cpu_s += end->cpu_s;
    node.record.peak_memory_bytes = std::max(node.record.peak_memory_bytes, end->peak_memory_bytes);
    execution.process.reset();
    if (!execution.stopped_because.empty()) {
      attempt_failed(node, std::move(execution.stopped_because));
    } else if (end->signal != 0) {
      attempt_failed(node, fmt::format("ended by signal {} ({})", end->signal,
                                       ::sigabbrev_np(end->signal) ? ::sigabbrev_np(end->signal) : "?"));
    } else if (end->exit_code != 0) {
      attempt_failed(node, fmt::format("exit code {}", end->exit_code));
    } else {
      collect(node, [component = node.component, input = execution.executor_input,
                     root = folder_.artifacts(node.record.path)] {
        return collect_outputs(*component, input, root);
      });
    }
  }
}

void Scheduler::collect(Node& node, std::function<Values()> work) {
  collecting_.push_back(&node);
  node.execution->collecting = std::async(std::launch::async, [work = std::move(work), wake = wake_] {
    const auto notify = [wake] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(wake, &one, sizeof one);
    };
    try {
      Values values = work();
      notify();
      return values;
    } catch (...) {
      notify();
      throw;
    }
  });
}

void Scheduler::look_at_collecting() {
  for (std::size_t i = 0; i < collecting_.size();) {
    Node& node = *collecting_[i];
    if (node.execution->collecting.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      ++i;
      continue;
    }
    collecting_.erase(collecting_.begin() + static_cast<std::ptrdiff_t>(i));
    Values outputs;
    std::string failure;
    try {
      outputs = node.execution->collecting.get();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty())
      succeed(node, std::move(outputs));
    else
      attempt_failed(node, failure);
  }
}

void Scheduler::succeed(Node& node, Values outputs) {
  node.outputs = std::move(outputs);
  node.record.outputs = node.outputs.parameters;
  // Store the outputs before the state: a task counts as done only with its outputs.
  put_artifacts(node, ArtifactRecord::Direction::kOutput, node.outputs.artifacts);
  finish(node, State::kSucceeded);
}

void Scheduler::attempt_failed(Node& node, std::string error) {
  Execution& execution = *node.execution;
  execution.deadline.reset();
  execution.kill_at.reset();
  execution.stopped_because.clear();
  if (stop_ == Stop::kInterrupted) return finish(node, State::kCanceled, error);
  const std::optional<ir::RetryPolicy>& policy = node.task->retry_policy;
  const bool more = policy && execution.tries <= policy->max_retry_count.value_or(0) && stop_ == Stop::kNo;
  if (!more) return finish(node, State::kFailed, error);
  const double first = policy->backoff_duration ? policy->backoff_duration->seconds() : 0;
  const double delay = first * std::pow(policy->backoff_factor.value_or(2), execution.tries - 1);
  execution.next_start = in_seconds(delay);
  // As on the cluster, it limits the time from the first start to the last.
  if (policy->backoff_max_duration && policy->backoff_max_duration->seconds() > 0 &&
      execution.next_start - execution.first_start > seconds(policy->backoff_max_duration->seconds()))
    return finish(node, State::kFailed, error + "; the time for retries is over");
  node.record.state = State::kPending;
  node.record.error = std::move(error);
  put(node);
  backing_off_.push_back(&node);
}

}  // namespace kfp::local
