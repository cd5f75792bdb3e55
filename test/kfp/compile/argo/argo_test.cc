#include "kfp/compile/argo/argo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/compile/argo/source.h"
#include "kfp/ir/document.h"
#include "kfp/yaml/yaml.h"

namespace {

using kfp::argo::ArgoOptions;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const ArgoOptions kVolume = {.volume = kfp::argo::VolumeStore{.claim = "artifacts"}};
const ArgoOptions kS3 = {
    .s3 = kfp::argo::S3Store{.bucket = "runs", .endpoint = "s3.example.org", .prefix = "x/"}};

// Pipelines with every feature, broken or changed in single places.
class Argo : public testing::Test {
 protected:
  static json spec() { return kfp::parse_yaml(core::read_file(test::argo_source("features.yaml")))[0]; }

  static json compile(const json& spec, const ArgoOptions& options = kVolume) {
    return kfp::argo::compile({.spec = kfp::ir::pipeline_spec_from_json(spec)}, options);
  }

  // The pipeline with another value at a place.
  static json with(const std::string& place, const json& value) {
    json changed = spec();
    changed[json::json_pointer(place)] = value;
    return changed;
  }

  static json named(const json& list, const std::string& name) {
    for (const json& element : list)
      if (element["name"] == name) return element;
    ADD_FAILURE() << "there is no " << name << " in " << list.dump(1);
    return nullptr;
  }
  static json the_template(const json& workflow, const std::string& name) {
    return named(workflow["spec"]["templates"], name);
  }
  static json task(const json& workflow, const std::string& dag, const std::string& name) {
    return named(the_template(workflow, dag)["dag"]["tasks"], name);
  }
  static json argument(const json& task, const std::string& name) {
    return named(task["arguments"]["parameters"], name)["value"];
  }
  static json output(const json& a_template, const std::string& name) {
    return named(a_template["outputs"]["parameters"], name)["valueFrom"];
  }
};

TEST_F(Argo, WaitsForSuccessOnlyAndNotForImporters) {
  const json workflow = compile(spec());
  EXPECT_EQ(task(workflow, "every-feature", "branches")["depends"], "make.Succeeded");
  // The importer has no task: what it waits for stands for it.
  EXPECT_EQ(task(workflow, "every-feature", "use-imported")["depends"], "make.Succeeded");
  EXPECT_FALSE(task(workflow, "every-feature", "make").contains("depends"));
}

TEST_F(Argo, ArtifactsAreFoundByThePathOfTheirTask) {
  const json workflow = compile(spec());
  EXPECT_EQ(argument(task(workflow, "every-feature", "branches"), "pipelinechannel--make-data"),
            "/kfp/artifacts/{{workflow.name}}/make/data");
  EXPECT_EQ(argument(task(workflow, "every-feature", "make"), "kfp-path"), "{{workflow.name}}/make");
  EXPECT_EQ(argument(task(workflow, "branch", "use"), "kfp-path"), "{{inputs.parameters.kfp-path}}/use");
  EXPECT_EQ(argument(task(workflow, "loop-loop", "iteration"), "kfp-path"),
            "{{inputs.parameters.kfp-path}}/{{item.index}}");
  const json use = the_template(workflow, "use")["container"];
  EXPECT_THAT(
      use["args"],
      ElementsAre("--data={{inputs.parameters.data}}", "--value={{inputs.parameters.value}}",
                  "/kfp/artifacts/{{inputs.parameters.kfp-path}}/result", "/kfp/outputs/parameter-word"));
  EXPECT_THAT(use["volumeMounts"], testing::Contains(json{{"name", "kfp-artifacts"},
                                                          {"mountPath", "/kfp/own"},
                                                          {"subPath", "{{inputs.parameters.kfp-path}}"}}));
}

TEST_F(Argo, ImportedArtifactsArePassedAsTheyAre) {
  for (const ArgoOptions& options : {kVolume, kS3}) {
    const json use = task(compile(spec(), options), "every-feature", "use-imported");
    EXPECT_EQ(argument(use, "data"), "/eos/project/showers");
    EXPECT_EQ(argument(use, "other"), "{{inputs.parameters.uri}}");
  }
}

TEST_F(Argo, ArtifactsGoThroughABucket) {
  const json workflow = compile(spec(), kS3);
  EXPECT_EQ(argument(task(workflow, "every-feature", "branches"), "pipelinechannel--make-data"),
            "x/{{workflow.name}}/make/data");
  const json use = the_template(workflow, task(workflow, "branch", "use")["template"]);
  EXPECT_EQ(
      use["inputs"]["artifacts"],
      (json{
          {{"name", "data"},
           {"path", "/kfp/inputs/data"},
           {"mode", 0755},
           {"recurseMode", true},
           {"s3",
            {{"bucket", "runs"}, {"endpoint", "s3.example.org"}, {"key", "{{inputs.parameters.data}}"}}}}}));
  EXPECT_EQ(use["outputs"]["artifacts"][0]["s3"]["key"], "x/{{inputs.parameters.kfp-path}}/result");
  EXPECT_EQ(use["outputs"]["artifacts"][0]["path"], "/kfp/outputs/artifact-result");
  EXPECT_EQ(use["container"]["args"][0], "--data=/kfp/inputs/data");
  // What was imported is no key: another template, which Argo brings nothing.
  const json imported = the_template(workflow, task(workflow, "every-feature", "use-imported")["template"]);
  EXPECT_FALSE(imported["inputs"].contains("artifacts"));
  EXPECT_EQ(imported["container"]["args"][0], "--data={{inputs.parameters.data}}");
}

TEST_F(Argo, ConditionsBecomeExpressions) {
  const json workflow = compile(spec());
  EXPECT_EQ(task(workflow, "branches", "large")["when"],
            "{{=!((int(float(trim(inputs.parameters['pipelinechannel--make-number']))) < 5))}}");
  EXPECT_EQ(task(workflow, "every-feature", "say-words")["when"],
            "{{=((fromJSON(tasks['scan'].outputs.parameters['word']) != nil) && "
            "!((fromJSON(tasks['scan'].outputs.parameters['word']) == \"x\")))}}");
}

TEST_F(Argo, OneOfSeveralOutputsIsThatOfTheTaskThatRan) {
  const json branches = the_template(compile(spec()), "branches");
  EXPECT_EQ(output(branches, "word")["expression"],
            "tasks['small'].status == \"Succeeded\" ? tasks['small'].outputs.parameters['word'] : "
            "(tasks['large'].outputs.parameters['word'])");
  EXPECT_EQ(output(branches, "result")["expression"],
            "tasks['small'].status == \"Succeeded\" ? tasks['small'].outputs.parameters['result'] : "
            "(tasks['large'].outputs.parameters['result'])");
}

TEST_F(Argo, LoopsAreDagsOfTheirOwn) {
  const json workflow = compile(spec());
  const json fixed = the_template(workflow, "loop-loop");
  EXPECT_EQ(fixed["parallelism"], 2);
  const json iteration = fixed["dag"]["tasks"][0];
  EXPECT_EQ(iteration["withItems"],
            (json{{{"index", "0"}, {"value", R"({"name":"a \"b\"","sizes":["small","1"]})"}},
                  {{"index", "1"}, {"value", R"({"name":"c","sizes":[]})"}}}));
  EXPECT_EQ(argument(iteration, "item"), R"x({{=fromJSON("\"" + item.value + "\"")}})x");
  const json open = the_template(workflow, "inner-loop");
  EXPECT_FALSE(open.contains("parallelism"));
  EXPECT_THAT(open["dag"]["tasks"][0]["withParam"].get<std::string>(),
              HasSubstr("map(fromJSON(inputs.parameters['kfp-items'])"));
  EXPECT_THAT(output(open, "word")["expression"].get<std::string>(), HasSubstr("?? \"[]\""));
}

