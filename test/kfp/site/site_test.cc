#include "kfp/site/site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/ir/quantity.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/yaml.h"
#include "support/temp_folder.h"

namespace {

using nlohmann::json;
using testing::HasSubstr;

const char* const kPipeline = R"(
components:
  comp-other: {executorLabel: exec-other}
  comp-train: {executorLabel: exec-train}
  comp-train-2: {executorLabel: exec-train-2}
deploymentSpec:
  executors:
    exec-other: {container: {image: "alpine:3"}}
    exec-train: {container: {image: own, env: [{name: A, value: old}]}}
    exec-train-2: {container: {image: own}}
pipelineInfo: {name: p}
root:
  dag:
    tasks:
      other: {componentRef: {name: comp-other}, cachingOptions: {enableCache: true}}
      train: {componentRef: {name: comp-train}, cachingOptions: {enableCache: true}}
      train-2: {componentRef: {name: comp-train-2}, cachingOptions: {enableCache: true}}
schemaVersion: 2.1.0
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-train:
          podMetadata: {labels: {own: "1", team: a}}
          tolerations: [{key: k, operator: Exists}]
)";

json laid_over(const std::string& site, const std::string& pipeline = kPipeline) {
  kfp::ir::Pipeline parsed = kfp::ir::parse_pipeline(pipeline);
  kfp::Site::from_json(kfp::parse_yaml(site).at(0)).apply(parsed, "own");
  EXPECT_FALSE(kfp::ir::has_errors(kfp::ir::validate(parsed)));
  json result = {{"spec", kfp::ir::to_json(parsed.spec)}};
  if (parsed.platform)
    result["platform"] = kfp::ir::to_json(*parsed.platform).at("platforms").at("kubernetes");
  return result;
}

json executor(const json& result, const char* label) {
  return result.at("spec").at("deploymentSpec").at("executors").at(label).at("container");
}

json kubernetes(const json& result, const char* label) {
  return result.at("platform").at("deploymentSpec").at("executors").at(label);
}

TEST(Site, IsLaidOverTheProgramsOwnComponents) {
  const json result = laid_over(R"(
image: registry/own@sha256:1
pipeline_root: s3://bucket/root
defaults:
  env: {A: new, B: 2}
  image_pull_secrets: [pull]
  kubernetes:
    podMetadata: {labels: {team: b}}
    tolerations: [{key: t, operator: Exists}]
  cache: false
components:
  train:
    resources: {cpu_limit: 500m, cpu_request: 2, memory_limit: 4Gi, accelerator: {type: nvidia.com/gpu, count: 2}}
    retry: {count: 3, backoff_s: 10}
pipeline: {activeDeadlineSeconds: 60}
)");
  EXPECT_EQ(executor(result, "exec-other"), (json{{"image", "alpine:3"}}));
  for (const char* label : {"exec-train", "exec-train-2"}) {
    const json container = executor(result, label);
    EXPECT_EQ(container.at("image"), "registry/own@sha256:1");
    EXPECT_EQ(container.at("env"),
              (json{{{"name", "A"}, {"value", "new"}}, {{"name", "B"}, {"value", "2"}}}));
    EXPECT_EQ(container.at("resources"), (json{{"cpuLimit", 0.5},
                                               {"resourceCpuLimit", "500m"},
                                               {"cpuRequest", 2.0},
                                               {"resourceCpuRequest", "2"},
                                               {"memoryLimit", 4.294967296},
                                               {"resourceMemoryLimit", "4Gi"},
                                               {"accelerator",
                                                {{"type", "nvidia.com/gpu"},
                                                 {"count", "2"},
                                                 {"resourceType", "nvidia.com/gpu"},
                                                 {"resourceCount", "2"}}}}));
    EXPECT_EQ(kubernetes(result, label).at("imagePullSecret"),
              (json{{{"secretName", "pull"},
                     {"secretNameParameter", {{"runtimeValue", {{"constant", "pull"}}}}}}}));
  }
  EXPECT_EQ(kubernetes(result, "exec-train").at("podMetadata").at("labels"),
            (json{{"own", "1"}, {"team", "b"}}));
  EXPECT_EQ(kubernetes(result, "exec-train").at("tolerations").size(), 2u);
  EXPECT_FALSE(result.at("platform").at("deploymentSpec").at("executors").contains("exec-other"));
  EXPECT_EQ(result.at("platform").at("pipelineConfig").at("activeDeadlineSeconds"), 60);
  EXPECT_EQ(result.at("spec").at("defaultPipelineRoot"), "s3://bucket/root");
  const json tasks = result.at("spec").at("root").at("dag").at("tasks");
  EXPECT_EQ(tasks.at("other").at("cachingOptions"), (json{{"enableCache", true}}));
  EXPECT_FALSE(tasks.at("train").value("cachingOptions", json::object()).contains("enableCache"));
  EXPECT_EQ(tasks.at("train").at("retryPolicy"), (json{{"maxRetryCount", 3},
                                                       {"backoffDuration", "10s"},
                                                       {"backoffFactor", 2.0},
                                                       {"backoffMaxDuration", "3600s"}}));
}

