#include "app/run_command.h"

#include <fmt/format.h>

#include <iostream>

#include "pipeline/local_run.h"

namespace app {

RunCommand::RunCommand(CLI::App& app, const kfp::Registry& registry)
    : registry_(registry),
      subcommand_(app.add_subcommand("run", "Runs the whole pipeline here: from showers to a report")) {
  subcommand_->add_option("--config", config_, "YAML file: parameters of each component under its name")
      ->type_name("FILE");
  subcommand_->add_option("--set", settings_, "One parameter, outranks the file: component.parameter=value")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  subcommand_->add_option("--out", out_, "Folder for everything the run makes")
      ->type_name("PATH")
      ->required();
  subcommand_->add_flag("--resume", resume_, "Go on with an interrupted training of the same configuration");
  subcommand_->footer(
      "Examples:\n  calopipe run --config data/demo.yaml --out demo-output\n"
      "  calopipe run --set input-parameters.data=showers/ --set train.epochs=20 --out out");
}

void RunCommand::run(core::ThreadPool& pool, bool json) {
  const nlohmann::json summary = pipeline::run_locally(
      registry_, {.config = config_, .settings = settings_, .out = out_, .resume = resume_}, pool);
  if (json)
    std::cout << summary.dump(2) << '\n';
  else
    fmt::print("report: {}\n", summary.at("report").get<std::string>());
}

}  // namespace app