TEST_F(Argo, ExitTasksRunWhateverHappensAndHideNoFailure) {
  const json workflow = compile(spec());
  const json report = task(workflow, "every-feature", "report");
  EXPECT_EQ(report["depends"],
            "(exit-handler-1.Succeeded || exit-handler-1.Failed || exit-handler-1.Errored || "
            "exit-handler-1.Skipped || exit-handler-1.Omitted)");
  EXPECT_THAT(argument(report, "status").get<std::string>(),
              AllOf(HasSubstr("tasks['exit-handler-1'].status == \"Succeeded\" ? \"SUCCEEDED\""),
                    HasSubstr("\"pipelineTaskName\":\"exit-handler-1\"")));
  const json dag = the_template(workflow, "every-feature")["dag"];
  EXPECT_EQ(dag["failFast"], false);
  EXPECT_THAT(dag["target"].get<std::string>(), AllOf(HasSubstr("exit-handler-1"), HasSubstr("report")));
  // Where the producer failed, the default stands for its output.
  EXPECT_EQ(argument(task(workflow, "every-feature", "say-anyway"), "what"),
            "{{=tasks['use-imported']?.outputs?.parameters?.['word'] ?? \"nothing\"}}");
}

TEST_F(Argo, RetriesAreThoseOfTheTask) {
  const json workflow = compile(spec());
  const json say = the_template(workflow, task(workflow, "exit-handler-1", "say")["template"]);
  EXPECT_EQ(say["retryStrategy"],
            (json{{"limit", "3"}, {"backoff", {{"duration", "10s"}, {"factor", "2"}, {"cap", "60s"}}}}));
  EXPECT_THAT(say["container"]["env"],
              testing::Contains(json{{"name", "KFP_RETRY_INDEX"}, {"value", "{{retries}}"}}));
  const json more = the_template(workflow, task(workflow, "exit-handler-1", "say-more")["template"]);
  EXPECT_FALSE(more.contains("retryStrategy"));
}