TEST(Site, WithNothingSetChangesNothing) {
  kfp::ir::Pipeline parsed = kfp::ir::parse_pipeline(kPipeline);
  const std::string before = kfp::ir::to_yaml(parsed);
  kfp::Site().apply(parsed, "own");
  kfp::Site::from_json({}).apply(parsed, "own");
  EXPECT_EQ(kfp::ir::to_yaml(parsed), before);
}

TEST(Site, CompletesNamesForTheBackend) {
  const json result = laid_over(R"(
defaults:
  kubernetes:
    secretAsVolume: [{secretName: krb-secret, mountPath: /secret/krb-secret-vol}]
    pvcMount: [{constant: data, mountPath: /data}]
    configMapAsEnv: [{configMapName: m, keyToEnv: [{configMapKey: k, envVar: E}]}]
)");
  const json set = kubernetes(result, "exec-train-2");
  EXPECT_EQ(set.at("secretAsVolume").at(0).at("secretNameParameter").at("runtimeValue").at("constant"),
            "krb-secret");
  EXPECT_EQ(set.at("pvcMount").at(0).at("pvcNameParameter").at("runtimeValue").at("constant"), "data");
  EXPECT_EQ(set.at("configMapAsEnv").at(0).at("configMapNameParameter").at("runtimeValue").at("constant"),
            "m");
}

TEST(Site, RefusesNonsenseNamingFileAndField) {
  const test::TempFolder folder;
  const auto refused = [&](const std::string& text) -> std::string {
    core::write_file(folder / "site.yaml", text);
    try {
      kfp::Site::read(folder / "site.yaml", {"train", "generate"});
    } catch (const core::InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("site.yaml"));
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refused("imgae: x\n"), HasSubstr("did you mean image"));
  EXPECT_THAT(refused("components: {trian: {}}\n"),
              HasSubstr("components: has an unknown field \"trian\" (did you mean train?)"));
  EXPECT_THAT(refused("components: {train: {resources: {cpu_limit: lots}}}\n"),
              HasSubstr("components.train.resources.cpu_limit: cannot be \"lots\""));
  EXPECT_THAT(refused("components: {train: {resources: {memory_limit: 4GiB}}}\n"), HasSubstr("4Gi"));
  EXPECT_THAT(refused("components: {train: {resources: {gpu: 1}}}\n"), HasSubstr("accelerator"));
  EXPECT_THAT(refused("defaults: {resources: {accelerator: {type: x, count: 0}}}\n"), HasSubstr("count"));
  EXPECT_THAT(refused("defaults: {kubernetes: {podMetadata: {lables: {}}}}\n"),
              HasSubstr("defaults.kubernetes.podMetadata"));
  EXPECT_THAT(refused("defaults: {env: [A]}\n"),
              HasSubstr("defaults.env: cannot be [\"A\"]: expected a mapping"));
  EXPECT_THAT(refused("defaults: {cache: 1}\n"), HasSubstr("defaults.cache"));
  EXPECT_THAT(refused("defaults: {retry: {count: -1}}\n"), HasSubstr("defaults.retry.count"));
  EXPECT_THAT(refused("pipeline: {workspace: 3}\n"), HasSubstr("pipeline.workspace"));
  EXPECT_THAT(refused("- a\n"), HasSubstr("expected a mapping"));
}

