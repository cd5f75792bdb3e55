#include "kfp/local/detail/launcher.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/quantity.h"
#include "kfp/local/detail/executor_output.h"
#include "kfp/local/detail/parameters.h"
#include "kfp/local/detail/resources.h"

namespace {

namespace fs = std::filesystem;
using kfp::local::Artifact;
using kfp::local::Values;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

kfp::ir::ComponentSpec component(const json& interface) {
  json spec = {{"components", {{"c", interface}}}};
  return kfp::ir::pipeline_spec_from_json(spec).components.at("c");
}

const json kInterface = {
    {"inputDefinitions",
     {{"parameters",
       {{"text", {{"parameterType", "STRING"}}},
        {"rate", {{"parameterType", "NUMBER_DOUBLE"}}},
        {"steps", {{"parameterType", "NUMBER_INTEGER"}, {"defaultValue", 7}}},
        {"maybe", {{"parameterType", "STRING"}, {"isOptional", true}}},
        {"list", {{"parameterType", "LIST"}}}}},
      {"artifacts", {{"data", {{"artifactType", {{"schemaTitle", "system.Dataset"}}}}}}}}},
    {"outputDefinitions",
     {{"parameters",
       {{"loss", {{"parameterType", "NUMBER_DOUBLE"}}},
        {"count", {{"parameterType", "NUMBER_INTEGER"}}},
        {"good", {{"parameterType", "BOOLEAN"}}},
        {"names", {{"parameterType", "LIST"}}}}},
      {"artifacts",
       {{"model",
         {{"artifactType", {{"schemaTitle", "system.Model"}, {"schemaVersion", "0.0.1"}}},
          {"metadata", {{"framework", "none"}}}}}}}}}};

class LauncherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root = fs::temp_directory_path() / ("kfp-launcher-" + std::to_string(::getpid()));
    fs::remove_all(root);
    inputs.parameters = {{"text", "a b"}, {"rate", 1e-7}, {"list", json::array({1, "x"})}};
    inputs.artifacts["data"] = {{.name = "data",
                                 .uri = "/somewhere/data.h5",
                                 .type = {{"schemaTitle", "system.Dataset"}},
                                 .metadata = {{"rows", 3}},
                                 .sha256 = {}}};
    input = kfp::local::executor_input(spec, inputs, root);
  }
  void TearDown() override { fs::remove_all(root); }

  std::vector<std::string> arguments(const std::vector<std::string>& elements) const {
    kfp::ir::Container container{.command = {"program"}, .args = elements};
    std::vector<std::string> result = kfp::local::command_line(container, input);
    result.erase(result.begin());
    return result;
  }
  void write(const std::string& name, const std::string& text) const {
    core::write_file(root / ".parameters" / name, text);
  }
  void write_parameters() const {
    kfp::local::prepare_outputs(input, root);
    write("loss", " 0.25\n");
    write("count", "9007199254740993\n");
    write("good", "True");
    write("names", R"(["a", {"b": null}])");
  }

  kfp::ir::ComponentSpec spec = component(kInterface);
  fs::path root;
  Values inputs;
  json input;
};

TEST_F(LauncherTest, ExecutorInputIsWhatTheLauncherGives) {
  EXPECT_EQ(input["inputs"]["parameterValues"],
            json({{"text", "a b"}, {"rate", 1e-7}, {"steps", 7}, {"list", {1, "x"}}}));
  EXPECT_EQ(input["inputs"]["artifacts"]["data"]["artifacts"][0],
            json({{"name", "data"},
                  {"uri", "/somewhere/data.h5"},
                  {"type", {{"schemaTitle", "system.Dataset"}}},
                  {"metadata", {{"rows", 3}}}}));
  EXPECT_EQ(input["outputs"]["artifacts"]["model"]["artifacts"][0],
            json({{"name", "model"},
                  {"uri", (root / "model").string()},
                  {"type", {{"schemaTitle", "system.Model"}, {"schemaVersion", "0.0.1"}}},
                  {"metadata", {{"framework", "none"}}}}));
  EXPECT_TRUE(input["outputs"]["parameters"]["loss"]["outputFile"].is_string());
  EXPECT_TRUE(input["outputs"]["outputFile"].is_string());
}

