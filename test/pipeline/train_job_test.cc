#include "pipeline/train_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/staged_output.h"
#include "pipeline/components.h"
#include "pipeline/pipelines.h"
#include "support/temp_folder.h"

// Trainings by several pods, as objects of Kubeflow's Trainer. test/cluster/trainer_test.py runs one.
namespace {

using nlohmann::json;
using pipeline::TrainJobOptions;
using testing::Contains;
using testing::HasSubstr;
using testing::ThrowsMessage;

class TrainJob : public testing::Test {
 protected:
  TrainJob() { pipeline::register_components(registry_); }

  std::vector<json> objects(TrainJobOptions options) {
    if (options.arguments.empty())
      options.arguments = {"--prepared", "/store/prepared", "--out", "/store/trained"};
    return pipeline::train_job_objects(registry_, options);
  }
  // The pod of a site with this text.
  json pod(const std::string& site) {
    const std::filesystem::path file = folder_ / "site.yaml";
    core::write_file(file, site);
    return replicated(objects({.site = file}))["template"]["spec"]["template"];
  }
  static json replicated(const std::vector<json>& objects) {
    return objects.at(0).at("spec").at("template").at("spec").at("replicatedJobs").at(0);
  }

  test::TempFolder folder_;
  kfp::Registry registry_;
};

TEST_F(TrainJob, IsARuntimeAndAJobThatUsesIt) {
  const std::vector<json> made = objects({.name = "mine", .nodes = 4, .processes = 2});
  ASSERT_EQ(made.size(), 2);
  EXPECT_EQ(made[0]["kind"], "TrainingRuntime");
  EXPECT_EQ(made[0]["spec"]["mlPolicy"], (json{{"numNodes", 4}, {"torch", {{"numProcPerNode", 2}}}}));
  EXPECT_EQ(replicated(made)["name"], "node");
  EXPECT_EQ(replicated(made)["template"]["metadata"]["labels"]["trainer.kubeflow.org/trainjob-ancestor-step"],
            "trainer");
  EXPECT_EQ(made[1]["spec"]["runtimeRef"],
            (json{{"apiGroup", "trainer.kubeflow.org"}, {"kind", "TrainingRuntime"}, {"name", "mine"}}));
  EXPECT_EQ(made[1]["spec"]["trainer"], (json{{"numNodes", 4}, {"numProcPerNode", 2}}));
  const json container = replicated(made)["template"]["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["name"], "node");
  EXPECT_EQ(container["image"], pipeline::default_image());
  EXPECT_EQ(container["command"], (json{"calopipe", "train"}));
  EXPECT_EQ(container["args"], (json{"--prepared", "/store/prepared", "--out", "/store/trained"}));
}

TEST_F(TrainJob, HasTheSettingsOfTheSiteForTrain) {
  const json made = pod(R"(
image: site/image:1
defaults:
  env: {A: b}
  kubernetes:
    pvcMount: [{constant: store, mountPath: /store}]
    podMetadata: {labels: {mount-eos: "true"}}
    tolerations: [{key: gpu, operator: Exists}]
    imagePullSecret: [{secretName: pull}]
components:
  train: {image: site/train:1, resources: {cpu_request: 4, memory_limit: 16Gi}}
  generate: {env: {C: d}}
argo:
  volume: {claim: artifacts}
  host_volumes: [{host_path: /var/eos, mount_path: /eos}]
  kerberos: {secret: ticket, renew_image: site/image:1}
)");
  EXPECT_EQ(made["metadata"]["labels"]["mount-eos"], "true");
  const json& spec = made["spec"];
  const json& container = spec["containers"][0];
  EXPECT_EQ(container["image"], "site/train:1");
  EXPECT_EQ(container["resources"], (json{{"requests", {{"cpu", "4"}}}, {"limits", {{"memory", "16Gi"}}}}));
  EXPECT_THAT(container["env"], Contains(json{{"name", "A"}, {"value", "b"}}));
  EXPECT_THAT(container["env"],
              Not(Contains(testing::Truly([](const json& one) { return one["name"] == "C"; }))));
  EXPECT_THAT(container["volumeMounts"], Contains(json{{"name", "site-host-0"}, {"mountPath", "/eos"}}));
  EXPECT_EQ(spec["tolerations"], (json{{{"key", "gpu"}, {"operator", "Exists"}}}));
  EXPECT_EQ(spec["imagePullSecrets"], (json{{{"name", "pull"}}}));
  EXPECT_THAT(spec["volumes"].dump(),
              AllOf(HasSubstr(R"("claimName":"store")"), HasSubstr("ticket"), Not(HasSubstr("artifacts"))));
  EXPECT_FALSE(spec.contains("sidecars"));
  // Nothing is left that only Argo would fill in.
  EXPECT_THAT(made.dump(), AllOf(Not(HasSubstr("{{")), Not(HasSubstr("kfp-"))));
}

TEST_F(TrainJob, MistakesAreNamed) {
  const auto refuses = [&](const TrainJobOptions& options, const char* words) {
    EXPECT_THAT([&] { objects(options); }, ThrowsMessage<core::Error>(HasSubstr(words))) << words;
  };
  refuses({.name = "Not-A-Name"}, "is not a name for Kubernetes");
  refuses({.nodes = 0}, "--nodes: must be at least 1");
  refuses({.processes = 0}, "--processes: must be at least 1");
  refuses({.arguments = {"--prepared", "/p", "--outt", "/o"}}, "did you mean --out");
  refuses({.arguments = {"--prepared", "/p"}}, "needs a path");
  refuses({.arguments = {"--prepared", "/p", "--out", "/o", "--epochs", "x"}}, "expected an integer");
  refuses({.site = folder_ / "missing.yaml"}, "missing.yaml");
}

}  // namespace
