#include "pipeline/tune.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json_file.h"
#include "core/staged_output.h"
#include "core/temp_folder.h"
#include "core/thread_pool.h"
#include "pipeline/local_run.h"
#include "pipeline/trial.h"
#include "pipeline/tune_status.h"
#include "tracking/journal.h"
#include "tune/algorithm.h"

namespace pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The declarations of the parameters of a pipeline, by "component.parameter".
class Declared {
 public:
  Declared(const kfp::Registry& registry, const std::string& pipeline) {
    const ProjectPipeline project = make_pipeline(pipeline, registry, {.image = default_image()});
    for (const auto& [name, of] : project.parameters) {
      if (!components_.contains(of.component)) components_[of.component] = registry.create(of.component);
      known_[of.component].push_back(of.parameter);
    }
  }

  core::ParameterField operator()(const std::string& name) const {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos) fail("must have the form component.parameter", "", {});
    const std::string component = name.substr(0, dot);
    std::string parameter = name.substr(dot + 1);
    std::replace(parameter.begin(), parameter.end(), '-', '_');
    const auto found = known_.find(component);
    if (found == known_.end()) {
      std::vector<std::string> names;
      for (const auto& [one, unused] : known_) names.push_back(one);
      fail("is not a component of the pipeline", component, names);
    }
    if (std::find(found->second.begin(), found->second.end(), parameter) == found->second.end())
      fail("is not a parameter of " + component + " that the pipeline has", parameter, found->second);
    return components_.at(component)->field(parameter);
  }

 private:
  [[noreturn]] static void fail(const std::string& message, const std::string& name,
                                const std::vector<std::string>& known) {
    const std::string near = core::nearest(name, known);
    throw core::UsageError({.message = name.empty() ? message : fmt::format("{} {}", name, message),
                            .hint = near.empty() ? "" : fmt::format("did you mean \"{}\"?", near)});
  }

  std::map<std::string, std::unique_ptr<kfp::Component>> components_;
  std::map<std::string, std::vector<std::string>> known_;
};

// A definition as a file has it.
struct Written : StudySettings {
  json space, objectives = json::array();

  template <class V>
  void describe(V& v) {
    StudySettings::describe(v);
    v("space", space, {.required = true});
    v("objectives", objectives);
  }
};

tune::AlgorithmOptions algorithm_options(const StudyDefinition& definition) {
  return {.seed = static_cast<std::uint64_t>(definition.seed),
          .objectives = definition.objectives.losses(),
          .multivariate = definition.multivariate};
}

// Adds a configuration to another one; the second one wins.
void merge(json& into, const json& from) {
  for (const auto& [component, values] : from.items())
    for (const auto& [name, value] : values.items()) into[component][name] = value;
}

json read_config(const fs::path& file) {
  json config = kfp::read_yaml(file);
  if (config.is_null()) config = json::object();
  if (!config.is_object() ||
      std::any_of(config.begin(), config.end(), [](const json& values) { return !values.is_object(); }))
    throw core::InputError(
        {.message = "must be a mapping from components to their parameters", .file = file});
  config.erase(kTuneSection);
  return config;
}

// Watches the run of a trial: keeps its id, and reads the numbers of its epochs for early stopping.
class Watch final : public kfp::local::Observer {
 public:
  Watch(tune::Study& study, tune::Trial& trial, const tune::EarlyStopping& rule, std::int64_t wanted,
        TuneStatus& status)
      : study_(study), trial_(trial), rule_(rule), wanted_(wanted), status_(status), epochs_(rule.metric) {}

  bool is_lost() const { return lost_; }
  /// Throws what went wrong with the study, because an observer must not.
  void check() const {
    if (error_) std::rethrow_exception(error_);
  }
  bool wants_end() const { return stopped_ || lost_; }

