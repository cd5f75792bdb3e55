#pragma once

#include "kfp/compile/argo/templates.h"

// No part of the public interface.
namespace kfp::argo {

/// A finished template, and what a task that uses it must know.
struct Template {
  std::string name;
  nlohmann::json inputs = nlohmann::json::array();  ///< its input parameters
  bool leaf = false;  ///< artifacts lie where the path of the task tells, else they are output parameters
  std::vector<Setting> settings;
  std::set<std::string> plain_artifacts;  ///< outputs that are locations, not keys in the store

  bool has_input(const std::string& input_name) const;
};

/// Makes the templates of a pipeline: one for each component and way to use it.
class Templates {
 public:
  Templates(const ir::Pipeline& pipeline, const ArgoOptions& options)
      : pipeline_(pipeline), options_(options) {}

  /// The template of a component. `name` is what it is made from.
  const Template& of(const std::string& name, const ir::ComponentSpec& component, const Use& use,
                     const Place& place);

  const ir::Pipeline& pipeline() const { return pipeline_; }
  const ArgoOptions& options() const { return options_; }

  /// Names and keeps a template; `inputs` become its input parameters.
  std::string keep(const std::string& wanted, nlohmann::json body);

  /// All of them, each before those that it uses.
  nlohmann::json take();

 private:
  Template make(const std::string& name, const ir::ComponentSpec& component, const Use& use,
                const Place& place);

  const ir::Pipeline& pipeline_;
  const ArgoOptions& options_;
  Names names_{Names::Kind::kTask};
  std::map<std::string, Template> made_;
  std::vector<nlohmann::json> bodies_;
};

/// The DAG template of a component.
Template dag_template(Templates& templates, const std::string& name, const ir::ComponentSpec& component,
                      const Use& use, bool is_root);

}  // namespace kfp::argo