TEST_F(Argo, BracesOfTheUserAreNoTags) {
  const json workflow = compile(spec());
  const json say =
      the_template(workflow, task(workflow, "exit-handler-1", "say-more")["template"])["container"];
  EXPECT_THAT(say["args"], ElementsAre("{{inputs.parameters.what}}",
                                       "f\"$(KFP_BRACE){python}} $(KFP_BRACE)$(KFP_BRACE){x}}} {\"",
                                       "$(KFP_BRACE){{inputs.parameters.what}}}"));
  EXPECT_EQ(say["env"][0], (json{{"name", "KFP_BRACE"}, {"value", "{"}}));
  EXPECT_EQ(say["env"][1], (json{{"name", "TEMPLATE"}, {"value", "$(KFP_BRACE){of.the.user}}"}}));
  EXPECT_EQ(argument(task(workflow, "exit-handler-1", "say-more"), "what"),
            "{{=\"literal \\u007b\\u007bbraces\\u007d\\u007d \\u007b\"}}");
}

TEST_F(Argo, ExecutorInputIsJsonAndExecutorOutputOutranksFiles) {
  const json workflow = compile(spec());
  const json make = the_template(workflow, task(workflow, "every-feature", "make")["template"]);
  const json run = the_template(workflow, make["dag"]["tasks"][0]["template"]);
  EXPECT_EQ(run["container"]["command"][1].get<std::string>(),
            "{\"inputs\":{\"artifacts\":{},\"parameterValues\":{\"count\":{{inputs.parameters.count}},"
            "\"flag\":{{inputs.parameters.flag}},\"settings\":{{inputs.parameters.settings}},"
            "\"text\":{{=toJson(inputs.parameters['text'])}}}},"
            "\"outputs\":{\"artifacts\":{\"data\":{\"artifacts\":[{\"metadata\":{},\"name\":\"data\","
            "\"type\":{\"schemaTitle\":\"system.Dataset\",\"schemaVersion\":\"0.0.1\"},"
            "\"uri\":\"/kfp/artifacts/{{inputs.parameters.kfp-path}}/data\"}]},"
            "\"text\":{\"artifacts\":[{\"metadata\":{},\"name\":\"text\","
            "\"type\":{\"schemaTitle\":\"system.Artifact\",\"schemaVersion\":\"0.0.1\"},"
            "\"uri\":\"/kfp/artifacts/{{inputs.parameters.kfp-path}}/text-2\"}]}},"
            "\"outputFile\":\"/kfp/outputs/executor_output.json\",\"parameters\":{"
            "\"flag\":{\"outputFile\":\"/kfp/outputs/parameter-flag\"},"
            "\"info\":{\"outputFile\":\"/kfp/outputs/parameter-info\"},"
            "\"list\":{\"outputFile\":\"/kfp/outputs/parameter-list\"},"
            "\"number\":{\"outputFile\":\"/kfp/outputs/parameter-number\"},"
            "\"text\":{\"outputFile\":\"/kfp/outputs/parameter-text\"}}}}");
  EXPECT_EQ(run["container"]["args"], json{"--no-rate"});
  EXPECT_EQ(output(run, "kfp-executor-output")["path"], "/kfp/outputs/executor_output.json");
  EXPECT_THAT(output(make, "text")["expression"].get<std::string>(),
              AllOf(HasSubstr("\"text\" in given ? string(given[\"text\"])"),
                    HasSubstr("tasks['run'].outputs.parameters['text']")));
  // Given a rate, the same component is another template.
  const json with_rate =
      the_template(workflow, task(workflow, "every-feature", "t1-make-with-rate")["template"]);
  EXPECT_EQ(the_template(workflow, with_rate["dag"]["tasks"][0]["template"])["container"]["args"],
            (json{"--rate", "{{inputs.parameters.rate}}"}));
}