TEST_F(LauncherTest, ResolvesPlaceholders) {
  EXPECT_THAT(
      arguments({"{{$.inputs.parameters['text']}}", "--rate={{$.inputs.parameters['rate']}}",
                 "{{$.inputs.parameters['steps']}}", "{{$.inputs.parameters['list']}}",
                 "{{$.inputs.artifacts['data'].path}}|{{$.inputs.artifacts['data'].uri}}"}),
      ElementsAre("a b", "--rate=0.0000001", "7", R"([1,"x"])", "/somewhere/data.h5|/somewhere/data.h5"));
  EXPECT_THAT(arguments({"{{$.outputs.artifacts['model'].path}}", "{{$.outputs.artifacts['model'].uri}}/0"}),
              ElementsAre((root / "model").string(), (root / "model").string() + "/0"));
  EXPECT_EQ(arguments({"{{$.outputs.parameters['loss'].output_file}}"}).front(),
            input["outputs"]["parameters"]["loss"]["outputFile"]);
  EXPECT_EQ(json::parse(arguments({"{{$}}"}).front()), input);
}

TEST_F(LauncherTest, LeavesAloneWhatTheLauncherDoesNotKnow) {
  EXPECT_THAT(arguments({"{{$.outputs.output_file}}", "{{$.pipeline_job_name}}", "{{$.nonsense}}", "{{x}}"}),
              ElementsAre("{{$.outputs.output_file}}", "{{$.pipeline_job_name}}", "{{$.nonsense}}", "{{x}}"));
  const kfp::ir::Container container{.command = {"{{$.inputs.parameters['text']}}", "x"}};
  EXPECT_EQ(kfp::local::command_line(container, input).front(), "{{$.inputs.parameters['text']}}");
}

TEST_F(LauncherTest, ValuesThatLookLikePlaceholdersStay) {
  inputs.parameters["text"] = "{{$.inputs.parameters['rate']}} {{$}}";
  input = kfp::local::executor_input(spec, inputs, root);
  EXPECT_THAT(arguments({"{{$.inputs.parameters['text']}}"}),
              ElementsAre("{{$.inputs.parameters['rate']}} {{$}}"));
}

TEST_F(LauncherTest, ResolvesIfPresentAndConcat) {
  const std::string maybe =
      R"({"IfPresent": {"InputName": "maybe", "Then": ["--maybe", "{{$.inputs.parameters['maybe']}}"]}})";
  EXPECT_THAT(arguments({"a", maybe, "b"}), ElementsAre("a", "b"));
  EXPECT_THAT(arguments({R"({"IfPresent": {"InputName": "maybe", "Then": "yes", "Else": ["no", "no"]}})"}),
              ElementsAre("no", "no"));
  EXPECT_THAT(
      arguments({R"({"IfPresent": {"InputName": "data", "Then": "{{$.inputs.artifacts['data'].path}}"}})"}),
      ElementsAre("/somewhere/data.h5"));
  EXPECT_THAT(
      arguments(
          {R"({"Concat": ["<", "{{$.inputs.parameters['text']}}", {"IfPresent": {"InputName": "text", "Then": ["!"]}}, ">"]})"}),
      ElementsAre("<a b!>"));
  inputs.parameters["maybe"] = "\"quoted\", {\"Concat\": []}";
  input = kfp::local::executor_input(spec, inputs, root);
  EXPECT_THAT(arguments({maybe}), ElementsAre("--maybe", "\"quoted\", {\"Concat\": []}"));
  EXPECT_THAT(arguments({R"({"Concat": 1, "other": 2})", "{not json"}),
              ElementsAre(R"({"Concat": 1, "other": 2})", "{not json"));
}

TEST_F(LauncherTest, InputsWithoutValueAreErrors) {
  EXPECT_THROW(arguments({"{{$.inputs.parameters['maybe']}}"}), core::InputError);
  EXPECT_THROW(arguments({"{{$.inputs.artifacts['other'].path}}"}), core::InputError);
  inputs.artifacts["data"][0].uri = "gs://bucket/data";
  input = kfp::local::executor_input(spec, inputs, root);
  EXPECT_THROW(arguments({"{{$.inputs.artifacts['data'].path}}"}), core::InputError);
  EXPECT_THROW(arguments({"{{$}}"}), core::InputError);
  EXPECT_THAT(arguments({"{{$.inputs.artifacts['data'].uri}}"}), ElementsAre("gs://bucket/data"));
}

TEST_F(LauncherTest, ReadsOutputParameters) {
  write_parameters();
  const Values outputs = kfp::local::collect_outputs(spec, input, root);
  EXPECT_EQ(
      json(outputs.parameters),
      json(
          {{"loss", 0.25}, {"count", 9007199254740993}, {"good", true}, {"names", {"a", {{"b", nullptr}}}}}));
  EXPECT_EQ(outputs.artifacts.at("model").at(0).sha256, "");  // it was not written: no more than a warning
}