  void on_run(const kfp::local::RunRecord& run) override {
    folder_ = run.folder;
    if (run.id.empty() || run.id == trial_.run) return;
    trial_.run = run.id;
    ask_study([&] { lost_ = !study_.record(trial_); });
  }
  void on_task(const kfp::local::TaskRecord& task) override {
    if (task.state == kfp::local::State::kRunning) status_.task(trial_.number, task.name);
  }
  void on_tick() override {
    if (rule_.kind == "none" || wants_end()) return;
    epochs_.look(folder_, [this](std::int64_t epoch, double value) {
      add(epoch, value);
      return !wants_end();
    });
  }

 private:
  void add(std::int64_t epoch, double value) {
    if (!trial_.curve.emplace(epoch, value).second) return;
    ask_study([&] {
      if (!study_.add_to_curve(trial_, epoch, value))
        lost_ = true;
      else
        stopped_ = is_unwanted();
    });
  }

  bool is_unwanted() const {
    const std::vector<tune::Trial> trials = study_.trials();
    return tune::stops(rule_, trials, trial_, static_cast<std::int64_t>(trials.size()) >= wanted_);
  }

  template <class Body>
  void ask_study(const Body& body) {
    try {
      body();
    } catch (const std::exception&) {
      error_ = std::current_exception();
      lost_ = true;
    }
  }

  tune::Study& study_;
  tune::Trial& trial_;
  const tune::EarlyStopping& rule_;
  std::int64_t wanted_;  // number of trials of the study
  TuneStatus& status_;
  EpochReader epochs_;
  fs::path folder_;
  bool stopped_ = false, lost_ = false;
  std::exception_ptr error_;
};

// One process that takes part in a study.
class Worker {
 public:
  Worker(const kfp::Registry& registry, tune::Study& study, const TuneOptions& options,
         kfp::local::Store& store)
      : study_(study),
        options_(options),
        store_(store),
        definition_(StudyDefinition::from_json(study.definition())),
        algorithm_(
            tune::make_algorithm(definition_.algorithm, definition_.space, algorithm_options(definition_))),
        status_(definition_.objectives, options.trials, options.quiet),
        trials_(registry, definition_, store),
        name_(study.join()) {
    use_this_program(runner_, threads_of_each());
    runner_.cache = options.cache;
    runner_.cpus = std::max(1, threads_of_each());
    // A study of an older version has no id.
    if (definition_.id.empty())
      definition_.id =
          core::sha256(core::is_url(study.file()) ? study.file() : fs::absolute(study.file()).string())
              .substr(0, 32);
    if (options.log)
      log_ = std::make_unique<GroupLog>(options.log, GroupLog::Begin{.store = store.folder(),
                                                                     .name = study.name(),
                                                                     .kind = "study",
                                                                     .id = definition_.id,
                                                                     .parameters = parameters_to_log()});
  }

  void run() {
    std::vector<std::jthread> slots;
    for (std::int64_t i = 0; i < options_.parallel; ++i) slots.emplace_back([this] { work(); });
    try {
      watch();
    } catch (...) {
      fail(std::current_exception());
    }
    slots.clear();
    study_.leave(name_);
    status_.end();
    end_log();
    if (error_) std::rethrow_exception(error_);
    check_result();
  }

 private:
  int threads_of_each() const {
    const int all = options_.threads > 0 ? options_.threads : core::available_threads();
    return std::max(1, all / static_cast<int>(options_.parallel));
  }

  json parameters_to_log() const {
    return {{"pipeline", definition_.pipeline},
            {"algorithm", definition_.algorithm},
            {"seed", definition_.seed},
            {"space", definition_.space.to_json()},
            {"objectives", definition_.objectives.to_json()}};
  }

  // The objectives of a trial are metrics of the study, with the trial as the step. All workers send the
  // same.
  void log_values(tracking::Run& run, const tune::Trial& trial, std::int64_t step) const {
    std::map<std::string, double> values;
    for (std::size_t i = 0; i < trial.values.size(); ++i) {
      const tune::Objective& objective = definition_.objectives.all()[i];
      values[fs::path(objective.file()).stem().string() + '/' + objective.name()] = trial.values[i];
    }
    run.metrics(step, trial.finished_s, values);
  }

