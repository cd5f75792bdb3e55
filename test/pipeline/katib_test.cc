#include "pipeline/katib.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/staged_output.h"
#include "pipeline/components.h"
#include "support/temp_folder.h"

// Studies as Experiments of Katib. test/cluster/katib_test.py runs them.
namespace {

using nlohmann::json;
using pipeline::KatibOptions;
using pipeline::StudyDefinition;
using testing::HasSubstr;
using testing::ThrowsMessage;
using tune::Dimension;
using tune::TrialState;

class Katib : public testing::Test {
 protected:
  Katib() { pipeline::register_components(registry_); }

  static StudyDefinition study() {
    StudyDefinition study;
    study.space = tune::Space(
        {{.name = "model-parameters.lr", .low = 1e-4, .high = 0.1, .log = true},
         {.name = "model-parameters.optimizer",
          .kind = Dimension::Kind::kCategorical,
          .choices = {"adam", "sgd"}},
         {.name = "model-parameters.weight_decay",
          .low = 1e-6,
          .high = 1e-2,
          .condition = Dimension::Condition{.parameter = "model-parameters.optimizer", .values = {"adam"}}},
         {.name = "model-parameters.epochs",
          .kind = Dimension::Kind::kInteger,
          .low = 4,
          .high = 32,
          .step = 4}});
    study.objectives = tune::Objectives({{.value = "training.json:validation_loss"}});
    return study;
  }
  json experiment(const StudyDefinition& study, KatibOptions options = {}) {
    options.name = "My study";
    return pipeline::katib_experiment(registry_, study, options);
  }
  static json container(const json& experiment) {
    return experiment.at("/spec/trialTemplate/trialSpec/spec/template/spec/containers/0"_json_pointer);
  }
  static std::string variable(const json& container, const std::string& name) {
    for (const json& one : container.at("env"))
      if (one["name"] == name) return one["value"].get<std::string>();
    return "none";
  }

