#include "pipeline/local_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/hash.h"
#include "core/json_file.h"
#include "core/provenance.h"
#include "core/remote.h"
#include "core/staged_output.h"
#include "kfp/compile/compile.h"
#include "kfp/ir/document.h"
#include "kfp/local/terminal_status.h"
#include "kfp/site/site.h"

namespace pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// File with what a resume needs in addition to the run's record.
constexpr const char* kDelivery = "delivery.json";

// The components of a pipeline, which take the user's values.
class Steps {
 public:
  Steps(const kfp::Registry& registry, const ProjectPipeline::Parameters& parameters) {
    for (const auto& [name, of] : parameters)
      if (!components_.contains(of.component)) components_[of.component] = registry.create(of.component);
  }

  kfp::Component& at(const std::string& name, const fs::path& source = {}) {
    const auto found = components_.find(name);
    if (found != components_.end()) return *found->second;
    std::vector<std::string> known;
    for (const auto& [component, unused] : components_) known.push_back(component);
    const std::string near = kfp::nearest(name, known);
    throw core::UsageError(
        {.message = fmt::format("is not a component of the pipeline{}",
                                near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near)),
         .file = source,
         .field = name});
  }

  void read_config(const fs::path& file) {
    const json config = kfp::read_yaml(file);
    if (!config.is_object())
      throw core::InputError(
          {.message = "must be a mapping from components to their parameters", .file = file});
    for (const auto& [name, values] : config.items())
      if (name != kTuneSection) at(name, file).set_parameters(values, file);
  }

  void set(const std::string& setting) {
    const std::size_t dot = setting.find('.');
    const std::size_t equals = setting.find('=');
    if (dot == std::string::npos || equals == std::string::npos || dot > equals)
      throw core::UsageError(
          {.message = fmt::format("\"{}\" must have the form component.parameter=value", setting),
           .field = "set"});
    kfp::Component& component = at(setting.substr(0, dot));
    std::string name = setting.substr(dot + 1, equals - dot - 1);
    std::replace(name.begin(), name.end(), '-', '_');
    const kfp::Field& field = component.field(name);
    if (!field.is_parameter()) throw core::UsageError({.message = "is not a parameter", .field = name});
    field.set_text(setting.substr(equals + 1));
    component.mark_given(name);
  }

  // The given values, under the pipeline's names.
  json given(const ProjectPipeline::Parameters& parameters) const {
    std::map<std::pair<std::string, std::string>, std::string> names;
    for (const auto& [name, of] : parameters) names[{of.component, of.parameter}] = name;
    json values = json::object();
    for (const auto& [component_name, component] : components_)
      for (const std::string& parameter : component->given()) {
        const auto name = names.find({component_name, parameter});
        if (name == names.end())
          throw core::UsageError({.message = "is set by the pipeline itself",
                                  .field = component_name + '.' + parameter,
                                  .hint = "leave it out"});
        values[name->second] = component->field(parameter).value();
      }
    return values;
  }

 private:
  std::map<std::string, std::unique_ptr<kfp::Component>> components_;
};

// Makes a hard link, or a copy if the disk is another.
void link_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) throw core::UnavailableError({.message = "cannot be written: " + error.message(), .file = to});
}

void deliver(const fs::path& artifact, const fs::path& to) {
  if (!fs::is_directory(artifact)) {
    core::StagedOutput file(to, core::StagedOutput::Kind::kFile);
    link_file(artifact, file.path());
    file.commit();
    return;
  }
  core::StagedOutput folder(to, core::StagedOutput::Kind::kFolder);
  for (const auto& entry : fs::recursive_directory_iterator(artifact)) {
    const fs::path target = folder.path() / entry.path().lexically_relative(artifact);
    if (entry.is_directory())
      fs::create_directories(target);
    else if (entry.is_regular_file())
      link_file(entry.path(), target);
  }
  folder.commit();
}

// Passes events on, and stores next to the run what a resume needs.
class Recorder final : public kfp::local::Observer {
 public:
  Recorder(std::unique_ptr<Observer> next, Delivery delivery)
      : next_(std::move(next)), delivery_(std::move(delivery)) {}

  void on_run(const kfp::local::RunRecord& run) override {
    if (!written_ && !run.folder.empty()) {
      written_ = true;
      try {
        delivery_.write(run.folder);
      } catch (const core::Error& error) {
        on_warning(fmt::format("a resume will not know the output folder: {}", error.what()));
      }
    }
    next_->on_run(run);
  }
  void on_task(const kfp::local::TaskRecord& task) override { next_->on_task(task); }
  void on_warning(const std::string& message) override { next_->on_warning(message); }
  void on_tick() override { next_->on_tick(); }

 private:
  std::unique_ptr<Observer> next_;
  Delivery delivery_;
  bool written_ = false;
};

std::unique_ptr<kfp::local::Observer> status(bool quiet) {
  using Style = kfp::local::StatusOptions::Style;
  return kfp::local::terminal_status({.style = quiet ? Style::kQuiet : Style::kAuto});
}