TEST_F(Argo, ArgumentsAreTheInputsOfThePipeline) {
  ArgoOptions options = kVolume;
  options.parameters = {{"text", "from the options {{x}}"}, {"absent", "here"}};
  const json workflow = compile(spec(), options);
  EXPECT_EQ(workflow["spec"]["arguments"]["parameters"],
            (json{{{"name", "absent"}, {"value", "here"}},
                  {{"name", "text"}, {"value", "{{=\"from the options \\u007b\\u007bx\\u007d\\u007d\"}}"}},
                  {{"name", "uri"}, {"value", "/models/1"}}}));
  EXPECT_EQ(workflow["metadata"], (json{{"generateName", "every-feature-"}}));
  options.parameters = {{"texd", "x"}};
  EXPECT_THAT([&] { compile(spec(), options); },
              ThrowsMessage<core::InputError>(
                  AllOf(HasSubstr("no input \"texd\""), HasSubstr("did you mean text?"))));
  options.parameters = {{"text", 5}};
  EXPECT_THAT([&] { compile(spec(), options); },
              ThrowsMessage<core::InputError>(HasSubstr("5 is not of type STRING")));
}

TEST_F(Argo, ATicketIsCopiedForTheUserOfTheProgram) {
  ArgoOptions options = kVolume;
  options.kerberos.emplace();
  EXPECT_THAT(core::read_file(CALOPIPE_SOURCE_DIR "/deploy/image/pack.py"),
              HasSubstr(R"("User": "1000:1000")"));  // the default must fit calopipe's images
  const json use = the_template(compile(spec(), options), "use");
  const json init = named(use["initContainers"], "kerberos-ticket");
  EXPECT_EQ(init["command"],
            (json{"install", "-m", "600", "/secret/krb-secret-vol/krb5cc_1000", "/kfp/ticket/krb5cc"}));
  EXPECT_EQ(init["securityContext"], (json{{"runAsUser", 1000}}));
  EXPECT_EQ(named(use["volumes"], "krb-ticket")["emptyDir"], (json{{"medium", "Memory"}}));
  EXPECT_THAT(use["container"]["volumeMounts"],
              testing::Contains(
                  json{{"name", "krb-ticket"}, {"mountPath", "/tmp/krb5cc_1000"}, {"subPath", "krb5cc"}}));
  EXPECT_THAT(use["container"]["env"],
              testing::Contains(json{{"name", "KRB5CCNAME"}, {"value", "FILE:/tmp/krb5cc_1000"}}));
}

TEST_F(Argo, ASidecarKeepsTheTicketInAFolderThatBothSee) {
  ArgoOptions options = kVolume;
  options.kerberos = {.uid = 1000, .renew_image = "calopipe:1"};
  const json use = the_template(compile(spec(), options), "use");
  const json keep = named(use["sidecars"], "kerberos-keep");
  EXPECT_EQ(keep["image"], "calopipe:1");
  EXPECT_EQ(keep["command"], (json{"calopipe", "kerberos", "keep", "--from",
                                   "/secret/krb-secret-vol/krb5cc_1000", "--cache", "/kfp/ticket/krb5cc"}));
  const json mount = {{"name", "krb-ticket"}, {"mountPath", "/kfp/ticket"}};
  EXPECT_THAT(keep["volumeMounts"], testing::Contains(mount));
  EXPECT_THAT(use["container"]["volumeMounts"], testing::Contains(mount));
  EXPECT_THAT(use["container"]["env"],
              testing::Contains(json{{"name", "KRB5CCNAME"}, {"value", "FILE:/kfp/ticket/krb5cc"}}));
  options.kerberos->ticket_path = "/run/mine/cache";
  const json other = the_template(compile(spec(), options), "use");
  EXPECT_THAT(other["container"]["volumeMounts"],
              testing::Contains(json{{"name", "krb-ticket"}, {"mountPath", "/run/mine"}}));
  EXPECT_EQ(named(other["initContainers"], "kerberos-ticket")["command"][4], "/kfp/ticket/cache");
}

