#include "kfp/local/runner.h"

#include <fmt/format.h>

#include <set>

#include "core/error.h"
#include "core/hash.h"
#include "core/staged_output.h"
#include "kfp/component/field.h"
#include "kfp/ir/document.h"
#include "kfp/ir/validate.h"
#include "kfp/local/detail/parameters.h"
#include "kfp/local/detail/scheduler.h"

namespace kfp::local {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

void check_pipeline(const ir::Pipeline& pipeline) {
  std::vector<ir::Problem> errors;
  for (ir::Problem& problem : ir::validate(pipeline))
    if (problem.severity == ir::Problem::Severity::kError) errors.push_back(std::move(problem));
  if (!errors.empty()) {
    const std::string more =
        errors.size() > 1 ? fmt::format(", and {} more mistakes", errors.size() - 1) : "";
    throw core::InputError({.message = errors.front().message + more,
                            .field = errors.front().place,
                            .hint = errors.front().hint});
  }
  if (!pipeline.spec.root || !pipeline.spec.root->dag)
    throw core::InputError({.message = "the pipeline has no tasks", .field = "root"});
  check_names(pipeline.spec);
}

void check_forced(const ir::PipelineSpec& spec, const std::vector<std::string>& force) {
  std::set<std::string> known;
  const auto add = [&](const ir::ComponentSpec& component) {
    if (!component.dag) return;
    for (const auto& [key, task] : component.dag->tasks) {
      known.insert(key);
      if (task.task_info) known.insert(task.task_info->name.value_or(key));
    }
  };
  add(*spec.root);
  for (const auto& [name, component] : spec.components) add(component);
  for (const std::string& name : force) {
    std::string last = name.substr(name.rfind('/') + 1);
    last = last.substr(0, last.rfind('['));
    if (known.contains(last) || known.contains(name)) continue;
    const std::string near = nearest(name, {known.begin(), known.end()});
    throw core::UsageError({.message = "the pipeline has no task " + name,
                            .field = "force",
                            .hint = near.empty() ? fmt::format("it has {}", fmt::join(known, ", "))
                                                 : "did you mean " + near + "?"});
  }
}

RunnerOptions with_defaults(RunnerOptions options) {
  options.working_folder = fs::absolute(options.working_folder.empty() ? "." : options.working_folder);
  return options;
}

RunResult execute(Scheduler& scheduler, RunRecord run, Store& store) {
  try {
    RunResult result = scheduler.execute();
    if (!scheduler.interrupted()) return result;
  } catch (const std::exception& error) {
    // If the store itself failed, the run looks killed, and can be resumed, too.
    try {
      run.state = State::kFailed;
      run.error = error.what();
      run.runner_pid = 0;
      run.runner_start = 0;
      store.update_run(run);
    } catch (const std::exception&) {
    }
    throw;
  }
  throw core::Interrupted({.message = "run " + run.id + " was interrupted",
                           .hint = "calopipe runs resume " + run.id + " continues it"});
}

}  // namespace

RunResult run(const ir::Pipeline& pipeline, const json& parameters, const RunnerOptions& given, Store& store,
              Observer* observer) {
  Observer silent;
  const RunnerOptions options = with_defaults(given);
  check_pipeline(pipeline);
  check_forced(pipeline.spec, options.force);
  for (const ir::ReadingNote& note : pipeline.notes)
    if (!note.harmless && observer != nullptr)
      observer->on_warning(fmt::format("{}: {} (quote it)", note.place, note.message));
  RunRecord record;
  record.parameters = check_run_parameters(pipeline.spec, parameters);
  record.pipeline = pipeline.spec.pipeline_info->name.value_or("");
  record.name = options.run_name.empty() ? pipeline.spec.pipeline_info->display_name.value_or(record.pipeline)
                                         : options.run_name;
  record.state = State::kRunning;
  record.program_version = options.program_version;
  record.options = {{"cache", options.cache}, {"workingFolder", options.working_folder.string()}};
  const std::string text = ir::to_yaml(pipeline);
  record.spec_sha256 = core::sha256(text);
  record = store.create_run(std::move(record));
  core::write_file(RunFolder{record.folder}.pipeline(), text);

  Scheduler scheduler(pipeline, record, options, store, observer != nullptr ? *observer : silent);
  return execute(scheduler, record, store);
}

RunResult resume(const std::string& run_id, const RunnerOptions& given, Store& store, Observer* observer) {
  Observer silent;
  RunRecord record = store.run(run_id);
  if (record.state == State::kSucceeded) {
    RunResult result{.run = record, .outputs = record.options.value("outputs", json::object())};
    for (const TaskRecord& task : store.tasks(record.id))
      if (!task.is_dag) ++result.tasks[task.state];
    return result;
  }
  RunnerOptions options = given;
  options.cache = record.options.value("cache", true);
  options.working_folder = record.options.value("workingFolder", given.working_folder.string());
  options = with_defaults(options);
  const ir::Pipeline pipeline = ir::read_pipeline(RunFolder{record.folder}.pipeline());
  check_pipeline(pipeline);
  check_forced(pipeline.spec, options.force);
  record = store.claim_run(record.id);
  const std::string earlier_version = record.program_version;
  record.program_version = options.program_version;

  Scheduler scheduler(pipeline, record, options, store, observer != nullptr ? *observer : silent);
  scheduler.resume_from(store.tasks(record.id), store.artifacts(record.id), earlier_version);
  return execute(scheduler, record, store);
}

}  // namespace kfp::local