TEST(Site, ShippedFilesAreRead) {
  for (const char* name : {"cern.yaml", "local.yaml"})
    EXPECT_NO_THROW(kfp::Site::read(std::filesystem::path(CALOPIPE_SOURCE_DIR) / "deploy/sites" / name))
        << name;
}

TEST(Quantity, FollowsKubernetes) {
  EXPECT_EQ(kfp::ir::cpu_cores("2"), 2);
  EXPECT_EQ(kfp::ir::cpu_cores("500m"), 0.5);
  EXPECT_EQ(kfp::ir::cpu_cores("0.25"), 0.25);
  for (const char* none : {"", "m", "-1", "1e3", "2x", "nan", " 1"})
    EXPECT_EQ(kfp::ir::cpu_cores(none), std::nullopt);
  EXPECT_EQ(kfp::ir::memory_bytes("1000"), 1000);
  EXPECT_EQ(kfp::ir::memory_bytes("4Gi"), 4294967296.0);
  EXPECT_EQ(kfp::ir::memory_bytes("500M"), 5e8);
  EXPECT_EQ(kfp::ir::memory_bytes("2Ki"), 2048);
  for (const char* none : {"", "Gi", "4GiB", "4 Gi", "-4Gi", "4gi", "inf"})
    EXPECT_EQ(kfp::ir::memory_bytes(none), std::nullopt) << none;
}

json setup_site() {
  return kfp::parse_yaml(R"(
image: registry/calopipe:1
pipeline: {activeDeadlineSeconds: 600}
defaults:
  image_pull_secrets: [registry]
  kubernetes:
    pvcMount: [{constant: data, mountPath: /data}]
components:
  train:
    kubernetes:
      secretAsEnv: [{secretName: keys, keyToEnv: [{secretKey: a, envVar: A}]}]
      configMapAsVolume: [{configMapName: maybe, mountPath: /m, optional: true}, {configMapName: map, mountPath: /n}]
argo:
  service_account: runner
  kerberos: {secret: my-ticket, key: cc}
  volume: {claim: data}
)")
      .front();
}

std::vector<std::string> names(const std::vector<kfp::NeededObject>& objects) {
  std::vector<std::string> all;
  for (const auto& object : objects) all.push_back(object.kind + " " + object.name);
  return all;
}

TEST(SiteSetup, NamesWhatPodsNeedOnceAndWithoutOptionalOnes) {
  const kfp::Site site = kfp::Site::from_json(setup_site());
  EXPECT_THAT(names(site.needed_objects()),
              testing::ElementsAre("ConfigMap map", "PersistentVolumeClaim data", "Secret keys",
                                   "Secret my-ticket", "Secret registry", "ServiceAccount runner"));
  EXPECT_EQ(site.run_limit_s(), 600);
}

TEST(SiteSetup, TicketIsThatOfArgoUnlessSetupSaysMore) {
  json values = setup_site();
  EXPECT_EQ(kfp::Site::from_json(values).kerberos().secret, "my-ticket");
  EXPECT_EQ(kfp::Site::from_json(values).kerberos().key, "cc");
  values["setup"] = {{"kerberos", {{"secret", "other"}}}};
  EXPECT_EQ(kfp::Site::from_json(values).kerberos().secret, "other");
  EXPECT_EQ(kfp::Site().kerberos().secret, "krb-secret");
}

TEST(SiteSetup, WithoutASectionMakesNothing) {
  EXPECT_TRUE(kfp::Site::from_json(setup_site()).setup_objects().empty());
}

TEST(SiteSetup, TwoObjectsOfOneNameAreRefused) {
  json values = setup_site();
  values["setup"] = {{"service_accounts", {{"a", {{"roles", {"b"}}, {"cluster_roles", {"b"}}}}}}};
  try {
    kfp::Site::from_json(values, "site.yaml").setup_objects();
    FAIL() << "no error";
  } catch (const core::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("two objects RoleBinding a-b"));
  }
}

}  // namespace
