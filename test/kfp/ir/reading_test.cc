#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/show.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/yaml.h"
#include "support/temp_folder.h"

// Texts that nobody should send, and values that must survive.
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::filesystem::path kFixtures = std::filesystem::path(CALOPIPE_SOURCE_DIR) / "test/kfp/ir";

std::string refusal(const std::string& text) {
  try {
    kfp::ir::parse_pipeline(text, "p.yaml");
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string refused_file(const char* name) {
  try {
    kfp::ir::read_pipeline(kFixtures / name);
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Reading, NamesThePlaceOfMistakes) {
  EXPECT_THAT(refused_file("unknown_field.yaml"),
              AllOf(HasSubstr("root.dag.tasks.train.inputs"), HasSubstr("\"parameter\""),
                    HasSubstr("did you mean parameters?")));
  EXPECT_THAT(refused_file("wrong_type.yaml"),
              AllOf(HasSubstr("deploymentSpec.executors.exec-train.container.command[1]"),
                    HasSubstr("must be a text"), HasSubstr("put it in quotes")));
  EXPECT_THAT(refused_file("duplicate_key.yaml"), AllOf(HasSubstr("line 6"), HasSubstr("\"train\" twice")));
  EXPECT_THAT(refusal("root: {dag: {}, executorLabel: x}"), AllOf(HasSubstr("root"), HasSubstr("both dag")));
  EXPECT_THAT(
      refusal("root: {inputDefinitions: {parameters: {a: {parameterType: INTEGER}}}}"),
      AllOf(HasSubstr("root.inputDefinitions.parameters.a.parameterType"), HasSubstr("NUMBER_INTEGER")));
  EXPECT_THAT(refusal("root: {dag: {tasks: {t: {retryPolicy: {maxRetryCount: 3000000000}}}}}"),
              HasSubstr("32 bits"));
  EXPECT_THAT(refusal("root: {dag: {tasks: {t: {retryPolicy: {backoffDuration: 3 minutes}}}}}"),
              HasSubstr("root.dag.tasks.t.retryPolicy.backoffDuration"));
  EXPECT_THAT(refusal("schemaVersion: 2.1\n"), HasSubstr("put it in quotes"));
  EXPECT_THAT(refusal("pipelineInfo: {displayName: a, display_name: b}"), HasSubstr("twice"));
  EXPECT_THAT(refusal("root: {inputDefinitions: {parameters: {a: {defaultValue: [.inf]}}}}"),
              AllOf(HasSubstr("defaultValue[0]"), HasSubstr("not finite")));
  EXPECT_THAT(refusal("platforms: {}\n"), HasSubstr("unknown field"));
}

TEST(Reading, RefusesWhatHurts) {
  EXPECT_THAT(refused_file("anchors_explode.yaml"), AllOf(HasSubstr("values"), HasSubstr("line")));
  EXPECT_THAT(refused_file("truncated.yaml"), HasSubstr("line"));
  EXPECT_THAT(refusal(std::string(200'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(refusal(std::string(200'000, '{')), testing::Not(HasSubstr("accepted")));
  std::string dashes;
  for (int i = 0; i < 5000; ++i) dashes += "- ";
  EXPECT_THAT(refusal(dashes + "x"), HasSubstr("nested deeper"));
  std::string indented;
  for (int i = 0; i < 500; ++i) indented += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(refusal(indented), HasSubstr("nested deeper"));
  std::string object;
  for (int i = 0; i < 5000; ++i) object += "{\"a\":";
  EXPECT_THAT(refusal(object + "1" + std::string(5000, '}')), HasSubstr("nested deeper"));
  EXPECT_THAT(refusal(std::string((32 << 20) + 1, ' ')), HasSubstr("larger than 32 MiB"));
  EXPECT_THAT(refusal("a: &x [*x]"), HasSubstr("line 1"));
  EXPECT_THAT(refusal("<<: {a: 1}"), HasSubstr("merge key"));
  EXPECT_THAT(refusal("a: !!python/object:os.system x"), HasSubstr("tag"));
  EXPECT_THAT(refusal("? [a]\n: b"), HasSubstr("not a name"));
  EXPECT_THAT(refusal("a: \xff"), HasSubstr("UTF-8"));
  EXPECT_THAT(refusal(std::string("a: \0b", 5)), HasSubstr("UTF-8"));
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("- a"), HasSubstr("not a mapping"));
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n---\nc: 3"), HasSubstr("3 documents"));
  EXPECT_THAT(refusal(R"({"root": {}, "root": {}})"), HasSubstr("\"root\" twice"));
}

// Bytes of a real pipeline changed at random: refused with an InputError, or a pipeline that survives
// writing.
TEST(Reading, RandomDamageIsRefusedOrSurvives) {
  const std::string text = core::read_file(kFixtures / "valid.yaml");
  const std::vector<std::string> pieces = {"[",    "]",   "{",     "}",    ":",     "- ",  "\n", "'",
                                           "\"",   "&a ", "*a",    "!",    "#",     "|",   ">",  "\t",
                                           "\xff", "? ",  "---\n", "null", "1e999", "{{$", "\\"};
  std::mt19937 random(11);
  int read = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text;
    for (unsigned n = 1 + random() % 3; n > 0; --n) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged.insert(at, pieces[random() % pieces.size()]);
          break;
        case 1:
          damaged.erase(at, 1 + random() % 20);
          break;
        default:
          damaged[at] = static_cast<char>(random());
          break;
      }
    }
    try {
      const kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline(damaged);
      ++read;
      kfp::ir::validate(pipeline);
      EXPECT_FALSE(kfp::ir::show(pipeline).empty());
      const kfp::ir::Pipeline again = kfp::ir::parse_pipeline(kfp::ir::to_yaml(pipeline));
      EXPECT_EQ(kfp::ir::to_json(again.spec), kfp::ir::to_json(pipeline.spec)) << damaged;
    } catch (const core::InputError&) {
      // names what is wrong; any other exception fails the test
    }
  }
  EXPECT_GT(read, 100);  // the damage is not always fatal, so both ways are taken
  EXPECT_LT(read, 2900);
}