  std::string id_of_trial(std::int64_t number) const {
    return core::sha256(fmt::format("{} {}", log_->id(), number)).substr(0, 32);
  }

  void end_log() {
    if (!log_) return;
    const auto trials = study_.trials();
    for (const tune::Trial& trial : trials)
      if (trial.state == tune::TrialState::kDone) log_values(log_->run(), trial, trial.number);
    if (const auto best = definition_.objectives.best(trials); !best.empty()) {
      const std::int64_t number = best.front()->number;
      log_->run().tags({{"calopipe.best_trial", fmt::format("{}", number)}});
      if (!options_.log.model.empty()) log_->run().model("model", options_.log.model, id_of_trial(number));
    }
    log_->end(core::interrupt_requested() ? tracking::Run::Status::kKilled
              : error_                    ? tracking::Run::Status::kFailed
                                          : tracking::Run::Status::kFinished);
  }

  // Signs of life, and the table, until all slots have ended.
  void watch() {
    const auto every = std::chrono::duration<double>(std::min(1.0, options_.lease_s / 4));
    std::unique_lock lock(mutex_);
    while (ended_ < options_.parallel) {
      changed_.wait_for(lock, every);
      lock.unlock();
      study_.beat(name_);
      status_.show(study_.trials());
      lock.lock();
    }
  }

