#include "kfp/local/runner.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "kfp/ir/goldens.h"
#include "kfp/local/run_pipeline.h"

namespace {

using kfp::local::State;
using test::artifact;
using test::artifact_of;
using test::constant;
using test::from_task;
using test::of_type;
using test::Sketch;
using ::testing::HasSubstr;

// write → read, by a parameter and an artifact.
Sketch linear() {
  Sketch sketch;
  auto& write = sketch.component("write", "echo x >> $COUNTS/write; printf %s \"$1\" > \"$2\"; printf 42 > \"$3\"",
                                 {"{{$.inputs.parameters['text']}}", "{{$.outputs.artifacts['file'].path}}",
                                  "{{$.outputs.parameters['number'].output_file}}"});
  write["inputDefinitions"]["parameters"]["text"] = of_type("STRING");
  write["outputDefinitions"] = {{"artifacts", {{"file", artifact("system.Dataset")}}},
                                {"parameters", {{"number", of_type("NUMBER_INTEGER")}}}};
  auto& read = sketch.component("read", "echo x >> $COUNTS/read; cat \"$1\"; echo \" and $2\"",
                                {"{{$.inputs.artifacts['file'].path}}", "{{$.inputs.parameters['number']}}"});
  read["inputDefinitions"] = {{"artifacts", {{"file", artifact("system.Dataset")}}},
                              {"parameters", {{"number", of_type("NUMBER_INTEGER")}}}};
  sketch.spec["root"]["inputDefinitions"]["parameters"]["text"] = of_type("STRING");
  sketch.task("write")["inputs"]["parameters"]["text"]["componentInputParameter"] = "text";
  auto& task = sketch.task("read");
  task["inputs"] = {{"artifacts", {{"file", artifact_of("write", "file")}}},
                    {"parameters", {{"number", from_task("write", "number")}}}};
  task["dependentTasks"] = {"write"};
  return sketch;
}

class RunnerTest : public test::LocalRun {};

TEST_F(RunnerTest, HandsParametersAndArtifactsFromTaskToTask) {
  run(linear().pipeline(), {{"text", "hello"}});
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("read"), "hello and 42\n");
  EXPECT_EQ(result.tasks[State::kSucceeded], 2);
  EXPECT_EQ(task("write").outputs, nlohmann::json({{"number", 42}}));
  EXPECT_EQ(core::read_file(output("write", "file")), "hello");
}

}  // namespace