TEST(Reading, TakesWhatProto3JsonAllows) {
  const kfp::ir::Pipeline yaml = kfp::ir::parse_pipeline(
      "schema_version: 2.1.0\npipeline_info: {name: p}\nroot: {dag: null}\n---\n"
      "platforms: {kubernetes: {deploymentSpec: {executors: {e: {activeDeadlineSeconds: 20}}}}, x: {y: "
      "[1]}}\n");
  EXPECT_EQ(yaml.spec.schema_version, "2.1.0");
  EXPECT_FALSE(yaml.spec.root->dag);
  const auto& kubernetes = yaml.platform->platforms->kubernetes;
  EXPECT_EQ(kubernetes->deployment_spec->executors.at("e").active_deadline_seconds, 20);
  EXPECT_EQ(kfp::ir::to_json(*yaml.platform).at("platforms").at("x"), json::parse(R"({"y": [1]})"));
  const kfp::ir::Pipeline run = kfp::ir::parse_pipeline(
      R"({"pipeline_spec": {"pipelineInfo": {"name": "😀"}}, "platform_spec": {"platforms": {}}})");
  EXPECT_EQ(run.spec.pipeline_info->name, "😀");
  EXPECT_TRUE(run.platform);
  // Half a pair as escapes: JSON has them in texts.
  EXPECT_EQ(kfp::parse_yaml(R"({"a": "\ud83d\ude00"})")[0].at("a"), "😀");
}

TEST(Reading, KeepsWhatIsExplicit) {
  const std::string text =
      "root:\n  inputDefinitions:\n    parameters:\n      a:\n        defaultValue: null\n"
      "        isOptional: false\n        description: ''\n        parameterType: STRING\n";
  const kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline(text);
  EXPECT_EQ(kfp::parse_yaml(kfp::ir::to_yaml(pipeline)), kfp::parse_yaml(text));
  EXPECT_TRUE(pipeline.spec.root->input_definitions->parameters.at("a").default_value->is_null());
}

