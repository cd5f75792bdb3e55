#include "app/pipeline_command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/show.h"
#include "kfp/ir/validate.h"

namespace app {

void warn_of_readings(const kfp::ir::Pipeline& pipeline) {
  for (const kfp::ir::ReadingNote& note : pipeline.notes)
    if (!note.harmless)
      fmt::print(stderr, "warning: {}: {} (quote it, or write the intended value)\n", note.place,
                 note.message);
}

PipelineCommand::PipelineCommand(CLI::App& app)
    : subcommand_(
          app.add_subcommand("pipeline", "Shows, checks and formats compiled Kubeflow pipelines (IR YAML)")) {
  subcommand_->group("Tools");
  subcommand_->require_subcommand(1);
  subcommand_->footer(
      "Examples:\n  calopipe pipeline show training.yaml\n  calopipe pipeline validate training.yaml --json\n"
      "  calopipe pipeline format training.yaml --out sorted.yaml");
  show_ = subcommand_->add_subcommand("show", "Prints the graph: tasks in order, inputs, conditions, loops");
  show_->footer(
      "Examples:\n  calopipe pipeline show training.yaml\n  calopipe pipeline show training.yaml --json");
  validate_ = subcommand_->add_subcommand(
      "validate",
      "Lists every mistake with its place, and pitfalls of the backend; exit code 3 if there are errors");
  validate_->footer("Examples:\n  calopipe pipeline validate training.yaml");
  format_ =
      subcommand_->add_subcommand("format", "Writes the same data again, sorted and in one canonical format");
  format_->add_option("--out", out_, "Output file")->required()->type_name("FILE");
  format_->footer("Examples:\n  calopipe pipeline format training.yaml --out sorted.yaml");
  for (CLI::App* command : {show_, validate_, format_})
    command->add_option("file", file_, "Compiled pipeline (YAML of one or two documents, or JSON)")
        ->required()
        ->type_name("FILE");
  for (CLI::App* command : {show_, validate_}) command->add_flag("--json", json_, "Print the result as JSON");
}

int PipelineCommand::run() {
  if (validate_->parsed()) return validate();
  const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(file_);
  warn_of_readings(pipeline);
  if (show_->parsed())
    fmt::print("{}", json_ ? kfp::ir::graph(pipeline).dump(2) + "\n" : kfp::ir::show(pipeline));
  else
    core::write_file(out_, kfp::ir::to_yaml(pipeline));
  return 0;
}

int PipelineCommand::validate() const {
  const std::vector<kfp::ir::Problem> problems = kfp::ir::validate(kfp::ir::read_pipeline(file_));
  const bool errors = kfp::ir::has_errors(problems);
  if (json_) {
    nlohmann::json list = nlohmann::json::array();
    for (const kfp::ir::Problem& problem : problems) list.push_back(problem.to_json());
    fmt::print("{}\n", nlohmann::json({{"file", file_}, {"valid", !errors}, {"problems", list}}).dump(2));
  } else {
    for (const kfp::ir::Problem& problem : problems) fmt::print("{}\n", problem.to_text());
    fmt::print("{}: {}\n", file_, errors ? "has errors" : "no errors");
  }
  return static_cast<int>(errors ? core::ExitCode::kInput : core::ExitCode::kDone);
}

}  // namespace app
