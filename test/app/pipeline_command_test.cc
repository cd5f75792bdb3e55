#include "app/pipeline_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/captured_run.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/goldens.h"
#include "kfp/ir/show.h"
#include "support/temp_folder.h"

// `calopipe pipeline …` and what it prints.
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::string kValid = CALOPIPE_SOURCE_DIR "/test/kfp/ir/valid.yaml";

test::CapturedRun calopipe_pipeline(std::vector<std::string> arguments) {
  CLI::App app("calopipe");
  app::PipelineCommand command(app);
  arguments.insert(arguments.begin(), "pipeline");
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return test::captured([&] { return command.run(); });
}

TEST(PipelineCommand, ShowsTheGraph) {
  const std::string out = calopipe_pipeline({"show", kValid}).out;
  EXPECT_THAT(out, AllOf(HasSubstr("pipeline everything"), HasSubstr("count: NUMBER_INTEGER = 5"),
                         HasSubstr("for each item in input pipelinechannel--energies, at most 2 at once"),
                         HasSubstr("if inputs.parameter_values['name'] == 'full'"),
                         HasSubstr("data <- task prepare output data"), HasSubstr("retried up to 2 times"),
                         HasSubstr("status <- final status of scan"), HasSubstr("uri from input uri")));
  // In order, and what the loop runs inside it.
  EXPECT_LT(out.find("  - prepare ["), out.find("  - scan [dag]"));
  EXPECT_LT(out.find("  - scan [dag]"), out.find("      - train ["));
  EXPECT_LT(out.find("      - train ["), out.find("  - report ["));
  const json graph = json::parse(calopipe_pipeline({"show", kValid, "--json"}).out);
  EXPECT_EQ(graph.at("tasks").size(), 4u);
  EXPECT_EQ(graph.at(json::json_pointer("/tasks/2/tasks/0/name")), "train");
  EXPECT_EQ(graph.at(json::json_pointer("/tasks/2/tasks/0/inputs/rate/from")), "input item");
}

TEST(PipelineCommand, ShowStaysSmallAndEndsForBadPipelines) {
  // Thirty components that each run the next one twice, and the last one the first.
  std::string text = "root: {dag: {tasks: {t: {componentRef: {name: c0}}}}}\ncomponents:\n";
  for (int i = 0; i < 30; ++i) {
    const std::string next = "{componentRef: {name: c" + std::to_string((i + 1) % 30) + "}}";
    text += "  c" + std::to_string(i) + ": {dag: {tasks: {a: " + next + ", b: " + next + "}}}\n";
  }
  const std::string out = kfp::ir::show(kfp::ir::parse_pipeline(text));
  EXPECT_LT(out.size(), 20'000u);
  EXPECT_THAT(out, HasSubstr("the tasks of t/a"));
  EXPECT_THAT(kfp::ir::show(kfp::ir::parse_pipeline("{}")), HasSubstr("tasks:"));
  // No escape sequences of others reach the terminal.
  const std::string evil = kfp::ir::show(kfp::ir::parse_pipeline("pipelineInfo: {name: \"\\x1b[2J\"}"));
  EXPECT_EQ(evil.find('\x1b'), std::string::npos);
}

TEST(PipelineCommand, ShowsEveryGolden) {
  for (const auto& file : test::goldens()) {
    SCOPED_TRACE(file.filename());
    const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(file);
    const std::string out = kfp::ir::show(pipeline);
    EXPECT_THAT(out, HasSubstr("pipeline " + *pipeline.spec.pipeline_info->name));
    for (const auto& [name, task] : pipeline.spec.root->dag->tasks)
      EXPECT_THAT(out, HasSubstr("- " + name + " "));
  }
}

TEST(PipelineCommand, ValidateExitsWithThreeWhereThereAreErrors) {
  const test::CapturedRun valid = calopipe_pipeline({"validate", kValid});
  EXPECT_EQ(valid.code, 0);
  EXPECT_THAT(valid.out, HasSubstr("no errors"));
  const test::TempFolder folder;
  core::write_file(folder / "bad.yaml", "{pipelineInfo: {name: p}, schemaVersion: 2.1.0}");
  const test::CapturedRun bad = calopipe_pipeline({"validate", (folder / "bad.yaml").string(), "--json"});
  EXPECT_EQ(bad.code, 3);
  const json report = json::parse(bad.out);
  EXPECT_EQ(report.at("valid"), false);
  EXPECT_EQ(report.at("problems").at(0).at("place"), "root");
  EXPECT_THROW(calopipe_pipeline({"validate", (folder / "none.yaml").string()}), core::InputError);
}

TEST(PipelineCommand, FormatWritesTheSameAgain) {
  const test::TempFolder folder;
  const std::string out = (folder / "out.yaml").string();
  EXPECT_EQ(calopipe_pipeline({"format", kValid, "--out", out}).code, 0);
  const std::string text = core::read_file(out);
  EXPECT_THAT(text, testing::StartsWith("# PIPELINE DEFINITION\n# Name: everything\n# Inputs:\n"
                                        "#    count: int [Default: 5.0]\n#    secret: str [Default: 's']\n"
                                        "# Outputs:\n#    data: system.Dataset\ncomponents:\n"));
  const kfp::ir::Pipeline before = kfp::ir::read_pipeline(kValid);
  const kfp::ir::Pipeline after = kfp::ir::read_pipeline(out);
  EXPECT_EQ(kfp::ir::to_json(after.spec), kfp::ir::to_json(before.spec));
  EXPECT_EQ(kfp::ir::to_json(*after.platform), kfp::ir::to_json(*before.platform));
}

}  // namespace
