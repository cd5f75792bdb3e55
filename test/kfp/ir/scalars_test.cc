#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/error.h"
#include "kfp/ir/document.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/detail/yaml_scalar.h"
#include "kfp/yaml/yaml.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

// Plain scalars that YAML 1.1 and 1.2 read differently: what is read, and what is said.
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

// Scalars and what the server's Go program makes of them; go_scalars.tsv tells how they were made.
std::vector<std::pair<std::string, json>> go_scalars() {
  std::ifstream file(CALOPIPE_SOURCE_DIR "/test/kfp/ir/go_scalars.tsv");
  std::vector<std::pair<std::string, json>> scalars;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t tab = line.find('\t');
    scalars.emplace_back(line.substr(0, tab), json::parse(line.substr(tab + 1)));
  }
  return scalars;
}

TEST(Scalars, AreReadAsTheServerReadsThem) {
  const auto scalars = go_scalars();
  ASSERT_GT(scalars.size(), 100u);
  for (const auto& [text, value] : scalars) {
    const json read = kfp::server_scalar(text);
    EXPECT_EQ(read.type_name(), std::string(value.type_name())) << text;
    EXPECT_EQ(read, value) << text;
    std::vector<kfp::YamlAmbiguity> ambiguities;
    EXPECT_EQ(kfp::parse_yaml("k: " + text + "\n", {}, {}, &ambiguities)[0]["k"], value) << text;
  }
}

TEST(Scalars, PyYamlTakesThemAsWeSay) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  json all = json::array();
  for (const auto& [text, value] : go_scalars()) {
    const kfp::PythonScalar python = kfp::python_scalar(text);
    all.push_back({text, python.value, python.what});
  }
  const test::TempFolder folder;
  core::write_file(folder / "scalars.json", all.dump());
  EXPECT_EQ(test::run_python(folder.path(), fmt::format(R"(
import datetime, json, math, yaml
for text, value, what in json.load(open('{}')):
    try:
        read = yaml.safe_load('k: ' + text + '\n')['k']
    except Exception:
        read = 'error'
    kind = {{datetime.date: 'a date', datetime.datetime: 'a time'}}.get(type(read), '')
    if text in ('=', '<<') or read == 'error':
        kind = 'an error'
    if text in ('2026-13-26', '2026-11-31'):  # no such day: an error where the date is made
        kind = 'a date'
    assert kind == what, (text, read, what)
    assert what or ((read == value or isinstance(read, int) and float(read) == value) and isinstance(read, str) == isinstance(value, str)
                    and isinstance(read, bool) == isinstance(value, bool)), (text, read, value)
)",
                                                        (folder / "scalars.json").string())),
            0);
}

TEST(Scalars, AreToldWhereReadersDiffer) {
  const auto told = [](const std::string& text) { return kfp::differing_readings(text); };
  EXPECT_EQ(
      told("yes"),
      "yes is the string \"yes\" for the server, this program and YAML 1.2, and true for the Python SDK");
  EXPECT_EQ(told("0777"),
            "0777 is 511 for the server, this program and the Python SDK, and 777 for YAML 1.2");
  EXPECT_THAT(told("00012"), AllOf(HasSubstr("is 10 for the server"), HasSubstr("12 for YAML 1.2")));
  EXPECT_THAT(told("1e3"), AllOf(HasSubstr("1000"), HasSubstr("the string \"1e3\" for the Python SDK")));
  EXPECT_THAT(told("1:30"), HasSubstr("90"));
  EXPECT_THAT(told("2026-11-26"),
              AllOf(HasSubstr("2026-11-26T00:00:00Z"), HasSubstr("a date for the Python SDK")));
  EXPECT_THAT(told("y"), HasSubstr("true for other readers"));
  for (const char* text : {"no", "On", "OFF", "-0777", "0o17", "0b101", "1_000", "190:20:30", "-.5", "1.5e3",
                           "08", "=", "2026-11-26 01:02:03", "0B1", "0X1F"})
    EXPECT_NE(told(text), "") << text;
  for (const char* text :
       {"true",   "True", "null", "~",     "",   "12",    "-3", "+12", "1.5",       "0x1F",
        "1.0e+3", ".inf", "text", "1.2.3", "v1", "2.1.0", "-",  "a:b", "sha256:12", "10:20:abc"})
    EXPECT_EQ(told(text), "") << text;
}

std::string problems_of(const kfp::ir::Pipeline& pipeline) {
  std::string text;
  for (const auto& problem : kfp::ir::validate(pipeline)) text += problem.to_text() + '\n';
  return text;
}