  void work() {
    try {
      while (!has_stopped()) {
        const tune::Claim claim = study_.claim(
            name_, {.trials = options_.trials, .lease_s = options_.lease_s},
            [&](const std::vector<tune::Trial>& trials, std::int64_t number) {
              return propose(trials, number);
            },
            [&](const std::vector<tune::Trial>& trials) {
              return tune::promoted(definition_.early_stopping, trials, is_complete(trials));
            });
        if (claim.kind == tune::Claim::Kind::kEnd) break;
        if (claim.kind == tune::Claim::Kind::kWait)
          std::this_thread::sleep_for(std::chrono::milliseconds(200));
        else
          run_trial(claim.trial);
      }
    } catch (...) {
      fail(std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  std::optional<tune::Proposal> propose(const std::vector<tune::Trial>& trials, std::int64_t number) const {
    return algorithm_->ask(
        tune::history_of(trials,
                         [&](const tune::Trial& trial) { return definition_.objectives.loss(trial); }),
        number);
  }

  bool is_complete(const std::vector<tune::Trial>& trials) const {
    return static_cast<std::int64_t>(trials.size()) >= options_.trials;
  }

  bool has_stopped() {
    const std::lock_guard lock(mutex_);
    return error_ != nullptr || core::interrupt_requested();
  }

  void fail(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }

  void run_trial(tune::Trial trial) {
    status_.begin(trial);
    Watch watch(study_, trial, definition_.early_stopping, options_.trials, status_);
    const auto log = begin_log(trial);
    try {
      execute(trial, watch, log.get());
    } catch (const core::Interrupted&) {
      watch.check();
      const bool is_interrupted = core::interrupt_requested();
      if (is_interrupted || watch.is_lost() || has_stopped()) {
        if (log) log->end(tracking::Run::Status::kKilled);
        if (is_interrupted) throw;
        return;
      }
      trial.state = tune::TrialState::kStopped;
    } catch (const MissingObjective&) {
      // If no trial ever had it, no other one will.
      if (!is_any_done()) throw;
      set_failed(trial, std::current_exception());
    } catch (const core::Error&) {
      set_failed(trial, std::current_exception());
    }
    if (study_.record(trial)) status_.end_of(trial);
    if (log) end_log(*log, trial);
    if (trial.state == tune::TrialState::kFailed) count_failure(trial);
  }

  static void set_failed(tune::Trial& trial, const std::exception_ptr& what) {
    try {
      std::rethrow_exception(what);
    } catch (const core::Error& error) {
      trial.state = tune::TrialState::kFailed;
      trial.error = error.what();
      trial.exit_code = static_cast<int>(error.exit_code());
    }
  }

  bool is_any_done() const {
    const auto trials = study_.trials();
    return std::any_of(trials.begin(), trials.end(),
                       [](const tune::Trial& one) { return one.state == tune::TrialState::kDone; });
  }

  std::unique_ptr<GroupLog> begin_log(const tune::Trial& trial) const {
    if (!log_) return nullptr;
    return std::make_unique<GroupLog>(
        LogOptions{.to = options_.log.to},  // only the model of the best trial is registered
        GroupLog::Begin{.store = store_.folder(),
                        .name = fmt::format("trial {}", trial.number),
                        .kind = "trial",
                        .id = id_of_trial(trial.number),
                        .parent = log_->id(),
                        .parameters = trial.parameters});
  }

  void end_log(GroupLog& log, const tune::Trial& trial) const {
    log.run().tags({{"calopipe.state", to_string(trial.state)}, {"calopipe.local_run", trial.run}});
    if (!trial.error.empty()) log.run().tags({{"calopipe.error", trial.error}});
    if (trial.state == tune::TrialState::kDone) log_values(log.run(), trial, 0);
    log.end(trial.state == tune::TrialState::kFailed ? tracking::Run::Status::kFailed
                                                     : tracking::Run::Status::kFinished);
  }

  void execute(tune::Trial& trial, Watch& watch, const GroupLog* log) {
    kfp::local::RunnerOptions runner = runner_;
    runner.stop_requested = [&] { return watch.wants_end() || has_stopped(); };
    if (log != nullptr) log->add_to(runner.environment);
    trials_.run(trial, study_.name(), runner, watch);
    trial.state = tune::TrialState::kDone;
    trial.error.clear();
  }

  void count_failure(const tune::Trial& trial) {
    const std::lock_guard lock(mutex_);
    if (!first_failure_ || trial.number < first_failure_->number) first_failure_ = trial;
    if (++failures_ >= options_.max_failures && !error_) error_ = std::make_exception_ptr(failure());
  }

  core::Error failure() const {
    const auto code = static_cast<core::ExitCode>(std::max(1, first_failure_->exit_code));
    return {code,
            {.message = fmt::format("{} trial{} failed; the first one: {}", failures_,
                                    failures_ == 1 ? "" : "s", first_failure_->error),
             .file = study_.file(),
             .field = fmt::format("trial {}", first_failure_->number)}};
  }

  void check_result() {
    if (core::interrupt_requested())
      throw core::Interrupted(
          {.message = "the study was interrupted", .file = study_.file(), .hint = "--resume continues it"});
    if (!is_any_done() && first_failure_) throw failure();
  }

  tune::Study& study_;
  const TuneOptions& options_;
  kfp::local::Store& store_;
  StudyDefinition definition_;
  std::unique_ptr<tune::Algorithm> algorithm_;
  TuneStatus status_;
  TrialRunner trials_;
  std::string name_;
  kfp::local::RunnerOptions runner_;
  std::unique_ptr<GroupLog> log_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t ended_ = 0, failures_ = 0;
  std::exception_ptr error_;
  std::optional<tune::Trial> first_failure_;
};

}  // namespace

json declared_default(const kfp::Registry& registry, const std::string& pipeline, const std::string& name) {
  const Declared declared(registry, pipeline);
  return declared(name).value();
}

json StudyDefinition::to_json() const {
  json stored = core::JsonWriter::written(static_cast<const StudySettings&>(*this));
  stored["config"] = config;
  stored["settings"] = settings;
  stored["id"] = id.empty() ? tracking::new_id() : id;
  stored["space"] = space.to_json();
  stored["objectives"] = objectives.to_json();
  return stored;
}

StudyDefinition StudyDefinition::from_json(const json& stored) {
  StudyDefinition definition;
  core::JsonPlace place("study");
  try {
    json settings = core::JsonWriter::written(StudySettings{});
    for (auto& [name, value] : settings.items())
      if (stored.contains(name)) value = stored.at(name);  // a study of an older version lacks the newer ones
    core::read_json(static_cast<StudySettings&>(definition), settings, place);
    definition.config = stored.at("config");
    definition.settings = stored.at("settings").get<std::vector<std::string>>();
    definition.id = stored.value("id", "");
    definition.space = tune::Space::from_json(stored.at("space"));
    definition.objectives = tune::Objectives::read_json(stored.at("objectives"), place);
  } catch (const json::exception& error) {
    throw core::InputError({.message = std::string("is a damaged study: ") + error.what()});
  }
  return definition;
}

StudyDefinition read_definition(const kfp::Registry& registry, const fs::path& file, const fs::path& config) {
  json content = kfp::read_yaml(file);
  if (!content.is_object())
    throw core::InputError({.message = "must be a mapping with space, objectives …", .file = file});
  StudyDefinition definition;
  const bool is_section = content.contains(kTuneSection);
  core::JsonPlace place(file, is_section ? kTuneSection : "");
  Written written;
  core::read_json(written, is_section ? content.at(kTuneSection) : content, place);
  if (is_section) definition.config = read_config(file);
  if (!config.empty()) merge(definition.config, read_config(config));
  static_cast<StudySettings&>(definition) = written;
  const Declared declared(registry, written.pipeline);
  definition.space = tune::read_space(
      written.space, [&](const std::string& name) { return declared(name); }, file);
  if (!written.objectives.empty()) {
    const core::JsonPlace::Step step(place, "objectives");
    definition.objectives = tune::Objectives::read_json(written.objectives, place);
  }
  return definition;
}

void check_definition(const kfp::Registry& registry, const StudyDefinition& definition) {
  const auto algorithm =
      tune::make_algorithm(definition.algorithm, definition.space, algorithm_options(definition));
  if (definition.objectives.all().empty())
    throw core::UsageError({.message = "there is none",
                            .field = "objectives",
                            .hint = "name a number that the pipeline writes: --objective metrics.json:fpd"});
  const core::TempFolder folder("tune");
  core::write_file(folder.path() / "config.yaml", definition.config.dump() + "\n");
  std::vector<std::string> settings = definition.settings;
  if (definition.early_stopping.kind == "hyperband") tune::bracket_count(definition.early_stopping);
  if (definition.repeats > 1)
    for (std::string& setting : seed_settings(definition, first_seed(registry, definition), 0))
      settings.push_back(std::move(setting));
  if (const auto first = algorithm->ask({}, 0))
    for (std::string& setting : settings_of(first->parameters)) settings.push_back(std::move(setting));
  const PreparedPipeline prepared =
      prepare_pipeline(registry, definition.pipeline, folder.path() / "config.yaml", settings);
  std::vector<std::string> files;
  for (const ProjectPipeline::Product& product : prepared.products)
    if (product.file.ends_with(".json")) files.push_back(product.file);
  for (const tune::Objective& objective : definition.objectives.all()) {
    if (std::find(files.begin(), files.end(), objective.file()) != files.end()) continue;
    const std::string near = core::nearest(objective.file(), files);
    throw core::UsageError({.message = fmt::format("{}: no component of the pipeline writes {}",
                                                   objective.value, objective.file()),
                            .field = "objectives",
                            .hint = near.empty() ? fmt::format("it writes {}", fmt::join(files, ", "))
                                                 : fmt::format("did you mean \"{}\"?", near)});
  }
}

std::vector<std::string> settings_of(const tune::Parameters& parameters) {
  std::vector<std::string> settings;
  for (const auto& [name, value] : parameters.items())
    settings.push_back(name + '=' + (value.is_string() ? value.get<std::string>() : value.dump()));
  return settings;
}

void tune(const kfp::Registry& registry, tune::Study& study, const TuneOptions& options,
          kfp::local::Store& store) {
  Worker(registry, study, options, store).run();
}

}  // namespace pipeline