TEST_F(LauncherTest, RefusesOutputParametersOfOtherTypes) {
  const std::vector<std::pair<std::string, std::string>> kBad = {{"loss", "abc"},
                                                                 {"loss", ""},
                                                                 {"loss", "nan"},
                                                                 {"loss", "inf"},
                                                                 {"loss", "1 2"},
                                                                 {"count", "1.5"},
                                                                 {"count", "0x10"},
                                                                 {"count", "9223372036854775808"},
                                                                 {"good", "yes"},
                                                                 {"names", "{}"},
                                                                 {"names", "[1,]"},
                                                                 {"names", "[NaN]"},
                                                                 {"names", R"([{"a":1,"a":2}])"}};
  for (const auto& [name, text] : kBad) {
    write_parameters();
    write(name, text);
    EXPECT_THROW(kfp::local::collect_outputs(spec, input, root), core::InputError) << name << " = " << text;
  }
  write_parameters();
  fs::remove(root / ".parameters" / "good");
  EXPECT_THROW(kfp::local::collect_outputs(spec, input, root), core::InputError);
}

TEST_F(LauncherTest, ExecutorOutputComesBeforeTheFiles) {
  write_parameters();
  core::write_file(root / "model", "weights");
  core::write_file(input["outputs"]["outputFile"].get<std::string>(),
                   R"({"parameterValues": {"loss": 1}, "artifacts": {"model": {"artifacts": [
                       {"name": "model", "uri": ")" +
                       (root / "model").string() + R"(", "metadata": {"chi2": 1.5}}]}}})");
  const Values outputs = kfp::local::collect_outputs(spec, input, root);
  EXPECT_EQ(outputs.parameters.at("loss"), 1.0);
  const Artifact& model = outputs.artifacts.at("model").at(0);
  EXPECT_EQ(model.metadata, json({{"framework", "none"}, {"chi2", 1.5}}));
  EXPECT_EQ(model.bytes, 7);
  EXPECT_EQ(model.sha256.size(), 64U);
}

TEST_F(LauncherTest, RefusesArtifactsOutsideOfTheTask) {
  const fs::path outside = root.parent_path() / "elsewhere";
  for (const std::string& uri :
       {outside.string(), (root / ".." / "elsewhere").string(), root.string() + "x/y",
        "file://" + outside.string(), std::string("relative/../../x")}) {
    write_parameters();
    core::write_file(input["outputs"]["outputFile"].get<std::string>(),
                     json({{"artifacts", {{"model", {{"artifacts", {{{"uri", uri}}}}}}}}}).dump());
    EXPECT_THROW(kfp::local::collect_outputs(spec, input, root), core::InputError) << uri;
  }
  write_parameters();
  core::write_file(root / "sub" / "model", "x");
  core::write_file(
      input["outputs"]["outputFile"].get<std::string>(),
      json({{"artifacts", {{"model", {{"artifacts", {{{"uri", (root / "sub/model").string()}}}}}}}}}).dump());
  EXPECT_EQ(kfp::local::collect_outputs(spec, input, root).artifacts.at("model").at(0).bytes, 1);
}

TEST(ExecutorOutputTest, IsReadStrictly) {
  for (const std::string text :
       {"", "[]", "null", "{", R"({"parameterValues": {"x": NaN}})",
        R"({"parameterValues": {"x": Infinity}})", R"({"parameterValues": {"x": 1e999}})",
        R"({"parameterValues": {"x": null}})", R"({"parameterValues": []})",
        R"({"parameterValues": {}, "parameter_values": {}})", R"({"unknown": 1})",
        R"({"parameterValues": {"x": 1, "x": 2}})", R"({"artifacts": {"a": {"artifacts": {}}}})",
        R"({"artifacts": {"a": {"artifacts": [{"url": "x"}]}}})",
        R"({"artifacts": {"a": {"artifacts": [{"uri": 1}]}}})",
        R"({"artifacts": {"a": {"artifacts": [{"metadata": {"m": null}}]}}})",
        R"({"artifacts": {"a": {"artifacts": [], "more": 1}}})", R"({"parameterValues": {}} x)"})
    EXPECT_THROW(kfp::local::parse_executor_output(text, "file.json"), core::InputError) << text;
  const auto output = kfp::local::parse_executor_output(
      R"({"parameter_values": {"x": [null]}, "artifacts": {"a": {"artifacts": [{"name": "n", "metadata": {"m": 1}}]}}})",
      "file.json");
  EXPECT_EQ(output.parameters.at("x"), json::array({nullptr}));
  EXPECT_EQ(output.artifacts.at("a").at(0).metadata, json({{"m", 1}}));
}

