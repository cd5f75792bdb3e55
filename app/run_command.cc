#include "app/run_command.h"

#include <fmt/format.h>

#include <iostream>

namespace app {
namespace {

void print_summary(const nlohmann::json& summary, bool json) {
  if (json) {
    std::cout << summary.dump(2) << '\n';
    return;
  }
  fmt::print("run: {}\n", summary.at("run").get<std::string>());
  for (const auto& [name, value] : summary.at("outputs").items()) fmt::print("{}: {}\n", name, value.dump());
  if (summary.contains("report")) fmt::print("report: {}\n", summary.at("report").get<std::string>());
}

}  // namespace

RunCommand::RunCommand(CLI::App& app, const kfp::Registry& registry)
    : registry_(registry),
      subcommand_(app.add_subcommand(
          "run", "Runs a pipeline here, each task as a process: from showers to a report")) {
  subcommand_
      ->add_option("pipeline", options_.pipeline,
                   "training, or a compiled pipeline (YAML) whose programs are on this machine")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  subcommand_
      ->add_option("--config", options_.config,
                   "YAML file: parameters of each component under its name (of a compiled pipeline: by name)")
      ->type_name("FILE");
  subcommand_
      ->add_option("--set", options_.settings,
                   "One parameter, outranks the file: component.parameter=value (parameter=value)")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  subcommand_->add_option("--out", options_.out, "Folder that receives the products (model, report …)")
      ->type_name("PATH");
  subcommand_->add_option("--site", options_.site, "Site settings (doc/sites.md): resources, environment")
      ->type_name("FILE");
  subcommand_
      ->add_option("--store", store_,
                   "Folder with the records and artifacts of runs [default $CALOPIPE_STORE, else .calopipe]")
      ->type_name("PATH");
  subcommand_->add_flag("--no-cache", no_cache_, "Run every task, also where an earlier result fits")
      ->group("Cache");
  subcommand_->add_option("--force", options_.runner.force, "Run this task in spite of the cache")
      ->type_name("TASK")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Cache");
  subcommand_->add_option("--cpus", options_.runner.cpus, "Cores of all tasks that run at once [default all]")
      ->check(CLI::Range(0.0, 1e6))
      ->group("Budget");
  subcommand_
      ->add_option("--memory-gib", memory_gib_, "Memory (GiB) of all tasks that run at once [default all]")
      ->check(CLI::Range(0.0, 1e9))
      ->group("Budget");
  subcommand_->footer(
      "Examples:\n  calopipe run --config data/demo.yaml --out demo-output\n"
      "  calopipe run --set input-parameters.data=showers/ --set train.epochs=20 --out out\n"
      "  calopipe run compiled.yaml --set n=3\n"
      "  calopipe runs list; calopipe runs resume latest");
}

void RunCommand::run(int threads, bool quiet, bool json) {
  options_.quiet = quiet;
  options_.runner.cache = !no_cache_;
  options_.runner.memory_bytes = static_cast<std::int64_t>(memory_gib_ * (1 << 30));
  pipeline::use_this_program(options_.runner, threads);
  const auto store = kfp::local::Store::open(store_.empty() ? kfp::local::default_store_folder()
                                                            : std::filesystem::path(store_));
  print_summary(pipeline::run_locally(registry_, options_, *store), json);
}

void resume_run(const RunsCommand::ResumeRequest& request, int threads, bool quiet) {
  kfp::local::RunnerOptions runner;
  pipeline::use_this_program(runner, threads);
  const auto store = kfp::local::Store::open(request.store);
  print_summary(pipeline::resume_locally(request.id, runner, quiet, *store), request.json);
}

}  // namespace app
