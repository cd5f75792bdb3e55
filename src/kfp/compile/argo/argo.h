#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kfp/compile/argo/options.h"
#include "kfp/ir/pipeline_spec.h"

namespace kfp::argo {

/// A pipeline as an Argo Workflow that runs without Kubeflow Pipelines: DAGs become DAG templates; containers
/// become container templates with Argo's own variables in place of KFP's placeholders. Unlike on KFP,
/// nothing is cached, and metadata that a task adds to its artifacts remains in its executor output.
/// @throws core::InputError for pipelines with errors (as found by ir::validate()), and for features that
///         Argo lacks, naming task and feature; if an artifact passes between tasks and neither `volume` nor
///         `s3` is set
nlohmann::json compile(const ir::Pipeline& pipeline, const ArgoOptions& options = {});

/// The same as YAML; the same pipeline and options give the same string.
std::string to_yaml(const ir::Pipeline& pipeline, const ArgoOptions& options = {});

}  // namespace kfp::argo
