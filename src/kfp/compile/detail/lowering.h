#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "kfp/dsl/detail/graph.h"
#include "kfp/ir/pipeline_spec.h"

// The middle stage of the compiler; not part of the public interface.
namespace kfp::dsl::lowering {

constexpr const char* kSdkVersion = "kfp-2.17.0";  // version whose IR this is; backends read it
constexpr const char* kSchemaVersion = "2.1.0";

[[noreturn]] void refuse(const std::string& what, std::string message, std::string hint = "");

/// Lowers one pipeline. Each group becomes a component with a DAG and a task that runs it. A channel that is
/// used inside a group but comes from outside becomes an input of the group, and of every group in between.
class Lowering {
 public:
  explicit Lowering(const graph::Graph& graph) : graph_(graph) {}

  ir::Pipeline run();

 private:
  using Waits = std::set<std::string>;

  struct Part {
    ir::ComponentSpec component;
    ir::Task task;
    Waits waits;
    std::map<std::string, const graph::Channel*> inputs;  ///< inputs added for channels
    std::string component_name;
  };
  struct Source {
    std::string producer;  ///< a task of the same DAG; empty for an input of the DAG's component
    std::string key;
    std::string selector;
  };

  // Positions of groups and channels.
  Part& part(const graph::Group& group) { return parts_[&group]; }
  std::string name_in(const graph::Channel& channel, const graph::Group& scope) const;
  const graph::Group& surfacer(const graph::Channel& collected, const graph::Group& scope) const;

  // Channels.
  Source find(const graph::Channel& channel, const graph::Group& scope, Waits& waits);
  std::string declare(const graph::Group& group, const graph::Channel& channel);
  void surface(const graph::Group& group, const Port& port, const std::string& key,
               const std::string& producer, const std::string& producer_key);
  Source surface_collected(const graph::Channel& channel, const graph::Group& scope);
  Source surface_one_of(const graph::Channel& channel);
  void pass_as_sdk(const graph::TaskNode& node, const graph::Channel& channel);
  ir::TaskInputParameter parameter(const Source& source) const;
  ir::TaskInputArtifact artifact(const Source& source) const;
  void put(ir::TaskInputs& inputs, const std::string& name, bool is_artifact, const Source& source) const;

  // Groups and tasks.
  void prepare(const graph::Group& group);
  void lower(const graph::TaskNode& node);
  void set_argument(const graph::TaskNode& node, const std::string& name, const graph::Argument& argument,
                    ir::Task& task, Waits& waits);
  nlohmann::json fill(const graph::TaskNode& node, const nlohmann::json& value, ir::Task& task, Waits& waits);
  void pass_defaults(const graph::TaskNode& node, ir::Task& task) const;
  void order(const graph::TaskNode& node);
  void finish_final_status(const graph::TaskNode& node, ir::Task& task, const Waits& waits) const;
  void lower_outputs();

  // Assembly.
  void check_cycles(const graph::Group& group) const;
  void name_components(const graph::Group& group);
  std::string add_component(const graph::TaskNode& node);
  void assemble(const graph::Group& group);
  void add_config();

  const graph::Graph& graph_;
  ir::Pipeline result_;
  std::map<const graph::Group*, Part> parts_;
  std::map<const graph::TaskNode*, ir::Task> tasks_;
  std::map<const graph::TaskNode*, Waits> waits_;
};

}  // namespace kfp::dsl::lowering
