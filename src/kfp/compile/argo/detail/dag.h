#pragma once

#include "kfp/compile/argo/detail/templates.h"

// Not part of the public interface.
namespace kfp::argo {

/// A finished template, with the information that its tasks need.
struct Template {
  std::string name;
  nlohmann::json inputs = nlohmann::json::array();  ///< its input parameters
  bool leaf = false;  ///< true if the task's path determines the artifacts' paths; else artifacts are output
                      ///< parameters
  std::vector<Setting> settings;
  std::set<std::string> plain_artifacts;  ///< outputs whose value is a location, not a key in the store

  bool has_input(const std::string& input_name) const;
};

/// Makes the templates of a pipeline: one for each component and way of using it.
class Templates {
 public:
  Templates(const ir::Pipeline& pipeline, const ArgoOptions& options)
      : pipeline_(pipeline), options_(options) {}

  /// The template of a component, with a name derived from `name`.
  const Template& of(const std::string& name, const ir::ComponentSpec& component, const Use& use,
                     const Place& place);

  const ir::Pipeline& pipeline() const { return pipeline_; }
  const ArgoOptions& options() const { return options_; }

  /// Adds a template and returns its name, which is derived from `wanted`.
  std::string keep(const std::string& wanted, nlohmann::json body);

  /// All templates, each before those that it uses.
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