std::string last_line(const fs::path& file) {
  std::string text;
  try {
    text = core::read_file(file);
  } catch (const core::Error&) {
    return "";
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const std::size_t begin = text.find_last_of('\n');
  return begin == std::string::npos ? text : text.substr(begin + 1);
}

}  // namespace

void throw_failure(const kfp::local::RunRecord& run, const kfp::local::Store& store) {
  core::ErrorDetails details{.message = run.error.empty() ? "the run failed" : run.error,
                             .hint = fmt::format("calopipe runs show {}", run.id)};
  core::ExitCode code = core::ExitCode::kInternal;
  for (const kfp::local::TaskRecord& task : store.tasks(run.id)) {
    if (task.state != kfp::local::State::kFailed || task.is_dag) continue;
    const int exit_code = task.exit_code.value_or(1);
    if (exit_code >= 2 && exit_code <= 4) code = static_cast<core::ExitCode>(exit_code);
    // A task that was never started has a mistake in the pipeline.
    if (!task.exit_code && task.attempt == 0) code = core::ExitCode::kInput;
    std::string line = task.log.empty() ? "" : last_line(task.log);
    if (line.starts_with("calopipe: ")) line.erase(0, 10);
    details.message = fmt::format("failed: {}", line.empty() ? task.error : line);
    details.field = task.path;
    details.hint = fmt::format("calopipe runs logs {} {}", run.id, task.path);
    break;
  }
  throw core::Error(code, details);
}

std::map<std::string, fs::path> products_of(const std::string& run_id,
                                            const std::vector<ProjectPipeline::Product>& products,
                                            const kfp::local::Store& store) {
  std::map<std::pair<std::string, std::string>, fs::path> artifacts;
  for (const kfp::local::ArtifactRecord& artifact : store.artifacts(run_id))
    if (artifact.direction == kfp::local::ArtifactRecord::Direction::kOutput && !artifact.sha256.empty())
      artifacts[{artifact.task_path, artifact.name}] = artifact.path;
  std::map<std::string, fs::path> paths;
  for (const ProjectPipeline::Product& product : products)
    if (const auto found = artifacts.find({product.task, product.output}); found != artifacts.end())
      paths[product.file] = found->second;
  return paths;
}

namespace {

// Begins the record of a run, and notes it for a resume.
std::unique_ptr<GroupLog> begin_log(const LogOptions& options, GroupLog::Begin begin,
                                    kfp::local::RunnerOptions& runner, Delivery& delivery) {
  if (!options) return nullptr;
  begin.kind = "pipeline";
  if (!runner.run_name.empty()) begin.name = runner.run_name;
  auto log = std::make_unique<GroupLog>(options, begin);
  log->add_to(runner.environment);
  delivery.log = options;
  delivery.log_id = log->id();
  return log;
}

// Runs body(), and records how it ends.
template <class Body>
json logged(GroupLog* log, const Body& body) {
  if (log == nullptr) return body();
  try {
    json result = body();
    log->end(tracking::Run::Status::kFinished);
    return result;
  } catch (const std::exception& error) {
    log->run().tags({{"calopipe.error", error.what()}});
    log->end(status_of(&error));
    throw;
  }
}

json finish(const kfp::local::RunResult& result, const Delivery& delivery, GroupLog* log,
            const kfp::local::Store& store) {
  if (log != nullptr) {
    log->run().tags({{"calopipe.local_run", result.run.id}});
    log_metrics_of(store, result.run.id, log->run());
  }
  json summary = {{"run", result.run.id}, {"outputs", result.outputs}};
  for (const auto& [file, artifact] : products_of(result.run.id, delivery.products, store)) {
    const fs::path place = delivery.out.empty() ? artifact : delivery.out / file;
    if (!delivery.out.empty()) deliver(artifact, place);
    summary[fs::path(file).stem().string()] = place.string();
  }
  if (result.run.state != kfp::local::State::kSucceeded) throw_failure(result.run, store);
  return summary;
}

}  // namespace

Delivery::Delivery(const fs::path& folder, std::vector<ProjectPipeline::Product> files)
    : out(folder.empty() || core::is_url(folder) ? folder : fs::absolute(folder)),
      products(std::move(files)) {}

void Delivery::write(const fs::path& folder) const {
  json written = {{"out", out.string()}, {"products", json::array()}};
  for (const ProjectPipeline::Product& product : products)
    written["products"].push_back(
        {{"task", product.task}, {"output", product.output}, {"file", product.file}});
  if (log) written["log"] = {{"to", log.to}, {"model", log.model}, {"id", log_id}};
  core::write_file(folder / kDelivery, written.dump(2) + "\n");
}

Delivery Delivery::read(const fs::path& folder) {
  Delivery delivery;
  if (folder.empty() || !fs::exists(folder / kDelivery)) return delivery;
  const json written = core::read_json(folder / kDelivery);
  delivery.out = written.at("out").get<std::string>();
  for (const json& product : written.at("products"))
    delivery.products.push_back(
        {.task = product.at("task"), .output = product.at("output"), .file = product.at("file")});
  if (const auto recorded = written.find("log"); recorded != written.end()) {
    delivery.log = {.to = recorded->at("to"), .model = recorded->at("model")};
    delivery.log_id = recorded->at("id");
  }
  return delivery;
}

