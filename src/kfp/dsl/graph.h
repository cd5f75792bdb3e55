#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kfp/dsl/container_component.h"
#include "kfp/dsl/port.h"
#include "kfp/ir/pipeline_spec.h"

/// What a pipeline under construction holds: read by the compiler, written by the handles of pipeline.h.
/// Users of the DSL need not see it.
namespace kfp::dsl::graph {

struct Group;
struct TaskNode;
struct Graph;

/// A value or artifact that is passed on: what Value and Artifact stand for.
struct Channel {
  enum class Kind { kPipelineInput, kTaskOutput, kLoopItem, kItemField, kCollected, kOneOf };

  Kind kind = Kind::kPipelineInput;
  std::size_t id = 0;  ///< within its graph
  std::string name;    ///< of the input, output or field; of one-of outputs the name that the SDK gives them
  Port port;           ///< its type
  TaskNode* task = nullptr;             ///< kTaskOutput
  Group* group = nullptr;               ///< kLoopItem: the loop; kOneOf: the branches
  const Channel* of = nullptr;          ///< kItemField: the item; kCollected: what is collected
  std::vector<const Channel*> choices;  ///< kOneOf

  /// The name that the SDK derives for inputs made from it: "task-output", "x-loop-item-subvar-a".
  std::string full_name() const;
  /// What error messages call it: "output "Output" of task flip-coin".
  std::string described() const;
};

/// `left op right`, where texts may be channels.
struct Comparison {
  using Operand = std::variant<nlohmann::json, const Channel*>;
  std::string op;
  Operand left;
  Operand right;
  bool negated = false;
};

/// Tasks that belong together: the pipeline itself, a branch, a loop, an exit handler.
struct Group {
  enum class Kind { kPipeline, kCondition, kBranches, kLoop, kExitHandler };

  Kind kind = Kind::kPipeline;
  std::string name;
  std::string display_name;
  Group* parent = nullptr;
  std::vector<std::unique_ptr<Group>> groups;
  std::vector<TaskNode*> tasks;
  std::vector<Comparison> conditions;  ///< kCondition: all of them hold
  nlohmann::json raw_items;            ///< kLoop over constants
  const Channel* items = nullptr;      ///< kLoop over a channel
  const Channel* item = nullptr;       ///< kLoop: what each iteration gets
  int parallelism = 0;                 ///< kLoop: 0 is no limit
  TaskNode* exit_task = nullptr;       ///< kExitHandler
  int one_ofs = 0;                     ///< kBranches: how many were made
  bool has_else = false;               ///< kBranches

  /// True where `other` is this group or inside it.
  bool contains(const Group* other) const;
  /// "the pipeline", "condition-1".
  std::string described() const;
};

/// What exists already and is made known as an artifact.
struct ImporterSource {
  Port artifact;
  bool reimport = false;
  nlohmann::json metadata;  ///< with placeholders of the importer's inputs
  bool download_to_workspace = false;
  std::optional<std::string> constant_uri;
};

/// A compiled pipeline inside another.
struct CompiledPipeline {
  ir::Pipeline pipeline;
};

/// The value of a task's input.
struct FinalStatusOf {
  const TaskNode* task = nullptr;
};
using Argument = std::variant<nlohmann::json, const Channel*, FinalStatusOf>;

struct Retry {
  int count = 0;
  std::string backoff_duration;
  double backoff_factor = 0;
  std::string backoff_max_duration;
};

/// Texts may hold tokens of channels.
struct ResourceTexts {
  std::optional<std::string> cpu_request, cpu_limit, memory_request, memory_limit;
  std::optional<std::string> accelerator_type, accelerator_count;
};

struct TaskNode {
  std::string name;
  Ports inputs;
  Ports outputs;
  std::variant<ContainerComponent, ImporterSource, std::shared_ptr<Graph>, CompiledPipeline> body;
  Group* parent = nullptr;   ///< the group it is in; of exit tasks the pipeline
  Group* exit_of = nullptr;  ///< the exit handler whose exit task it is
  std::map<std::string, Argument> arguments;
  std::map<std::string, const Channel*> output_channels;  ///< those that were asked for
  std::vector<std::variant<const TaskNode*, const Group*>> after;
  bool ignores_upstream_failure = false;
  bool caching = true;
  std::string cache_key;
  std::string display_name;
  std::optional<Retry> retry;
  ResourceTexts resources;
  std::optional<std::string> image;  ///< instead of the component's
  std::vector<ir::EnvVar> env;
  /// Texts of component_input_parameter may be tokens of channels.
  std::optional<ir::KubernetesExecutorConfig> kubernetes;

  bool is_container() const { return std::holds_alternative<ContainerComponent>(body); }
  /// "task train", "input "x" of task train (NUMBER_INTEGER)".
  std::string described() const { return "task " + name; }
  std::string described(const std::string& input) const;
};

struct Graph {
  std::uint64_t uid = 0;
  std::string name;
  std::string description;
  std::string display_name;
  std::string pipeline_root;
  ir::PipelineConfig config;
  Ports inputs;
  struct Output {
    const Channel* channel;
    Port port;
  };
  std::map<std::string, Output> outputs;
  std::deque<Channel> channels;
  std::deque<TaskNode> tasks;  ///< in the order in which they were added
  std::map<std::string, TaskNode*> tasks_by_name;
  Group root;
  Group* current = &root;  ///< the group that tasks are added to
  int groups = 0;          ///< ids given to groups

  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  const Channel* add(Channel channel);
  int next_group_id() { return ++groups; }
};

/// The group in which a channel can be used (and in all inside it).
const Group* home_of(const Channel& channel, const Graph& graph);

/// Checks that `channel` may be used in `scope`. @throws core::UsageError naming both ends
void check_visible(const Graph& graph, const Channel& channel, const Group& scope,
                   const std::string& consumer);

/// The text that stands for a channel inside longer texts until the pipeline is compiled.
std::string token(const Graph& graph, const Channel& channel);
/// The channels of the tokens in a text, or in the texts of a JSON value; each once, in order.
/// @throws core::UsageError if one belongs to another pipeline
std::vector<const Channel*> channels_in(const Graph& graph, const nlohmann::json& value,
                                        const std::string& consumer);
/// `value` with each token replaced by what `text` gives for its channel.
nlohmann::json replace_tokens(const Graph& graph, const nlohmann::json& value,
                              const std::function<std::string(const Channel&)>& text);

}  // namespace kfp::dsl::graph
