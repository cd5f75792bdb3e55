#include "app/run_command.h"

#include <fmt/format.h>

#include <iostream>

#include "app/log_options.h"
#include "core/error.h"
#include "pipeline/printed_number.h"
#include "pipeline/remote_run.h"

namespace app {
namespace {

void print_report(const nlohmann::json& summary) {
  if (summary.contains("report")) fmt::print("report: {}\n", summary.at("report").get<std::string>());
}

void print_summary(const nlohmann::json& summary, bool json) {
  if (json) {
    std::cout << summary.dump(2) << '\n';
    return;
  }
  fmt::print("run: {}\n", summary.at("run").get<std::string>());
  for (const auto& [name, value] : summary.at("outputs").items()) fmt::print("{}: {}\n", name, value.dump());
  print_report(summary);
}

}  // namespace

RunCommand::RunCommand(CLI::App& app, const kfp::Registry& registry)
    : registry_(registry),
      subcommand_(app.add_subcommand(
          "run", "Runs a pipeline on this machine, each task as a process, or on Kubeflow")) {
  subcommand_
      ->add_option("pipeline", options_.pipeline,
                   "training, or a compiled pipeline (YAML) whose programs are on this machine")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  subcommand_
      ->add_option(
          "--config", options_.config,
          "YAML file with the parameters of each component under its name (for a compiled pipeline: by name)")
      ->type_name("FILE");
  subcommand_
      ->add_option("--set", options_.settings,
                   "One parameter, overrides the file: component.parameter=value (for a compiled pipeline: "
                   "parameter=value)")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  subcommand_->add_option("--out", options_.out, "Folder for the products (model, report …)")
      ->type_name("PATH");
  subcommand_->add_option("--site", options_.site, "Site settings (doc/sites.md): resources, environment")
      ->type_name("FILE");
  subcommand_
      ->add_option("--store", store_,
                   "Folder for the records and artifacts of runs [default $CALOPIPE_STORE, else .calopipe]")
      ->type_name("PATH");
  CLI::Option* print =
      subcommand_
          ->add_option("--print", print_,
                       "Print a number of a product as NAME=VALUE: NAME=metrics.json:fpd (for Katib)")
          ->type_name("NAME=FILE:NUMBER")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_log_options(*subcommand_, options_.log, "Name under which MLflow's registry gets the trained model");
  CLI::Option* no_cache =
      subcommand_->add_flag("--no-cache", no_cache_, "Run every task, even if the cache has its result")
          ->group("Cache");
  CLI::Option* force =
      subcommand_
          ->add_option("--force", options_.runner.force, "Run this task even if the cache has its result")
          ->type_name("TASK")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
          ->group("Cache");
  CLI::Option* cpus = subcommand_
                          ->add_option("--cpus", options_.runner.cpus,
                                       "Number of cores for all simultaneous tasks [default all]")
                          ->check(CLI::Range(0.0, 1e6))
                          ->group("Budget");
  CLI::Option* memory =
      subcommand_
          ->add_option("--memory-gib", memory_gib_, "Memory (GiB) for all simultaneous tasks [default all]")
          ->check(CLI::Range(0.0, 1e9))
          ->group("Budget");
  on_ = subcommand_
            ->add_option("--on", context_,
                         "Run on Kubeflow, on the server of this context (calopipe kubeflow context list)")
            ->type_name("CONTEXT")
            ->group("Kubeflow");
  CLI::Option* detach =
      subcommand_->add_flag("--detach", detach_, "Start the run without waiting for its end")
          ->group("Kubeflow");
  CLI::Option* name = subcommand_->add_option("--name", name_, "Name of the run [default: pipeline and time]")
                          ->group("Kubeflow");
  for (CLI::Option* option : {detach, name}) option->needs(on_);
  local_only_ = {print, no_cache, force, cpus, memory};
  subcommand_->footer(
      "Examples:\n  calopipe run --config data/demo.yaml --out demo-output\n"
      "  calopipe run --set input-parameters.data=showers/ --set train.epochs=20 --out out\n"
      "  calopipe run compiled.yaml --set n=3\n"
      "  calopipe run --config data/demo.yaml --log mlflow=http://localhost:5000 --log-model showers --out "
      "out\n"
      "  calopipe runs list; calopipe runs resume latest\n"
      "  calopipe run --on cern --site deploy/sites/cern.yaml --set "
      "input-parameters.data=/eos/path/of/showers\n"
      "With --on, Ctrl-C does not stop the run (calopipe runs attach ID shows it again); --out fetches the "
      "products\n"
      "from the cluster's store.");
}

std::unique_ptr<kfp::local::Store> RunCommand::open_store() const {
  return kfp::local::Store::open(store_.empty() ? kfp::local::default_store_folder()
                                                : std::filesystem::path(store_));
}

void RunCommand::run(int threads, bool threads_given, bool quiet, bool json) {
  if (on_->count() > 0) {
    run_on_kubeflow(threads_given, quiet, json);
    return;
  }
  options_.quiet = quiet;
  options_.runner.cache = !no_cache_;
  options_.runner.memory_bytes = static_cast<std::int64_t>(memory_gib_ * (1 << 30));
  pipeline::use_this_program(options_.runner, threads);
  const auto store = open_store();
  const std::vector<pipeline::PrintedNumber> numbers = pipeline::printed_numbers(print_);
  const nlohmann::json summary = pipeline::run_locally(registry_, options_, *store);
  print_summary(summary, json);
  for (const pipeline::PrintedNumber& number : numbers)
    fmt::print("{}={}\n", number.name, number.read(summary));
}

void RunCommand::run_on_kubeflow(bool threads_given, bool quiet, bool json) {
  if (context_.empty())
    throw core::UsageError({.message = "is empty",
                            .field = "--on",
                            .hint = "name a context (calopipe kubeflow context list), or leave out --on"});
  if (threads_given)
    throw core::UsageError(
        {.message = "applies only to runs on this machine",
         .field = "--threads",
         .hint = "on Kubeflow, the CPU settings of the site file (--site) give a task its threads"});
  for (const CLI::Option* option : local_only_)
    if (option->count() > 0)
      throw core::UsageError({.message = "applies only to runs on this machine",
                              .field = option->get_name(),
                              .hint = "leave it out with --on"});
  const kfp::client::Context context = kfp::client::choose_context(context_, kfp::client::contexts_file());
  // Opened before anything is sent, so that no run starts that cannot be recorded.
  const auto store = open_store();
  const nlohmann::json summary = pipeline::run_remotely(registry_,
                                                        {.pipeline = options_.pipeline,
                                                         .config = options_.config,
                                                         .settings = options_.settings,
                                                         .site = options_.site,
                                                         .out = options_.out,
                                                         .run_name = name_,
                                                         .detach = detach_,
                                                         .log = options_.log,
                                                         .quiet = quiet},
                                                        context, *store);
  if (json) {
    std::cout << summary.dump(2) << '\n';
    return;
  }
  fmt::print("run: {}\n", summary.at("run").get<std::string>());
  fmt::print("version: {}{}\n", summary.at("version").get<std::string>(),
             summary.at("uploaded").get<bool>() ? " (uploaded)" : " (was there)");
  if (summary.contains("reused") && !summary.at("reused").empty())
    fmt::print("reused: {}\n", fmt::join(summary.at("reused").get<std::vector<std::string>>(), ", "));
  if (detach_)
    fmt::print("attach: {}\n", summary.at("attach").get<std::string>());
  else if (options_.out.empty())
    fmt::print("products: in the store of the cluster (calopipe kubeflow run fetch {} --out DIR)\n",
               summary.at("run").get<std::string>());
  else
    print_report(summary);
}

void resume_run(const RunsCommand::ResumeRequest& request, int threads, bool quiet) {
  kfp::local::RunnerOptions runner;
  pipeline::use_this_program(runner, threads);
  const auto store = kfp::local::Store::open(request.store);
  print_summary(pipeline::resume_locally(request.id, runner, quiet, *store), request.json);
}

}  // namespace app