void use_this_program(kfp::local::RunnerOptions& runner, int threads) {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  runner.programs["calopipe"] = program;
  // Two builds of one version must not share cached results.
  runner.program_version = fmt::format("{}+{}", core::version(), core::sha256_of_path(program).substr(0, 12));
  if (threads > 0) runner.environment["CALOPIPE_THREADS"] = std::to_string(threads);
}

bool names_a_file(const std::string& name) {
  std::error_code error;
  if (fs::is_regular_file(name, error)) return true;
  if (name.find_first_of("/.") == std::string::npos) return false;
  if (!fs::exists(name, error)) throw core::InputError({.message = "does not exist", .file = name});
  return true;  // the reader finds out the format
}

json file_parameters(const kfp::ir::Pipeline& pipeline, const fs::path& config,
                     const std::vector<std::string>& settings) {
  json values = config.empty() ? json::object() : kfp::read_yaml(config);
  if (!values.is_object())
    throw core::InputError({.message = "must be a mapping from parameters to values", .file = config});
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos)
      throw core::UsageError(
          {.message = fmt::format("\"{}\" must have the form parameter=value", setting), .field = "set"});
    const std::string name = setting.substr(0, equals);
    const std::string text = setting.substr(equals + 1);
    bool is_text = true;
    if (pipeline.spec.root && pipeline.spec.root->input_definitions) {
      const auto& known = pipeline.spec.root->input_definitions->parameters;
      const auto found = known.find(name);
      is_text = found == known.end() || found->second.parameter_type == kfp::ir::ParameterType::kString;
    }
    values[name] = is_text ? json(text) : json::parse(text, nullptr, false);
    if (values[name].is_discarded())
      throw core::UsageError({.message = fmt::format("cannot be \"{}\": not JSON", text), .field = name});
  }
  return values;
}

json pipeline_parameters(const kfp::Registry& registry, const fs::path& config,
                         const std::vector<std::string>& settings,
                         const ProjectPipeline::Parameters& parameters) {
  Steps steps(registry, parameters);
  if (!config.empty()) steps.read_config(config);
  for (const std::string& setting : settings) steps.set(setting);
  return steps.given(parameters);
}

PreparedPipeline prepare_pipeline(const kfp::Registry& registry, const std::string& name,
                                  const fs::path& config, const std::vector<std::string>& settings) {
  PreparedPipeline prepared;
  if (names_a_file(name)) {
    prepared.compiled = kfp::ir::read_pipeline(name);
    prepared.parameters = file_parameters(prepared.compiled, config, settings);
    return prepared;
  }
  prepared.image = default_image();
  const ProjectPipeline project = make_pipeline(name, registry, {.image = prepared.image});
  prepared.parameters = pipeline_parameters(registry, config, settings, project.parameters);
  if (prepared.parameters.value("preprocess_holdout_fraction", 1.0) <= 0)
    throw core::UsageError(
        {.message = "must be above 0 in this pipeline: the report compares with held-out showers",
         .field = "preprocess.holdout_fraction"});
  prepared.compiled = kfp::dsl::compile(project.pipeline);
  prepared.products = project.products;
  return prepared;
}

json run_locally(const kfp::Registry& registry, const LocalRunOptions& options, kfp::local::Store& store) {
  PreparedPipeline prepared = prepare_pipeline(registry, options.pipeline, options.config, options.settings);
  Delivery delivery(options.out, prepared.products);
  LogOptions log = options.log;
  if (!options.site.empty()) {
    kfp::Site::read(options.site).apply(prepared.compiled, prepared.image);
    take_log_options(prepared.compiled, log);
  }
  kfp::local::RunnerOptions runner = options.runner;
  const auto& info = prepared.compiled.spec.pipeline_info;
  const auto group = begin_log(log,
                               {.store = store.folder(),
                                .name = info ? info->name.value_or("pipeline") : "pipeline",
                                .parameters = prepared.parameters},
                               runner, delivery);
  return logged(group.get(), [&] {
    Recorder recorder(status(options.quiet), delivery);
    return finish(kfp::local::run(prepared.compiled, prepared.parameters, runner, store, &recorder), delivery,
                  group.get(), store);
  });
}

json resume_locally(const std::string& run_id, kfp::local::RunnerOptions runner, bool quiet,
                    kfp::local::Store& store) {
  const kfp::local::RunRecord run = store.run(run_id);
  Delivery delivery = Delivery::read(run.folder);
  const auto group = begin_log(
      delivery.log,
      {.store = store.folder(), .name = run.pipeline, .id = delivery.log_id, .parameters = run.parameters},
      runner, delivery);
  return logged(group.get(), [&] {
    const auto observer = status(quiet);
    return finish(kfp::local::resume(run.id, runner, store, observer.get()), delivery, group.get(), store);
  });
}

}  // namespace pipeline
