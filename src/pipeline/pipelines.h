#pragma once

#include <map>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/dsl/pipeline.h"

/// The pipelines of this project.
namespace pipeline {

/// How to call the program in a container.
struct Program {
  std::string image;  ///< the default is the image of this version
  std::vector<std::string> command = {"calopipe"};
};
/// The default image, `calopipe:<version>`. A site replaces it by its own registry's copy.
std::string default_image();

/// A pipeline, and its relation to the components.
struct ProjectPipeline {
  struct ParameterOf {
    std::string component, parameter;
  };
  using Parameters = std::map<std::string, ParameterOf>;
  struct Product {
    std::string task, output;  ///< the output artifact of a task
    std::string file;          ///< its name in the folder of `calopipe run --out`
  };

  kfp::dsl::Pipeline pipeline;
  /// Maps each parameter of the pipeline to the component's parameter that it sets.
  Parameters parameters;
  std::vector<Product> products;
};

/// The training pipeline: input-parameters, preprocess, model-parameters, train, generate, validate; and
/// convert. Every value of input-parameters and model-parameters is a parameter of the pipeline with the same
/// name; those of the other components are called `<component>_<name>`. Large data goes from task to task as
/// artifacts.
ProjectPipeline training(const kfp::Registry& registry, const Program& program);

/// Names of all pipelines, each with a summary.
const std::vector<std::pair<std::string, std::string>>& pipeline_names();
/// @throws core::UsageError if there is no such pipeline
ProjectPipeline make_pipeline(const std::string& name, const kfp::Registry& registry, const Program& program);

}  // namespace pipeline
