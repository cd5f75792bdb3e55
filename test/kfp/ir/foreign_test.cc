#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "support/temp_folder.h"

// Files given for a compiled pipeline: each is told what it is.
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string told(const std::string& text, const std::string& name = "p.yaml") {
  try {
    kfp::ir::parse_pipeline(text, name);
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string object(const std::string& version, const std::string& kind, const std::string& more = "") {
  return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata:\n  name: x\n" + more + "spec: {}\n";
}

TEST(ForeignFiles, PackagesOfTheFirstSdk) {
  const std::string annotated =
      "  annotations: {pipelines.kubeflow.org/kfp_sdk_version: 1.8.22, "
      "pipelines.kubeflow.org/pipeline_spec: \"{}\"}\n";
  EXPECT_THAT(
      told(object("argoproj.io/v1alpha1", "Workflow", annotated)),
      AllOf(HasSubstr("is a Workflow of Argo (compiled by KFP SDK 1.8.22), not a compiled v2 pipeline"),
            HasSubstr("compile it with SDK 2")));
  EXPECT_THAT(told(object("tekton.dev/v1beta1", "PipelineRun", annotated)),
              HasSubstr("is a PipelineRun of Tekton (compiled by KFP SDK 1.8.22)"));
  for (const char* kind : {"Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"})
    EXPECT_THAT(told(object("argoproj.io/v1alpha1", kind)),
                HasSubstr(std::string("is a ") + kind + " of Argo, not a compiled pipeline of KFP"));
  EXPECT_THAT(told("name: Train\ninputs:\n- {name: data}\nimplementation:\n  container: {image: x}\n"),
              HasSubstr("is a component of KFP SDK 1"));
  EXPECT_THAT(told(R"({"pipelineSpec": {"root": {}}, "runtimeConfig": {}})", "job.json"),
              AllOf(HasSubstr("PipelineJob"), HasSubstr("yq .pipelineSpec")));
}

TEST(ForeignFiles, OtherObjectsOfKubernetes) {
  EXPECT_THAT(told(object("kubeflow.org/v1beta1", "Experiment")), HasSubstr("is an Experiment of Katib"));
  EXPECT_THAT(told(object("trainer.kubeflow.org/v1alpha1", "TrainJob")),
              HasSubstr("is a TrainJob of Kubeflow Trainer"));
  EXPECT_THAT(told(object("kubeflow.org/v1", "PyTorchJob")), HasSubstr("is a PyTorchJob of Kubeflow"));
  EXPECT_THAT(told(object("pipelines.kubeflow.org/v2beta1", "PipelineVersion")),
              AllOf(HasSubstr("is a PipelineVersion"), HasSubstr("yq .spec.pipelineSpec")));
  EXPECT_THAT(told(object("pipelines.kubeflow.org/v2beta1", "Pipeline")),
              HasSubstr("PipelineVersion has them"));
  EXPECT_THAT(told(object("v1", "Pod")), HasSubstr("is a Pod of Kubernetes (v1)"));
  EXPECT_THAT(told(object("v1", "ConfigMap") + "---\n" + object("v1", "Pod")), HasSubstr("is a ConfigMap"));
}

TEST(ForeignFiles, ParametersAndOthers) {
  EXPECT_THAT(told("input-parameters:\n  data: x\ntrain:\n  epochs: 3\n"),
              AllOf(HasSubstr("none of the fields of a compiled pipeline, but input-parameters, train"),
                    HasSubstr("--config")));
  EXPECT_THAT(told(R"({"cells": [], "nbformat": 4})"), HasSubstr("is a notebook"));
  EXPECT_THAT(told("from kfp import dsl\n\n@dsl.pipeline\ndef p():\n    pass\n"),
              HasSubstr("is a Python program"));
  EXPECT_THAT(told("x = 1\n", "pipeline.py"), HasSubstr("is a Python program"));
  EXPECT_THAT(told("<?xml version=\"1.0\"?>\n<Bins/>"), HasSubstr("is XML"));
  EXPECT_THAT(told("hello"), HasSubstr("must be a mapping"));
  for (const char* text : {"", " \n", "# only a comment\n", "---\n---\n"})
    EXPECT_THAT(told(text), HasSubstr("is empty")) << text;
}

TEST(ForeignFiles, ByTheirFirstBytes) {
  EXPECT_THAT(told(std::string("\x1F\x8B\x08\0\0", 5), "p.tar.gz"), HasSubstr("is a gzip archive"));
  EXPECT_THAT(told(std::string("PK\x03\x04\x14\0", 6), "p.zip"), HasSubstr("is a zip archive"));
  EXPECT_THAT(told(std::string("\x89HDF\r\n\x1A\n\0", 9), "showers.h5"), HasSubstr("is an HDF5 file"));
  EXPECT_THAT(told(std::string(257, '\0') + "ustar", "p.tar"), HasSubstr("is a tar archive"));
  const test::TempFolder folder;
  try {
    kfp::ir::read_pipeline(folder.path());
    ADD_FAILURE() << "a folder was read";
  } catch (const core::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is a folder"));
  }
}

TEST(ForeignFiles, DocumentsInAnyOrderAndEmptyOnes) {
  const std::string spec = "pipelineInfo: {name: p}\nroot: {dag: {tasks: {}}}\n";
  const std::string platform = "platforms: {kubernetes: {}}\n";
  for (const std::string& text :
       {spec + "---\n" + platform, platform + "---\n" + spec, "---\n---\n" + spec + "---\n"}) {
    const kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline(text);
    EXPECT_EQ(pipeline.spec.pipeline_info->name, "p");
    EXPECT_EQ(pipeline.platform.has_value(), text.find("platforms") != std::string::npos);
  }
}

}  // namespace