// Values that YAML readers misread, each to be written so that ours and PyYAML agree on it.
std::vector<json> awkward_values() {
  std::vector<json> values;
  for (const char* text : {"",
                           "~",
                           "null",
                           "True",
                           "yes",
                           "on",
                           "N",
                           "1",
                           "-1",
                           "1.0",
                           "1e3",
                           "0x1F",
                           "0o17",
                           "017",
                           "1_000",
                           "12:30",
                           "1:2:3.5",
                           "2026-01-02",
                           ".5",
                           ".inf",
                           "-.INF",
                           ".nan",
                           "NaN",
                           "+1",
                           "- a",
                           "-",
                           "-ec",
                           "--x",
                           "---",
                           "--- a",
                           "...",
                           "? a",
                           ": a",
                           "a: b",
                           "a:b",
                           "a:",
                           "a #b",
                           "a#b",
                           "#a",
                           "&a",
                           "*a",
                           "!a",
                           "!!str",
                           "|",
                           ">",
                           "'a'",
                           "\"a\"",
                           "%a",
                           "@a",
                           "`a`",
                           "{a}",
                           "[a]",
                           "a, b",
                           "=",
                           "<<",
                           " a",
                           "a ",
                           "\ta",
                           "a\tb",
                           "a\n",
                           "a\n\n",
                           "\n",
                           "\na",
                           "a\nb",
                           " a\nb",
                           "a\n b\n",
                           "a \nb",
                           "a\r\nb",
                           "\r",
                           "a\\nb",
                           "\x01\x1b",
                           "2.1.0",
                           "1.2.3",
                           "{{$.inputs.parameters['x']}}",
                           "{\"Concat\": [\"a\"]}",
                           "Überprüfung — 検査",
                           "😀",
                           "\u0085",
                           "\u2028x",
                           "\ufeff",
                           "\u00a0",
                           "\x7f",
                           "1Gi",
                           "10s",
                           "e3",
                           "a\n\tb",
                           "a\n# b\n",
                           "a\n---\nb",
                           "0.0.1",
                           "1.2.",
                           "in",
                           "-.",
                           "+",
                           "1e",
                           "0b11",
                           "12e03",
                           "-in",
                           "a\u2029\nb",
                           "\uffff",
                           "😀\n😀",
                           "no\n",
                           "a\n\nb\n"})
    values.emplace_back(text);
  for (const double number : {0.0, -0.0, 0.1, 1.0, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, -1.5})
    values.emplace_back(number);
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{-1}, (std::int64_t{1} << 53) + 1, INT64_MAX, INT64_MIN})
    values.emplace_back(number);
  values.emplace_back(UINT64_MAX);
  values.push_back({nullptr, true, false, json::array(), json::object(), {{}}, {{"a", json::array()}}});
  json object;
  for (const json& value : values)
    if (value.is_string()) object[value.get<std::string>()] = {value, {{"k", value}}};
  object[std::string(3000, 'k')] = {1, {{"long", 2}}};
  object[std::string(3000, ':')] = 5;
  values.push_back(object);
  return values;
}

TEST(Yaml, ValuesSurvive) {
  const std::vector<json> values = awkward_values();
  for (const json& value : values) {
    const std::string text = kfp::to_yaml(value);
    const std::vector<json> read = kfp::parse_yaml(text);
    ASSERT_EQ(read.size(), 1u) << text;
    EXPECT_EQ(read[0].dump(), value.dump()) << text;
  }
}

TEST(Yaml, PyYamlReadsWhatWeWrite) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  std::vector<json> values = awkward_values();
  // Random texts of awkward characters.
  const std::vector<std::string> pieces = {" ", "\n", ":", "#", "-", "a", "'", "\"", "\\", "\t", "1",
                                           ".", "e",  "é", "{", "]", ",", "|", "%",  "~",  "=",  "\r"};
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    std::string text;
    for (unsigned n = random() % 8; n > 0; --n) text += pieces[random() % pieces.size()];
    values.push_back({{"k", text}, {text, {text}}});
  }
  std::string documents;
  for (const json& value : values) documents += "---\n" + kfp::to_yaml(value);
  const std::vector<json> read = kfp::parse_yaml(documents);
  ASSERT_EQ(read.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(read[i].dump(), values[i].dump());
  core::write_file(folder / "values.yaml", documents);
  core::write_file(folder / "values.json", json(values).dump());
  const std::string command =
      fmt::format("'{}' '{}/test/kfp/ir/peer.py' yaml '{}' '{}'", python, CALOPIPE_SOURCE_DIR,
                  (folder / "values.json").string(), (folder / "values.yaml").string());
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(Yaml, RefusesToWriteWhatCannotBeRead) {
  EXPECT_THROW(kfp::to_yaml(json(std::nan(""))), core::InputError);
  EXPECT_THROW(kfp::to_yaml(json("\xff")), core::InputError);
}

TEST(Writing, HeaderCannotBeLeft) {
  kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline("{pipelineInfo: {name: p}}");
  pipeline.spec.pipeline_info->name = "p\nroot: {}";
  pipeline.spec.pipeline_info->description = "one\ntwo\rthree";
  pipeline.spec.root.emplace().input_definitions.emplace().parameters["x\ny"].default_value = "d\ne";
  const kfp::ir::Pipeline read = kfp::ir::parse_pipeline(kfp::ir::to_yaml(pipeline));
  EXPECT_EQ(kfp::ir::to_json(read.spec), kfp::ir::to_json(pipeline.spec));
}

}  // namespace
