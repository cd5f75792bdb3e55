#pragma once

#include <map>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/dsl/pipeline.h"

/// The pipelines of this project, written with the SDK.
namespace pipeline {

/// How the program is called in a container.
struct Program {
  std::string image;  ///< by default the image of this version
  std::vector<std::string> command = {"calopipe"};
};
/// The default image, `calopipe:<version>`. A site replaces it by its own registry's copy.
std::string default_image();

/// A pipeline, and how it looks from the components' side.
struct ProjectPipeline {
  struct ParameterOf {
    std::string component, parameter;
  };
  using Parameters = std::map<std::string, ParameterOf>;
  struct Product {
    std::string task, output;  ///< output artifact of a task
    std::string file;          ///< its name in the folder of `calopipe run --out`
  };

  kfp::dsl::Pipeline pipeline;
  /// Maps each parameter of the pipeline to the component's parameter that it sets.
  Parameters parameters;
  std::vector<Product> products;
};

/// The training pipeline: input-parameters, preprocess, model-parameters, train, generate, validate; and
/// convert. Every value of input-parameters and model-parameters is a parameter of it under the same name;
/// those of the other components are `<component>_<name>`. Large data goes from task to task as artifacts.
ProjectPipeline training(const kfp::Registry& registry, const Program& program);

/// Names of all pipelines, with a line on each.
const std::vector<std::pair<std::string, std::string>>& pipeline_names();
/// @throws core::UsageError if there is no such pipeline
ProjectPipeline make_pipeline(const std::string& name, const kfp::Registry& registry, const Program& program);

}  // namespace pipeline
