#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calo/infer/onnx_graph.h"
#include "calo/infer/packed_layer.h"
#include "calo/infer/program.h"

namespace calo::infer {

/// The values of a graph while it is compiled: what is constant, and who takes what. Constants are folded;
/// large weights stay where the file has them, until a layer packs them.
class GraphValues {
 protected:
  /// @param around  of a body: where the values stand that it takes from outside
  GraphValues(OnnxGraph graph, const CompileOptions& options, GraphValues* around = nullptr);
  ~GraphValues() = default;

  struct Value {
    const OnnxTensor* constant = nullptr;
    std::vector<std::size_t> consumers;
    bool is_output = false;
  };

  int id(const std::string& name) const { return name.empty() ? -1 : ids_.at(name); }
  Value& value(const std::string& name) { return values_[static_cast<std::size_t>(ids_.at(name))]; }

  void number_values();
  /// int8 and bfloat16 are no types to calculate with here.
  void check_narrow_constants();
  /// What `calopipe optimise` has found to be right for the file.
  std::optional<Precision> precision_of_file() const;
  /// Nodes that no output depends on are left out.
  void keep_what_is_needed();
  bool is_constant(const std::string& name);
  /// A constant that is a tensor by now; else null.
  const Tensor* known(const std::string& name) const;
  /// The node that makes floats of a weight in a narrow type, where nobody has asked for the floats yet; else
  /// null.
  const OnnxNode* stored_by(const std::string& name) const;
  /// Whether a body takes the value from the graph around it.
  bool is_captured(const std::string& name) const { return !name.empty() && captured_.contains(id(name)); }
  /// Constants of the file become tensors where an operator asks for them; large weights are packed instead.
  void materialise(const std::string& name);
  void fold_constants();
  /// Large weights that are stored in a narrow type are packed as they are, without having been floats.
  bool is_stored_weight(const OnnxNode& node);
  void fold(std::size_t n);
  void count_consumers();
  std::map<std::string, Shape> constant_shapes();
  std::map<std::string, std::vector<std::int64_t>> constant_lists();
  /// The numbers of a constant of floats.
  std::optional<std::vector<float>> floats(const std::string& name, std::int64_t most);
  std::optional<float> scalar(const std::string& name);
  Shape constant_shape(const std::string& name);
  /// The one node that takes a value, where nothing else does.
  std::optional<std::size_t> only_consumer(const std::string& name);

  OnnxGraph graph_;
  GraphValues* around_;
  std::map<int, std::string> captured_;  ///< by value
  const CompileOptions& options_;
  Program program_;
  std::map<std::string, int> ids_;
  std::vector<Value> values_;
  std::vector<bool> done_;  ///< by node: folded, fused, or not needed
  std::map<int, std::size_t>
      stored_;  ///< weights in a narrow type: value → the node that makes floats of them
  std::int64_t work_ = options_.limits.work;
};

}  // namespace calo::infer