TEST(ParameterTextTest, IsWhatTheBackendMakes) {
  EXPECT_EQ(kfp::local::parameter_text(1.0), "1");
  EXPECT_EQ(kfp::local::parameter_text(1e22), "10000000000000000000000");
  EXPECT_EQ(kfp::local::parameter_text(0.1), "0.1");
  EXPECT_EQ(kfp::local::parameter_text(std::int64_t{9007199254740993}), "9007199254740993");
  EXPECT_EQ(kfp::local::parameter_text(true), "true");
  EXPECT_EQ(kfp::local::parameter_text("Zürich\n$(x)"), "Zürich\n$(x)");
  EXPECT_EQ(kfp::local::parameter_text(json({{"a", "ü"}})), R"({"a":"ü"})");
}

TEST(RunParametersTest, AreChecked) {
  const auto spec = kfp::ir::pipeline_spec_from_json(
      {{"root",
        {{"inputDefinitions",
          {{"parameters",
            {{"epochs", {{"parameterType", "NUMBER_INTEGER"}}},
             {"rate", {{"parameterType", "NUMBER_DOUBLE"}, {"defaultValue", 0.5}}},
             {"kind", {{"parameterType", "STRING"}, {"isOptional", true}, {"literals", {"a", "b"}}}}}}}}}}});
  using kfp::local::check_run_parameters;
  EXPECT_EQ(check_run_parameters(spec, {{"epochs", 3.0}}),
            json({{"epochs", 3}, {"rate", 0.5}, {"kind", nullptr}}));
  EXPECT_TRUE(check_run_parameters(spec, {{"epochs", 3}, {"rate", 1}})["rate"].is_number_float());
  for (const json& bad :
       {json::object(), json({{"epochs", 1.5}}), json({{"epochs", "3"}}), json({{"epochs", true}}),
        json({{"epochs", nullptr}}), json({{"epochs", 1}, {"rate", "x"}}),
        json({{"epochs", 1}, {"kind", "c"}}), json({{"epochs", 1}, {"kind", 1}}), json::array()})
    EXPECT_THROW(check_run_parameters(spec, bad), core::UsageError) << bad;
  try {
    check_run_parameters(spec, {{"epoch", 1}});
    FAIL();
  } catch (const core::UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean epochs?"));
  }
}

TEST(ResourcesTest, QuantitiesAndClaims) {
  EXPECT_DOUBLE_EQ(kfp::ir::quantity("500m").value(), 0.5);
  EXPECT_DOUBLE_EQ(kfp::ir::quantity("4Gi").value(), 4294967296.0);
  EXPECT_DOUBLE_EQ(kfp::ir::quantity("1e3").value(), 1000);
  for (const char* bad : {"", "x", "4gi", "-1", "nan", "1 Gi"}) EXPECT_FALSE(kfp::ir::quantity(bad)) << bad;
  kfp::ir::Container container;
  EXPECT_EQ(kfp::local::claim_of(container, {}, {.cpus = 1}).cpus, 1);
  container.resources = kfp::ir::Resources{.cpu_limit = 4,
                                           .resource_cpu_limit = "4",
                                           .resource_memory_limit = "2G",
                                           .resource_cpu_request = "{{$.inputs.parameters['cpus']}}"};
  const auto claim = kfp::local::claim_of(container, {{"cpus", "1500m"}}, {});
  EXPECT_DOUBLE_EQ(claim.cpus, 1.5);
  EXPECT_EQ(claim.memory_bytes, 2000000000);
}

TEST(ResourcesTest, ATaskLargerThanTheMachineRunsAlone) {
  kfp::local::Budget budget({.cpus = 2, .memory_bytes = 100});
  const kfp::local::Claim huge{.cpus = 64};
  EXPECT_TRUE(budget.fits(huge));
  budget.take(huge);
  EXPECT_FALSE(budget.fits({.cpus = 0.1}));
  budget.give_back(huge);
  budget.take({.cpus = 1, .memory_bytes = 60});
  EXPECT_FALSE(budget.fits({.cpus = 1, .memory_bytes = 60}));
  EXPECT_TRUE(budget.fits({.cpus = 1, .memory_bytes = 40}));
}

}  // namespace