  test::TempFolder folder_;
  kfp::Registry registry_;
};

TEST_F(Katib, TrialsReportTheirObjective) {
  const json made = experiment(study(), {.trials = 6, .parallel = 2, .max_failures = 3});
  EXPECT_EQ(made["metadata"]["name"], "my-study");
  EXPECT_EQ(made["spec"]["maxTrialCount"], 6);
  EXPECT_EQ(made["spec"]["parallelTrialCount"], 2);
  EXPECT_EQ(made["spec"]["maxFailedTrialCount"], 3);
  EXPECT_EQ(made["spec"]["metricsCollectorSpec"]["collector"]["kind"], "Push");
  EXPECT_EQ(made["spec"]["parameters"][3],
            (json{{"name", "model-parameters-epochs"},
                  {"parameterType", "int"},
                  {"feasibleSpace", {{"min", "4"}, {"max", "32"}, {"step", "4"}}}}));
  const json trial = container(made);
  EXPECT_EQ(trial["command"][2], "trial");
  EXPECT_EQ(variable(trial, "CALOPIPE_KATIB_DATABASE"), "katib-db-manager.kubeflow:6789");
  EXPECT_EQ(StudyDefinition::from_json(json::parse(variable(trial, "CALOPIPE_TRIAL_STUDY"))).space.size(), 4);
  EXPECT_EQ(json::parse(variable(trial, "CALOPIPE_TRIAL_VALUES"))["model-parameters.lr"],
            "${trialParameters.model-parameters-lr}");
}

TEST_F(Katib, TrialsHaveTheSettingsOfASite) {
  const std::filesystem::path site = folder_ / "site.yaml";
  core::write_file(site, R"(
image: registry.example.org/calopipe:1
components: {train: {resources: {cpu_limit: 4}}}
argo: {host_volumes: [{host_path: /eos, mount_path: /eos}]}
)");
  const json trial = container(experiment(study(), {.site = site}));
  EXPECT_EQ(trial["image"], "registry.example.org/calopipe:1");
  EXPECT_EQ(trial["resources"]["limits"]["cpu"], "4");
  EXPECT_EQ(trial["volumeMounts"][0]["mountPath"], "/eos");
  EXPECT_EQ(container(experiment(study(), {.image = "mine:2", .site = site}))["image"], "mine:2");
}

TEST_F(Katib, EarlyStoppingReadsTheEpochsWithAShell) {
  StudyDefinition stopping = study();
  stopping.early_stopping = {.kind = "median", .first_epoch = 2, .fewest_trials = 4};
  const json made = experiment(stopping, {.shell_image = "registry.example.org/busybox:1"});
  EXPECT_EQ(made["spec"]["metricsCollectorSpec"]["collector"]["kind"], "StdOut");
  EXPECT_EQ(made["spec"]["earlyStopping"], (json{{"algorithmName", "medianstop"},
                                                 {"algorithmSettings",
                                                  {{{"name", "min_trials_required"}, {"value", "4"}},
                                                   {{"name", "start_step"}, {"value", "2"}}}}}));
  const json pod = made.at("/spec/trialTemplate/trialSpec/spec/template/spec"_json_pointer);
  EXPECT_EQ(pod["initContainers"][0]["image"], "registry.example.org/busybox:1");
  EXPECT_EQ(pod["securityContext"]["runAsUser"], 1000);
  EXPECT_THAT(variable(pod["containers"][0], "PATH"),
              HasSubstr(pod["containers"][0]["volumeMounts"][0]["mountPath"].get<std::string>() + ":"));
}

TEST_F(Katib, RefusesWhatKatibLacks) {
  const auto refusal = [&](const StudyDefinition& study, const char* words) {
    EXPECT_THAT([&] { experiment(study); }, ThrowsMessage<core::UsageError>(HasSubstr(words)));
  };
  StudyDefinition two = study();
  two.objectives = tune::Objectives({{.value = "metrics.json:fpd"}, {.value = "metrics.json:kpd"}});
  refusal(two, "Pareto front");
  two.objectives = tune::Objectives(
      {{.value = "metrics.json:fpd", .weight = 1}, {.value = "metrics.json:kpd", .weight = 2}});
  EXPECT_EQ(experiment(two)["spec"]["objective"]["type"], "minimize");  // one sum
  two.early_stopping.kind = "median";
  refusal(two, "must be that of the epochs");
  StudyDefinition asha = study();
  asha.early_stopping.kind = "asha";
  refusal(asha, "has no asha");
  StudyDefinition repeated = study();
  repeated.repeats = 3;
  EXPECT_NO_THROW(experiment(repeated));
  repeated.early_stopping.kind = "median";
  refusal(repeated, "repeats");
}

TEST_F(Katib, ValuesFollowConditions) {
  json texts = {{"model-parameters.lr", "0.01"},
                {"model-parameters.optimizer", "sgd"},
                {"model-parameters.weight_decay", "1e-05"},
                {"model-parameters.epochs", "8"}};
  const auto values = [&] { return pipeline::katib_values(study().space, texts); };
  EXPECT_EQ(values(), (json{{"model-parameters.lr", 0.01},
                            {"model-parameters.optimizer", "sgd"},
                            {"model-parameters.epochs", 8}}));
  texts["model-parameters.optimizer"] = "adam";
  EXPECT_EQ(values()["model-parameters.weight_decay"], 1e-5);
  texts["model-parameters.lr"] = "${trialParameters.model-parameters-lr}";
  EXPECT_THAT(values, ThrowsMessage<core::InputError>(HasSubstr("model-parameters.lr")));
  texts["model-parameters.lr"] = "0.01";
  texts["model-parameters.optimizer"] = "adamw";
  EXPECT_THAT(values, ThrowsMessage<core::InputError>(HasSubstr("is no value of it")));
  texts.erase("model-parameters.optimizer");
  EXPECT_THAT(values, ThrowsMessage<core::InputError>(HasSubstr("has no value")));
}

json katib_trial(const char* name, const char* created, const char* condition, const json& metrics) {
  const json assignments = {{{"name", "model-parameters-lr"}, {"value", "0.01"}},
                            {{"name", "model-parameters-optimizer"}, {"value", "sgd"}},
                            {{"name", "model-parameters-weight-decay"}, {"value", "0.001"}},
                            {{"name", "model-parameters-epochs"}, {"value", "8"}}};
  return {{"metadata", {{"name", name}, {"creationTimestamp", created}}},
          {"spec", {{"parameterAssignments", assignments}}},
          {"status",
           {{"startTime", "2026-11-28T06:00:00Z"},
            {"conditions",
             {{{"type", "Running"}, {"status", "False"}, {"message", ""}},
              {{"type", condition}, {"status", "True"}, {"message", "as it is"}}}},
            {"observation", {{"metrics", metrics}}}}}};
}

TEST_F(Katib, ReadsTrials) {
  const json measured = {{{"name", "objective"}, {"latest", "0.25"}, {"min", "0.2"}}};
  const auto trials = pipeline::katib_trials(
      study(), {katib_trial("c", "2026-11-28T06:00:02Z", "MetricsUnavailable", json::array()),
                katib_trial("b", "2026-11-28T06:00:01Z", "Succeeded", measured),
                katib_trial("a", "2026-11-28T06:00:01Z", "EarlyStopped", measured),
                katib_trial("d", "2026-11-28T06:00:03Z", "Succeeded", json::array())});
  ASSERT_EQ(trials.size(), 4);
  EXPECT_EQ(trials[0].run, "a");
  EXPECT_EQ(trials[0].state, TrialState::kStopped);
  EXPECT_EQ(trials[1].state, TrialState::kDone);
  EXPECT_EQ(trials[1].values, std::vector<double>{0.25});
  EXPECT_EQ(trials[1].started_s, 1795845600);
  EXPECT_EQ(trials[1].parameters["model-parameters.epochs"], 8);
  EXPECT_EQ(trials[2].state, TrialState::kFailed);
  EXPECT_EQ(trials[2].error, "MetricsUnavailable: as it is");
  EXPECT_EQ(trials[3].state, TrialState::kRunning);  // its numbers are not there yet
  EXPECT_EQ(trials[3].number, 3);
}

TEST_F(Katib, ReadsTheState) {
  EXPECT_EQ(pipeline::katib_state(json::object()).type, "");
  const json experiment = {{"status",
                            {{"conditions",
                              {{{"type", "Created"}, {"status", "True"}},
                               {{"type", "Running"}, {"status", "False"}},
                               {{"type", "Succeeded"}, {"status", "True"}, {"message", "done"}}}},
                             {"currentOptimalTrial", {{"bestTrialName", "b"}}}}}};
  const pipeline::KatibState state = pipeline::katib_state(experiment);
  EXPECT_TRUE(state.is_final());
  EXPECT_EQ(state.type, "Succeeded");
  EXPECT_EQ(state.message, "done");
  EXPECT_EQ(state.best, "b");
}

}  // namespace
