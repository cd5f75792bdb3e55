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

/// Data of a pipeline under construction: written by the handles of pipeline.h, read by the compiler. Users
/// of the DSL need not see it.
namespace kfp::dsl::graph {

struct Group;
struct TaskNode;
struct Graph;

/// A value or artifact that tasks pass on; Value and Artifact are handles of it.
struct Channel {
  enum class Kind { kPipelineInput, kTaskOutput, kLoopItem, kItemField, kCollected, kOneOf };

  Kind kind = Kind::kPipelineInput;
  std::size_t id = 0;        ///< index within its graph
  std::string name;          ///< name of the input, output or field; for one-of outputs, the name in the SDK
  Port port;                 ///< its type
  TaskNode* task = nullptr;  ///< for kTaskOutput
  Group* group = nullptr;    ///< for kLoopItem the loop; for kOneOf the branches
  const Channel* of = nullptr;          ///< for kItemField the item; for kCollected the collected output
  std::vector<const Channel*> choices;  ///< for kOneOf

  /// Name of inputs made from it, as in the SDK: "task-output", "x-loop-item-subvar-a".
  std::string full_name() const;
  /// Description for error messages: "output "Output" of task flip-coin".
  std::string described() const;
};

/// `left op right`, where strings may contain channels.
struct Comparison {
  using Operand = std::variant<nlohmann::json, const Channel*>;
  std::string op;
  Operand left;
  Operand right;
  bool negated = false;
};

/// A group of tasks: the pipeline itself, a branch, a loop, an exit handler.
struct Group {
  enum class Kind { kPipeline, kCondition, kBranches, kLoop, kExitHandler };

  Kind kind = Kind::kPipeline;
  std::string name;
  std::string display_name;
  Group* parent = nullptr;
  std::vector<std::unique_ptr<Group>> groups;
  std::vector<TaskNode*> tasks;
  std::vector<Comparison> conditions;  ///< for kCondition: all must hold
  nlohmann::json raw_items;            ///< for kLoop over constants
  const Channel* items = nullptr;      ///< for kLoop over a channel
  const Channel* item = nullptr;       ///< for kLoop: the item of an iteration
  int parallelism = 0;                 ///< for kLoop: 0 = no limit
  TaskNode* exit_task = nullptr;       ///< for kExitHandler
  int one_ofs = 0;                     ///< for kBranches: number of one-of outputs made
  bool has_else = false;               ///< for kBranches

  /// True if `other` is this group or inside it.
  bool contains(const Group* other) const;
  /// "the pipeline", "condition-1".
  std::string described() const;
};

/// Existing data that an importer makes an artifact.
struct ImporterSource {
  Port artifact;
  bool reimport = false;
  nlohmann::json metadata;  ///< may have placeholders for the importer's inputs
  bool download_to_workspace = false;
  std::optional<std::string> constant_uri;
};

/// A compiled pipeline used as a task of another.
struct CompiledPipeline {
  ir::Pipeline pipeline;
};

/// The final status of a task as the value of an input.
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

/// Strings that may have tokens of channels.
struct ResourceTexts {
  std::optional<std::string> cpu_request, cpu_limit, memory_request, memory_limit;
  std::optional<std::string> accelerator_type, accelerator_count;
};

struct TaskNode {
  std::string name;
  Ports inputs;
  Ports outputs;
  std::variant<ContainerComponent, ImporterSource, std::shared_ptr<Graph>, CompiledPipeline> body;
  Group* parent = nullptr;   ///< its group; for exit tasks the pipeline
  Group* exit_of = nullptr;  ///< the exit handler that it is the exit task of
  std::map<std::string, Argument> arguments;
  std::map<std::string, const Channel*> output_channels;  ///< the outputs in use
  std::vector<std::variant<const TaskNode*, const Group*>> after;
  bool ignores_upstream_failure = false;
  bool caching = true;
  std::string cache_key;
  std::string display_name;
  std::optional<Retry> retry;
  ResourceTexts resources;
  std::optional<std::string> image;  ///< replaces the component's image
  std::vector<ir::EnvVar> env;
  /// Strings of component_input_parameter may be tokens of channels.
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
  std::deque<TaskNode> tasks;  ///< in the order of their addition
  std::map<std::string, TaskNode*> tasks_by_name;
  Group root;
  Group* current = &root;  ///< the group that tasks are added to
  int groups = 0;          ///< number of ids given to groups

  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  const Channel* add(Channel channel);
  int next_group_id() { return ++groups; }
};

/// The group in which a channel can be used (and in all groups inside).
const Group* home_of(const Channel& channel, const Graph& graph);

/// Checks that `channel` may be used in `scope`. @throws core::UsageError naming both ends
void check_visible(const Graph& graph, const Channel& channel, const Group& scope,
                   const std::string& consumer);

/// The string that represents a channel inside longer strings until the pipeline is compiled.
std::string token(const Graph& graph, const Channel& channel);
/// The channels of the tokens in a string, or in the strings of a JSON value; each once, in order.
/// @throws core::UsageError if one belongs to another pipeline
std::vector<const Channel*> channels_in(const Graph& graph, const nlohmann::json& value,
                                        const std::string& consumer);
/// Replaces each token in `value` by `text` of its channel.
nlohmann::json replace_tokens(const Graph& graph, const nlohmann::json& value,
                              const std::function<std::string(const Channel&)>& text);

}  // namespace kfp::dsl::graph
