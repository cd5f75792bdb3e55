#include "app/tune_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "app/log_options.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/yaml/yaml.h"
#include "pipeline/tune_report.h"
#include "tune/algorithm.h"

namespace app {
namespace {

namespace fs = std::filesystem;

std::string algorithms_help() {
  std::vector<std::string> parts;
  for (const auto& [name, summary] : tune::algorithm_names())
    parts.push_back(fmt::format("{} ({})", name, summary));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

TuneCommand::TuneCommand(CLI::App& app, const kfp::Registry& registry)
    : registry_(registry),
      subcommand_(
          app.add_subcommand("tune", "Searches for the best parameters of a pipeline (doc/tune.md)")) {
  subcommand_->require_subcommand(0, 1);
  subcommand_
      ->add_option(
          "--space", space_,
          "YAML file with the parameters to search, objectives and algorithm; or a run's configuration with "
          "these under tune")
      ->type_name("FILE");
  subcommand_
      ->add_option("--study", study_,
                   "The study, which several processes may share: a file (SQLite), or for several machines "
                   "postgresql://USER@HOST/DATABASE?study=NAME")
      ->type_name("STUDY");
  subcommand_->add_option("--config", config_, "YAML file with the parameters that all trials share")
      ->type_name("FILE");
  subcommand_
      ->add_option("--set", settings_, "One parameter that all trials share: component.parameter=value")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  subcommand_
      ->add_option("--objective", objectives_,
                   "A number to make small: FILE:NAME, for example metrics.json:fpd; FILE:NAME,maximize to "
                   "make it large; "
                   "several give a Pareto front [default: those of --space]")
      ->type_name("FILE:NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  trials_option_ = subcommand_->add_option("--trials", options_.trials, "Number of trials of the study")
                       ->check(CLI::Range(1, 1000000));
  subcommand_->add_option("--parallel", options_.parallel, "Number of trials at a time in this process")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  algorithm_option_ =
      subcommand_->add_option("--algorithm", algorithm_, algorithms_help() + " [default tpe]");
  seed_option_ = subcommand_->add_option("--seed", seed_, "Seed of the algorithm")
                     ->check(CLI::NonNegativeNumber)
                     ->capture_default_str();
  subcommand_
      ->add_option("--max-failures", options_.max_failures,
                   "Stop after this many failed trials, with the error of the first one")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  subcommand_->add_flag(
      "--resume", resume_,
      "Continue the study, or join it as another worker; with --on, follow an Experiment again");
  subcommand_
      ->add_option("--lease", options_.lease_s,
                   "Time [s] without a sign of life after which a worker on another machine is dead")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  subcommand_
      ->add_option("--database-wait", patience_s_,
                   "Time [s] to wait for the study's server if it goes away; trials go on meanwhile")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  subcommand_
      ->add_option("--store", store_,
                   "Folder for the records and artifacts of runs [default $CALOPIPE_STORE, else .calopipe]")
      ->type_name("PATH");
  subcommand_->add_flag("--no-cache", no_cache_, "Run every task, even if the cache has its result");
  add_log_options(*subcommand_, options_.log,
                  "Name under which MLflow's registry gets the model of the best trial");
  subcommand_->add_option("--target", target_, "Write the study for another system instead of running it")
      ->check(CLI::IsMember({"katib"}))
      ->group("Katib");
  subcommand_->add_option("--image", katib_.image, "Image of the trials [default: the site's]")
      ->group("Katib");
  subcommand_
      ->add_option("--site", katib_.site, "Site file: resources, volumes and secrets of train (doc/sites.md)")
      ->type_name("FILE")
      ->group("Katib");
  subcommand_
      ->add_option("--name", katib_.name, "Name of the Experiment [default: that of the file of --space]")
      ->group("Katib");
  subcommand_
      ->add_option("--katib-database", katib_.database, "Address of Katib's DB manager, as pods reach it")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->group("Katib");
  subcommand_
      ->add_option("--shell-image", katib_.shell_image,
                   "Early stopping: image with BusyBox, whose shell Katib needs")
      ->type_name("IMAGE")
      ->capture_default_str()
      ->group("Katib");
  CLI::Option* out = subcommand_->add_option("--out", out_, "File of the Experiment; - is stdout")
                         ->type_name("FILE")
                         ->group("Katib");
  CLI::Option* on =
      subcommand_
          ->add_option(
              "--on", place_.context,
              "Starts the Experiment with this context of the kubeconfig file, and follows it; Ctrl-C does "
              "not stop it; \"\" is the current context")
          ->type_name("CONTEXT")
          ->excludes(out)
          ->group("Katib");
  on_ = on;
  subcommand_
      ->add_option("--kubeconfig", place_.kubeconfig,
                   "[default: $KUBECONFIG, ~/.kube/config; in a pod its account]")
      ->type_name("FILE")
      ->needs(on)
      ->group("Katib");
  subcommand_->add_option("--namespace", place_.name_space, "Namespace [default: the context's]")
      ->type_name("NAME")
      ->needs(on)
      ->group("Katib");
  subcommand_->footer(
      "Examples:\n"
      "  calopipe tune --space tune.yaml --study lr.study --trials 40 --parallel 2 --config data/demo.yaml\n"
      "  calopipe tune --study lr.study --resume --trials 80        # more trials, or another worker\n"
      "  calopipe tune --study lr.study --resume --trials 90 --log mlflow=http://localhost:5000\n"
      "  calopipe tune --study 'postgresql://me@db.example.org/tune?study=lr' --resume --trials 80   # on "
      "any machine\n"
      "  calopipe tune show lr.study; calopipe tune best lr.study\n"
      "  calopipe tune report lr.study --out lr.html\n"
      "  calopipe tune --space tune.yaml --trials 40 --target katib --out experiment.yaml\n"
      "  calopipe tune --space tune.yaml --trials 40 --parallel 4 --target katib --on my-cluster --namespace "
      "me");

  const auto add = [&](const char* name, const char* what, const char* footer) {
    CLI::App* command = subcommand_->add_subcommand(name, what);
    command->add_option("study", study_, "File or URL of the study")->required()->type_name("STUDY");
    command->footer(footer);
    return command;
  };
  show_ = add("show", "Prints the trials of a study", "Examples:\n  calopipe tune show lr.study --json");
  show_->add_flag("--json", json_, "Print the result as JSON");
  best_ =
      add("best", "Prints the best trial, and those that are not worse within errors; or the Pareto front",
          "Examples:\n  calopipe tune best lr.study");
  best_->add_flag("--json", json_, "Print the result as JSON");
  report_ = add("report", "Writes an HTML report of a study",
                "Examples:\n  calopipe tune report lr.study --out lr.html");
  report_->add_option("--out", out_, "File of the report")->required()->type_name("FILE");
  list_ = subcommand_->add_subcommand("list", "Prints the names of the studies in a database or a folder");
  list_->add_option("place", study_, "URL of the database, or folder")->required()->type_name("PLACE");
  trial_ = subcommand_->add_subcommand(
      "trial", "Runs one trial of a Katib Experiment: the command of its pods, which --target katib writes");
  trial_->add_option("--store", store_, "Folder for the run of the trial")->required()->type_name("PATH");
  trial_->footer("Examples:\n  calopipe tune trial --store /tmp/calopipe");
  list_->footer("Examples:\n  calopipe tune list postgresql://me@db.example.org/tune");
}

void TuneCommand::run(int threads, bool quiet) {
  if (show_->parsed()) return show();
  if (best_->parsed()) return best();
  if (report_->parsed()) return report();
  if (list_->parsed()) return list();
  if (trial_->parsed()) return run_trial(threads);
  if (!target_.empty()) return run_on_katib(quiet);
  if (on_->count() > 0) throw core::UsageError({.message = "needs --target katib", .field = "--on"});
  search(threads, quiet);
}

std::unique_ptr<tune::Study> TuneCommand::open_study() const {
  return tune::Study::open(study_, patience_s_);
}

pipeline::StudyDefinition TuneCommand::definition() const {
  if (space_.empty())
    throw core::UsageError({.message = "is required", .field = "--space", .hint = "calopipe tune --help"});
  pipeline::StudyDefinition definition = pipeline::read_definition(registry_, space_, config_);
  definition.settings = settings_;
  if (algorithm_option_->count() > 0) definition.algorithm = algorithm_;
  if (seed_option_->count() > 0) definition.seed = seed_;
  if (!objectives_.empty()) {
    std::vector<tune::Objective> all;
    for (const std::string& text : objectives_) {
      tune::Objective& one = all.emplace_back();
      one.value = text.substr(0, text.find(','));
      const std::string goal =
          one.value.size() == text.size() ? "minimize" : text.substr(one.value.size() + 1);
      if (goal != "minimize" && goal != "maximize")
        throw core::UsageError({.message = fmt::format("cannot be \"{}\"", text),
                                .field = "--objective",
                                .hint = "FILE:NAME or FILE:NAME,maximize"});
      one.goal = goal;
    }
    definition.objectives = tune::Objectives(std::move(all));
  }
  pipeline::check_definition(registry_, definition);
  return definition;
}

void TuneCommand::search(int threads, bool quiet) {
  if (study_.empty())
    throw core::UsageError({.message = "is required", .field = "--study", .hint = "calopipe tune --help"});
  if (trials_option_->count() == 0) throw core::UsageError({.message = "is required", .field = "--trials"});
  std::unique_ptr<tune::Study> study;
  if (resume_) {
    if (!space_.empty() || !objectives_.empty() || !settings_.empty() || !config_.empty() ||
        algorithm_option_->count() + seed_option_->count() > 0)
      throw core::UsageError(
          {.message = "does not go with --space, --objective, --set, --config, --algorithm or --seed",
           .field = "--resume",
           .hint = "the study has its own"});
    study = open_study();
  } else {
    const pipeline::StudyDefinition made = definition();
    study = tune::Study::create(study_, made.to_json(), patience_s_);
  }
  options_.threads = threads;
  options_.quiet = quiet;
  options_.cache = !no_cache_;
  const auto store =
      kfp::local::Store::open(store_.empty() ? kfp::local::default_store_folder() : fs::path(store_));
  pipeline::tune(registry_, *study, options_, *store);
  fmt::print("{}", pipeline::best_text(*study));
}

void TuneCommand::show() const {
  const auto study = open_study();
  fmt::print("{}", json_ ? pipeline::study_json(*study).dump(2) + "\n" : pipeline::trials_text(*study));
}

void TuneCommand::best() const {
  const auto study = open_study();
  fmt::print("{}", json_ ? pipeline::best_json(*study).dump(2) + "\n" : pipeline::best_text(*study));
}

void TuneCommand::report() const {
  pipeline::write_study_report(*open_study(), out_);
  fmt::print("report: {}\n", out_);
}

void TuneCommand::list() const {
  for (const std::string& name : tune::Study::list(study_)) fmt::print("{}\n", name);
}

void TuneCommand::run_trial(int threads) const {
  const auto store = kfp::local::Store::open(store_);
  pipeline::run_katib_trial(registry_, threads, *store);
}

void TuneCommand::run_on_katib(bool quiet) const {
  if (trials_option_->count() == 0) throw core::UsageError({.message = "is required", .field = "--trials"});
  const pipeline::StudyDefinition study = definition();
  pipeline::KatibOptions katib = katib_;
  if (katib.name.empty()) katib.name = fs::path(space_).stem().string();
  katib.trials = options_.trials;
  katib.parallel = options_.parallel;
  katib.max_failures = options_.max_failures;
  const nlohmann::json experiment = pipeline::katib_experiment(registry_, study, katib);
  if (on_->count() > 0) {
    KatibPlace place = place_;
    place.follow = resume_;
    fmt::print("{}", run_katib_study(study, experiment, place, katib.trials, quiet));
  } else if (out_.empty() || out_ == "-") {
    fmt::print("{}", kfp::to_yaml(experiment));
  } else {
    core::write_file(out_, kfp::to_yaml(experiment));
    fmt::print("experiment: {}\n", out_);
  }
}

}  // namespace app