TEST_F(Argo, ProgramAndSidecarSeeTheConfigurationOfKerberos) {
  ArgoOptions options = kVolume;
  options.kerberos = {.krb5_config_map = "krb5"};
  const json mount = {{"name", "krb5"}, {"mountPath", "/kfp/krb5"}, {"readOnly", true}};
  const json variable = {{"name", "KRB5_CONFIG"}, {"value", "/kfp/krb5/krb5.conf"}};
  const json alone = the_template(compile(spec(), options), "use");
  EXPECT_THAT(alone["volumes"], testing::Contains(json{{"name", "krb5"}, {"configMap", {{"name", "krb5"}}}}));
  EXPECT_FALSE(alone.contains("sidecars"));
  options.kerberos->renew_image = "calopipe:1";
  const json kept = the_template(compile(spec(), options), "use");
  for (const json& container :
       {alone["container"], kept["container"], named(kept["sidecars"], "kerberos-keep")}) {
    EXPECT_THAT(container["volumeMounts"], testing::Contains(mount));
    EXPECT_THAT(container["env"], testing::Contains(variable));
  }
}

TEST_F(Argo, ARenewedTicketNeedsAFolderOfItsOwn) {
  ArgoOptions options = kVolume;
  for (const char* path : {"/krb5cc", "/tmp/krb5cc"}) {
    options.kerberos = {.ticket_path = path, .renew_image = "calopipe:1"};
    EXPECT_THAT([&] { compile(spec(), options); },
                ThrowsMessage<core::InputError>(HasSubstr("kerberos.ticket_path")));
  }
}

TEST_F(Argo, WhatArgoCannotDoIsNamed) {
  const std::string executors = "/deploymentSpec/executors";
  const std::string tasks = "/root/dag/tasks";
  const std::pair<json, const char*> wrong[] = {
      {with(executors + "/exec-import/importer/metadata", {{"a", "b"}}),
       "import: plain Argo Workflows do not support this: an "
       "importer with metadata"},
      {with(executors + "/exec-import/importer/downloadToWorkspace", true), "import: "},
      {with(executors + "/exec-say/container/lifecycle", {{"preCacheCheck", {{"command", {"x"}}}}}),
       "lifecycle"},
      {with(executors + "/exec-use/container/args/1", "{{$.inputs.artifacts['data'].metadata['a']}}"),
       "artifacts have no metadata"},
      {with(executors + "/exec-say/container/args/1", "{{$.unknown}}"), "the placeholder {{$.unknown}}"},
      {with(executors + "/exec-make/container/args/0", "{{$.inputs.parameters['rate']}}"),
       "make: plain Argo Workflows do not support this: {{$.inputs.parameters['rate']}} of an optional "
       "input"},
      {with(tasks + "/import/triggerPolicy", {{"condition", "inputs.parameter_values['uri'] == ''"}}),
       "an importer with a condition"},
      {with(tasks + "/say-words/triggerPolicy/condition", "'a' < 3"),
       "say-words: plain Argo Workflows do not support this: the condition"},
      {with(tasks + "/say-words/triggerPolicy/condition", "size('x') == 1"), "\"size\" is unknown"},
      {with("/components/comp-exit-handler-1/dag/tasks/say/retryPolicy/backoffFactor", 1.5),
       "a backoff factor of 1.5"},
      {with(tasks + "/scan/parameterIterator/items/raw", "[\"{{x}}\"]"), "in an item of a loop"},
      {with("/components/comp-make/outputDefinitions/artifacts/data/isArtifactList", true),
       "a list of artifacts"},
  };
  for (const auto& [spec, message] : wrong)
    EXPECT_THAT([&spec = spec] { compile(spec); }, ThrowsMessage<core::InputError>(HasSubstr(message)))
        << message;
  EXPECT_THAT([] { compile(spec(), ArgoOptions{}); },
              ThrowsMessage<core::InputError>(HasSubstr("without a store")));
  EXPECT_THAT([] { compile(with("/root/dag/tasks/make/componentRef/name", "comp-none")); },
              ThrowsMessage<core::InputError>(HasSubstr("root.dag.tasks.make.componentRef")));
}

