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
                    HasSubstr("expected a string"), HasSubstr("put it in quotes")));
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

TEST(Reading, RefusesNamesThatAreTheSameInOtherSpellings) {
  EXPECT_THAT(refusal("root: {}\n\"r\\x6fot\": {}"), HasSubstr("\"root\" twice"));
  EXPECT_THAT(refusal("a: &k root\nroot: {}\n*k : {}"), HasSubstr("\"root\" twice"));
  EXPECT_THAT(refusal("pipelineInfo: {name: p}\n---\nplatforms: {kubernetes: {}, kubernetes: {}}"),
              AllOf(HasSubstr("line 3"), HasSubstr("\"kubernetes\" twice")));
  EXPECT_THAT(refusal(R"({"root": {"dag": {"tasks": {"t": {}, "\u0074": {}}}}})"), HasSubstr("\"t\" twice"));
  // Composed and decomposed letters look the same and are two names, as everywhere in Kubernetes.
  const kfp::ir::Pipeline two =
      kfp::ir::parse_pipeline("root: {dag: {tasks: {\"\\u00e9\": {}, \"e\\u0301\": {}}}}");
  EXPECT_EQ(two.spec.root->dag->tasks.size(), 2u);
}

TEST(Reading, LimitsHoldThroughAliases) {
  // Each level holds the one before: 300 levels deep, though no text is nested.
  std::string nested = "x0: &a0 [1]\n";
  for (int i = 1; i < 300; ++i) nested += fmt::format("x{}: &a{} [*a{}]\n", i, i, i - 1);
  EXPECT_THAT(refusal(nested), HasSubstr("nested deeper"));
  // Anchors around one long list: every one is a copy.
  std::string copies = "a: &a [" + std::string(20'000, '1');
  for (int i = 0; i < 20'000; ++i) copies += ",1";
  copies += "]\nb: [";
  for (int i = 0; i < 1'000; ++i) copies += "*a,";
  EXPECT_THAT(refusal(copies + "1]"), AllOf(HasSubstr("too many values"), HasSubstr("line 2")));
}

TEST(Yaml, LimitsAreTheSameForYamlAndJson) {
  const auto read = [](const std::string& text) {
    try {
      kfp::parse_yaml(text, {}, {.max_bytes = 1000, .max_depth = 3, .max_nodes = 10});
    } catch (const core::InputError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const auto of_size = [](int size) {  // the list counts, too
    std::string list = "1";
    for (int i = 1; i < size - 1; ++i) list += ",1";
    return "[" + list + "]";
  };
  for (const std::string end : {"", " # YAML"}) {
    EXPECT_EQ(read(of_size(10) + end), "accepted");
    EXPECT_THAT(read(of_size(11) + end), HasSubstr("too many values"));
    EXPECT_EQ(read("[[[1]]]" + end), "accepted");
    EXPECT_THAT(read("[[[[1]]]]" + end), HasSubstr("nested deeper"));
    EXPECT_THAT(read(R"({"a": {"b": {"c": {}}}})" + end), HasSubstr("nested deeper"));
    EXPECT_EQ(read(R"({"a": {"b": {"c": 1}}})" + end), "accepted");
  }
  EXPECT_THAT(read(std::string(1001, ' ')), HasSubstr("larger than"));
}

TEST(Reading, TakesTextsOfAnyLength) {
  const std::string text(8 << 20, 'x');
  const kfp::ir::Pipeline pipeline =
      kfp::ir::parse_pipeline("pipelineInfo:\n  name: p\n  description: " + text + "\n");
  EXPECT_EQ(pipeline.spec.pipeline_info->description, text);
  EXPECT_EQ(kfp::ir::parse_pipeline(kfp::ir::to_yaml(pipeline)).spec.pipeline_info->description, text);
}

TEST(Reading, KeepsNumbersToTheLastDigit) {
  const char* numbers =
      "[9007199254740993, -9007199254740993, 9223372036854775807, -9223372036854775808, "
      "18446744073709551615, 0.1, 5.0e-324, 1.7976931348623157e+308, -0.0, 1.0]";
  const std::string text = fmt::format(
      "root: {{inputDefinitions: {{parameters: {{a: {{defaultValue: {0}, literals: {0}}}}}}}, dag: {{tasks: "
      "{{t: "
      "{{inputs: {{parameters: {{x: {{runtimeValue: {{constant: {0}}}}}}}}}, parameterIterator: {{items: "
      "{{raw: "
      "\"{0}\"}}}}}}}}}}}}\n---\nplatforms: {{kubernetes: {{deploymentSpec: {{executors: {{e: "
      "{{activeDeadlineSeconds: '9223372036854775807'}}}}}}}}}}\n",
      numbers);
  const kfp::ir::Pipeline first = kfp::ir::parse_pipeline(text);
  const kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline(kfp::ir::to_yaml(first));
  const std::string expected = json::parse(numbers).dump();
  const auto& parameter = pipeline.spec.root->input_definitions->parameters.at("a");
  EXPECT_EQ(parameter.default_value->dump(), expected);
  EXPECT_EQ(json(parameter.literals).dump(), expected);
  const kfp::ir::Task& task = pipeline.spec.root->dag->tasks.at("t");
  EXPECT_EQ(task.inputs->parameters.at("x").runtime_value->constant->dump(), expected);
  EXPECT_EQ(task.parameter_iterator->items->raw, numbers);
  EXPECT_EQ(
      pipeline.platform->platforms->kubernetes->deployment_spec->executors.at("e").active_deadline_seconds,
      INT64_MAX);
  // One more is not rounded into range.
  const auto deadline = [](const char* number) {
    return refusal(
        fmt::format("pipelineInfo: {{name: p}}\n---\nplatforms: {{kubernetes: {{deploymentSpec: "
                    "{{executors: {{e: {{activeDeadlineSeconds: {}}}}}}}}}}}\n",
                    number));
  };
  EXPECT_THAT(deadline("'9223372036854775808'"), HasSubstr("64 bits"));
  EXPECT_THAT(deadline("9223372036854775808"), HasSubstr("64 bits"));
  EXPECT_THAT(deadline("1.5"), HasSubstr("64 bits"));
  EXPECT_THAT(deadline("' 1'"), HasSubstr("64 bits"));
}

TEST(Reading, TakesEveryCharacterAndNoHalfOnes) {
  const std::string name = "Ошибка \u202e検査 😀 e\u0301 \u0085 \ufeff";
  kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline("\ufeffpipelineInfo: {name: p}\n");  // byte order mark
  pipeline.spec.pipeline_info->name = name;
  pipeline.spec.root.emplace().dag.emplace().tasks[name].task_info.emplace().name = name;
  const kfp::ir::Pipeline again = kfp::ir::parse_pipeline(kfp::ir::to_yaml(pipeline));
  EXPECT_EQ(kfp::ir::to_json(again.spec), kfp::ir::to_json(pipeline.spec));
  EXPECT_FALSE(kfp::ir::show(again).empty());
  EXPECT_THAT(refusal("a: \xed\xa0\x80"), HasSubstr("UTF-8"));      // half a pair
  EXPECT_THAT(refusal("a: \xc0\xaf"), HasSubstr("UTF-8"));          // overlong
  EXPECT_THAT(refusal("a: \xf4\x90\x80\x80"), HasSubstr("UTF-8"));  // beyond U+10FFFF
  EXPECT_THAT(refusal("a: \xe2\x82"), HasSubstr("UTF-8"));          // cut off
  EXPECT_THAT(refusal(std::string("\xff\xfe"
                                  "a\0:\0",
                                  6)),
              HasSubstr("UTF-8"));  // UTF-16
  EXPECT_NE(refusal(R"({"a": "\ud83d"})"), "accepted");
  EXPECT_NE(refusal("a: \"\\ud83d\""), "accepted");
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