// The pipeline of the fault.
std::string pipeline_with(const std::string& type, const std::string& constant) {
  return "components:\n  comp-a:\n    executorLabel: exec-a\n    inputDefinitions:\n      parameters:\n      "
         "  x:\n"
         "          parameterType: " +
         type +
         "\n"
         "deploymentSpec:\n  executors:\n    exec-a:\n      container:\n        image: x@sha256:00\n"
         "        command: [echo, \"{{$.inputs.parameters['x']}}\"]\n"
         "pipelineInfo:\n  name: p\nroot:\n  dag:\n    tasks:\n      a:\n        componentRef: {name: "
         "comp-a}\n"
         "        inputs:\n          parameters:\n            x:\n              runtimeValue:\n"
         "                constant: " +
         constant + "\n        taskInfo: {name: a}\nschemaVersion: 2.1.0\n";
}

TEST(Scalars, ValidateNamesPlaceAndReadings) {
  const std::string problems = problems_of(
      kfp::ir::parse_pipeline(pipeline_with("STRUCT", "{a: yes, b: 00012, c: 0777, d: no, e: [on]}")));
  const std::string place = "warning: root.dag.tasks.a.inputs.parameters.x.runtimeValue.constant";
  EXPECT_THAT(problems, AllOf(HasSubstr(place + ".a: line 25: yes is the string \"yes\""),
                              HasSubstr(place + ".b: line 25: 00012 is 10"),
                              HasSubstr(place + ".c: line 25: 0777 is 511"),
                              HasSubstr(place + ".d: line 25: no is the string \"no\""),
                              HasSubstr(place + ".e[0]: line 25: on is"), HasSubstr("quote it")));
  EXPECT_EQ(problems.find("error"), std::string::npos) << problems;
  EXPECT_EQ(problems_of(kfp::ir::parse_pipeline(pipeline_with("STRUCT", "{a: 'yes', b: 12, c: \"0777\"}"))),
            "");
}

TEST(Scalars, ATypedValueIsNeverAnotherNumber) {
  const kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline(pipeline_with("NUMBER_INTEGER", "0777"));
  const auto& task = pipeline.spec.root->dag->tasks.at("a");
  EXPECT_EQ(*task.inputs->parameters.at("x").runtime_value->constant, 511);  // as on the cluster
  EXPECT_THAT(problems_of(pipeline), HasSubstr("0777 is 511"));
  EXPECT_THAT(problems_of(kfp::ir::parse_pipeline(pipeline_with("BOOLEAN", "yes"))),
              AllOf(HasSubstr("true for the Python SDK"), HasSubstr("is not of type BOOLEAN")));
  // What is written again is the same for everybody.
  const std::string written = kfp::ir::to_yaml(pipeline);
  EXPECT_THAT(written, HasSubstr("constant: 511"));
  EXPECT_THAT(kfp::ir::parse_pipeline(written).notes, IsEmpty());
}

TEST(Scalars, KeysThatAreNoTexts) {
  const std::string problems =
      problems_of(kfp::ir::parse_pipeline(pipeline_with("STRUCT", "{1: a, on: b, 'off': c, y: d, n: e}")));
  EXPECT_THAT(problems, AllOf(HasSubstr("the key 1 is 1 for the server, which accepts only strings"),
                              HasSubstr("the key on is true for the Python SDK")));
  EXPECT_THAT(problems, testing::Not(HasSubstr("off")));
  EXPECT_THAT(problems, testing::Not(HasSubstr("the key y")));
}

TEST(Scalars, ConfigurationsStayYaml12) {
  EXPECT_EQ(kfp::parse_yaml("a: 0777\nb: yes\nc: 2026-11-26\n")[0].dump(),
            R"({"a":777,"b":"yes","c":"2026-11-26"})");
}

// Whatever any of the readers could take for something else is quoted when it is written.
TEST(Scalars, OursAreQuoted) {
  json texts = json::array();
  for (const auto& [text, value] : go_scalars()) texts.push_back(text);
  const std::string written = kfp::to_yaml({{"k", texts}});
  std::vector<kfp::YamlAmbiguity> ambiguities;
  EXPECT_EQ(kfp::parse_yaml(written, {}, {}, &ambiguities)[0]["k"], texts);
  EXPECT_THAT(ambiguities, IsEmpty());
  if (test::python() == nullptr) return;
  const test::TempFolder folder;
  core::write_file(folder / "texts.yaml", written);
  core::write_file(folder / "texts.json", texts.dump());
  EXPECT_EQ(test::run_python(folder.path(),
                             fmt::format("import json, yaml\nassert yaml.safe_load(open('{}'))['k'] == "
                                         "json.load(open('{}'))\n",
                                         (folder / "texts.yaml").string(), (folder / "texts.json").string())),
            0);
}

}  // namespace