TEST(ArgoSettings, BecomeFieldsOfTheTemplate) {
  const json workflow =
      kfp::argo::compile(kfp::ir::read_pipeline(test::argo_source("settings.yaml")), kVolume);
  std::map<std::string, json> templates;
  for (const json& one : workflow["spec"]["templates"]) templates[one["name"].get<std::string>()] = one;
  const json& train = templates.at("train");
  EXPECT_EQ(train["container"]["resources"],
            (json{{"limits", {{"cpu", "2"}, {"memory", "4Gi"}, {"nvidia.com/gpu", "1"}}},
                  {"claims", {{{"name", "claim-0"}}}}}));
  EXPECT_EQ(train["podSpecPatch"],
            "{\"containers\":[{\"name\":\"main\",\"resources\":{\"requests\":{\"cpu\":"
            "\"{{inputs.parameters.kfp-setting-0}}\"}}}],\"imagePullSecrets\":[{\"name\":"
            "\"{{inputs.parameters.kfp-setting-2}}\"}],\"resourceClaims\":[{\"name\":\"claim-0\","
            "\"resourceClaimTemplateName\":\"gpu\"}]}");
  EXPECT_EQ(train["activeDeadlineSeconds"], "20");
  EXPECT_EQ(train["nodeSelector"], (json{{"disk", "ssd"}}));
  EXPECT_EQ(train["tolerations"].size(), 2u);
  EXPECT_EQ(train["container"]["securityContext"],
            (json{{"runAsUser", 1000}, {"runAsGroup", 1000}, {"runAsNonRoot", true}}));
  EXPECT_EQ(train["container"]["imagePullPolicy"], "Always");
  EXPECT_EQ(train["metadata"], (json{{"annotations", {{"note", "x"}}}, {"labels", {{"mount-eos", "true"}}}}));
  EXPECT_TRUE(train["affinity"].contains("podAntiAffinity"));
  EXPECT_EQ(templates.at("place")["podSpecPatch"],
            "{\"affinity\":{\"nodeAffinity\":{{inputs.parameters.kfp-setting-2}}},\"nodeSelector\":"
            "{{inputs.parameters.kfp-setting-0}},\"tolerations\":{{=hasPrefix(trim(inputs.parameters["
            "'kfp-setting-1']), \"[\") ? inputs.parameters['kfp-setting-1'] : \"[\" + "
            "inputs.parameters['kfp-setting-1'] + \"]\"}}}");
  const json& create = templates.at("createpvc")["resource"];
  EXPECT_EQ(create["action"], "create");
  EXPECT_THAT(create["manifest"].get<std::string>(),
              HasSubstr("\"accessModes\":{{inputs.parameters.access_modes}}"));
  EXPECT_EQ(templates.at("deletepvc")["resource"]["action"], "delete");
  EXPECT_EQ(workflow["spec"]["activeDeadlineSeconds"], 3600);
  EXPECT_EQ(workflow["spec"]["ttlStrategy"]["secondsAfterCompletion"], 86400);
  EXPECT_EQ(workflow["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"], "fast");
}

// Placeholders in constants: the tags and expressions by which Argo gives the containers what KFP's launcher
// does.
class ArgoConstants : public Argo {
 protected:
  // A pipeline with a task `say` whose input `text` is this constant, beside n (integer), x (text), and b,
  // the output of a task.
  static json spec_of(const json& value, const std::string& type = "STRING") {
    json spec = json::parse(R"({
      "pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0",
      "components": {
        "comp-say": {"executorLabel": "exec-say", "inputDefinitions": {"parameters": {"text": {}}}},
        "comp-make": {"executorLabel": "exec-make",
                      "outputDefinitions": {"parameters": {"b": {"parameterType": "BOOLEAN"}}}}},
      "deploymentSpec": {"executors": {
        "exec-say": {"container": {"image": "i@sha256:0", "command": ["echo", "{{$.inputs.parameters['text']}}"]}},
        "exec-make": {"container": {"image": "i@sha256:0",
                                    "command": ["make", "{{$.outputs.parameters['b'].output_file}}"]}}}},
      "root": {"inputDefinitions": {"parameters": {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 20.0},
                                                   "x": {"parameterType": "STRING", "defaultValue": "t"}}},
               "dag": {"tasks": {
                 "make": {"componentRef": {"name": "comp-make"}},
                 "say": {"componentRef": {"name": "comp-say"}, "dependentTasks": ["make"], "inputs": {"parameters": {
                   "pipelinechannel--n": {"componentInputParameter": "n"},
                   "pipelinechannel--x": {"componentInputParameter": "x"},
                   "pipelinechannel--b": {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "b"}}}}}}}}})");
    spec["components"]["comp-say"]["inputDefinitions"]["parameters"]["text"]["parameterType"] = type;
    spec["root"]["dag"]["tasks"]["say"]["inputs"]["parameters"]["text"]["runtimeValue"]["constant"] = value;
    return spec;
  }

  // What the task passes as `text`.
  static std::string passed(const json& value, const std::string& type = "STRING") {
    const json workflow = compile(spec_of(value, type));
    for (const json& used : workflow["spec"]["templates"])
      if (used.contains("dag"))
        return named(named(used["dag"]["tasks"], "say")["arguments"]["parameters"], "text")["value"];
    ADD_FAILURE();
    return "";
  }
};

