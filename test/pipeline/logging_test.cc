#include "pipeline/logging.h"

#include "pipeline/components.h"
#include "pipeline/local_run.h"
#include "support/error_of.h"

namespace {

using kfp::ir::EnvVar;
using pipeline::LogOptions;

kfp::ir::Pipeline compiled() {
  kfp::Registry registry;
  pipeline::register_components(registry);
  return pipeline::prepare_pipeline(registry, "training", "", {}).compiled;
}

std::map<std::string, std::string> environment(const kfp::ir::Pipeline& pipeline, const char* executor) {
  std::map<std::string, std::string> values;
  for (const EnvVar& variable : pipeline.spec.deployment_spec->executors.at(executor).container->env)
    values[*variable.name] = *variable.value;
  return values;
}

TEST(LogOptions, ReachTheContainersOfACluster) {
  kfp::ir::Pipeline pipeline = compiled();
  const auto before = environment(pipeline, "exec-train");
  pipeline::put_log_options(pipeline, {.to = "mlflow=https://mlflow.example.org/", .model = "showers"});
  auto wanted = before;
  wanted["CALOPIPE_LOG"] = "mlflow=https://mlflow.example.org";
  wanted["CALOPIPE_LOG_MODEL"] = "showers";
  wanted["MLFLOW_EXPERIMENT_NAME"] = "calopipe";
  EXPECT_EQ(environment(pipeline, "exec-train"), wanted);
  EXPECT_EQ(environment(pipeline, "exec-validate").at("CALOPIPE_LOG"), wanted.at("CALOPIPE_LOG"));

  // As a site file would, which had other values.
  pipeline::put_log_options(pipeline, {.to = "mlflow=http://other:5000"});
  EXPECT_EQ(environment(pipeline, "exec-train").at("CALOPIPE_LOG"), "mlflow=http://other:5000");

  LogOptions options;
  pipeline::take_log_options(pipeline, options);
  EXPECT_EQ(options.to, "mlflow=http://other:5000");
  EXPECT_EQ(options.model, "showers");
  EXPECT_FALSE(environment(pipeline, "exec-train").contains("CALOPIPE_LOG"));
}

TEST(LogOptions, WinOverThoseOfASite) {
  kfp::ir::Pipeline pipeline = compiled();
  pipeline::put_log_options(pipeline, {.to = "mlflow=http://site:5000", .model = "theirs"});
  LogOptions options{.to = "mlflow=http://given:5000", .model = "ours"};
  pipeline::take_log_options(pipeline, options);
  EXPECT_EQ(options.to, "mlflow=http://given:5000");
  EXPECT_EQ(options.model, "ours");
}

TEST(LogOptions, AreRefusedBeforeAnythingIsSent) {
  kfp::ir::Pipeline pipeline = compiled();
  const auto error =
      test::error_of<core::UsageError>([&] { pipeline::put_log_options(pipeline, {.to = "wandb"}); });
  EXPECT_EQ(error.field, "--log");
}

TEST(LogOptions, AreForComponentsWithMetrics) {
  kfp::Registry registry;
  pipeline::register_components(registry);
  EXPECT_TRUE(pipeline::is_logged(*registry.create("train")));
  EXPECT_TRUE(pipeline::has_model(*registry.create("train")));
  EXPECT_TRUE(pipeline::is_logged(*registry.create("validate")));
  EXPECT_FALSE(pipeline::has_model(*registry.create("validate")));
  EXPECT_FALSE(pipeline::is_logged(*registry.create("preprocess")));
}

}  // namespace
