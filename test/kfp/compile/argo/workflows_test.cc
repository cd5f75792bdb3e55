#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/compile/argo/argo.h"
#include "kfp/compile/argo/source.h"
#include "kfp/ir/document.h"
#include "kfp/ir/goldens.h"
#include "kfp/yaml/yaml.h"
#include "support/temp_folder.h"

// Whole pipelines as workflows: ours with every feature, and those of the Python SDK's own tests. A Python
// peer checks them by Argo's schema, as Hera's models hold it, and that what they refer to exists.
namespace {

using kfp::argo::ArgoOptions;

const std::map<std::string, ArgoOptions>& stores() {
  static const std::map<std::string, ArgoOptions> kStores = {
      {"volume", {.volume = kfp::argo::VolumeStore{.claim = "artifacts"}}},
      {"s3",
       {.s3 = kfp::argo::S3Store{.bucket = "runs",
                                 .endpoint = "s3.example.org",
                                 .access_key = {.name = "s3", .key = "access"},
                                 .secret_key = {.name = "s3", .key = "secret"}}}}};
  return kStores;
}

// CALOPIPE_ARGO_KEEP=folder keeps the workflows, for `argo lint` by hand.
std::filesystem::path folder_for(const test::TempFolder& temporary) {
  const char* keep = std::getenv("CALOPIPE_ARGO_KEEP");
  if (keep == nullptr) return temporary.path();
  std::filesystem::create_directories(keep);
  return keep;
}

int check_by_peer(const std::filesystem::path& folder) {
  return std::system(fmt::format("'{}' '{}' '{}'", std::getenv("CALOPIPE_PYTHON"),
                                 test::argo_source("peer.py").string(), folder.string())
                         .c_str());
}

// What plain Argo cannot do, of the SDK's pipelines: file and what the message says.
const std::map<std::string, std::string> kRefused = {
    {"artifacts_simple", "{{$.inputs.artifacts['in_datasets']}}"},
    {"collected", "{{$.inputs.artifacts['models']}}: artifacts have no metadata"},
    {"component_clean_up", "{{$.inputs.parameters['status']}} of an optional input that is not passed"},
    {"component_merge", "{{$.inputs.artifacts['models']}}: artifacts have no metadata"},
    {"component_train", "{{$.inputs.artifacts['prepared'].metadata}}: artifacts have no metadata"},
    {"importers", "an importer with metadata"},
    {"plain_tasks", "{{$.inputs.parameters['text']}} of an optional input that is not passed"},
    {"retries", "a backoff factor of 1.5"},
    {"texts", "{{$.inputs.artifacts['prepared'].metadata}}: artifacts have no metadata"},
    {"workspace", "an importer that downloads"},
    {"critical__pipeline_with_importer_workspace", "an importer that downloads"},
    {"pipeline_with_dynamic_importer_metadata", "an importer with metadata"},
    {"pipeline_with_google_artifact_type", "an importer with metadata"},
    {"pipeline_with_importer_and_gcpc_types", "an importer with metadata"},
    {"pythonic_artifact_with_single_return", "an importer with metadata"},
};
const std::map<std::string, std::string> kRefusedOnS3 = {
    {"artifacts_simple", "the collected artifacts"},
    {"collected", "the collected artifacts"},
    {"local_execution__pipeline_with_collected_artifacts", "the collected artifacts"},
};

TEST(Workflows, OfTheSdksPipelines) {
  const test::TempFolder temporary;
  const auto folder = folder_for(temporary);
  for (const auto& [store, options] : stores()) {
    for (const auto& file : test::goldens()) {
      const std::string name = file.stem().string();
      SCOPED_TRACE(store + " " + name);
      const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(file);
      std::string refused = kRefused.contains(name) ? kRefused.at(name) : "";
      if (store == "s3" && kRefusedOnS3.contains(name)) refused = kRefusedOnS3.at(name);
      try {
        const std::string text = kfp::argo::to_yaml(pipeline, options);
        EXPECT_EQ(refused, "") << "is expected to be refused";
        EXPECT_EQ(kfp::argo::to_yaml(pipeline, options), text);
        core::write_file(folder / fmt::format("{}.{}.yaml", name, store), text);
      } catch (const core::InputError& error) {
        EXPECT_TRUE(!refused.empty() && std::string(error.what()).find(refused) != std::string::npos)
            << error.what();
      }
    }
  }
  if (std::getenv("CALOPIPE_PYTHON") == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  EXPECT_EQ(check_by_peer(folder), 0);
}

TEST(Workflows, OfPipelinesWithEveryFeature) {
  const test::TempFolder temporary;
  const auto folder = folder_for(temporary);
  for (const char* name : {"features.yaml", "settings.yaml"}) {
    const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(test::argo_source(name));
    for (const auto& [store, options] : stores())
      core::write_file(folder / fmt::format("{}.{}", store, name), kfp::argo::to_yaml(pipeline, options));
    ArgoOptions site =
        kfp::argo::options_from_json(kfp::parse_yaml(core::read_file(test::argo_source("site.yaml")))[0]);
    core::write_file(folder / fmt::format("site.{}", name), kfp::argo::to_yaml(pipeline, site));
  }
  if (std::getenv("CALOPIPE_PYTHON") == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  EXPECT_EQ(check_by_peer(folder), 0);
}

}  // namespace