TEST_F(ArgoConstants, InTexts) {
  EXPECT_EQ(passed("x is {{$.inputs.parameters['pipelinechannel--x']}}!"), "x is {{inputs.parameters.x}}!");
  EXPECT_EQ(passed("n >= {{$.inputs.parameters['pipelinechannel--n']}}"),
            "n >= {{=toJson(float(trim(inputs.parameters['n'])))}}");
  EXPECT_EQ(passed("{{$.inputs.parameters['pipelinechannel--b']}}"),
            "{{=toJson((lower(trim(tasks['make'].outputs.parameters['b'])) == \"true\"))}}");
  EXPECT_EQ(passed("{{ {{$.inputs.parameters['pipelinechannel--x']}}"),
            "{{=\"\\u007b\\u007b \"}}{{inputs.parameters.x}}");
}

TEST_F(ArgoConstants, InListsAndStructs) {
  EXPECT_EQ(passed(json::array({"<{{$.inputs.parameters['pipelinechannel--x']}}>", 2.0}), "LIST"),
            "[\"<{{=toJson(inputs.parameters['x'])[1:-1]}}>\",2]");
  EXPECT_EQ(passed({{"k", {{"d", "{{$.inputs.parameters['pipelinechannel--n']}}"}}}}, "STRUCT"),
            "{\"k\":{\"d\":\"{{=toJson(toJson(float(trim(inputs.parameters['n']))))[1:-1]}}\"}}");
}

TEST_F(ArgoConstants, WhatCannotBeSaidIsRefused) {
  const auto refusal = [](const json& spec) -> std::string {
    try {
      compile(spec);
    } catch (const core::InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal(spec_of("{{$.inputs.parameters['no']}}")), HasSubstr("does not pass"));
  EXPECT_THAT(refusal(spec_of("{{$.inputs.parameters['pipelinechannel--x']['k']}}")), HasSubstr("['k']"));
  EXPECT_THAT(refusal(spec_of("{{channel:task=;name=n;type=Integer;}}")), HasSubstr("left unresolved"));
  json looped = spec_of("a");
  looped["root"]["dag"]["tasks"]["say"]["parameterIterator"] = {
      {"itemInput", "text"}, {"items", {{"raw", "[\"{{$.inputs.parameters['pipelinechannel--x']}}\"]"}}}};
  EXPECT_THAT(refusal(looped), HasSubstr("in an item of a loop"));
  json itself = spec_of("{{$.inputs.parameters['pipelinechannel--n']}}");
  itself["root"]["dag"]["tasks"]["say"]["inputs"]["parameters"]["pipelinechannel--n"] = {
      {"runtimeValue", {{"constant", "{{$.inputs.parameters['pipelinechannel--n']}}"}}}};
  EXPECT_THAT(refusal(itself), HasSubstr("refers to itself"));
}

// The image's own program runs: Argo looks it up.
TEST_F(ArgoConstants, ContainersWithoutACommand) {
  json spec = spec_of("a");
  json& container = spec["deploymentSpec"]["executors"]["exec-say"]["container"];
  container.erase("command");
  container["args"] = {"{{$.inputs.parameters['text']}}"};
  const json workflow = compile(spec);
  EXPECT_THAT(workflow.dump(), HasSubstr("\"args\":[\"{{inputs.parameters.text}}\"]"));
}

}  // namespace
