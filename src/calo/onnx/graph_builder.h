#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace onnx {
class GraphProto;
class ModelProto;
}  // namespace onnx

namespace calo {

/// Builds an ONNX model node by node. Every value has a unique name and is made before it is used, so that
/// the result is a valid graph in topological order. The same calls give the same bytes.
///
/// Names are identifiers ([A-Za-z_][A-Za-z0-9_]*). A negative extent in a shape is the free batch size, `N`.
class GraphBuilder {
 public:
  using Shape = std::vector<std::int64_t>;
  using Attribute = std::variant<float, std::int64_t, Shape>;
  using Attributes = std::map<std::string, Attribute>;

  /// Operator set; every onnxruntime since 1.6 (2020) supports 13, including the one in Par04's instructions.
  static constexpr std::int64_t kOpset = 13;
  static constexpr std::int64_t kIrVersion = 7;

  GraphBuilder(const std::string& graph_name, const std::string& documentation);
  ~GraphBuilder();

  /// Each function returns the name of the value.
  /// @throws std::logic_error if a name is taken or is not an identifier, or a value is not made yet
  std::string input(const std::string& name, const Shape& shape);
  std::string floats(const std::string& name, const Shape& shape, const std::vector<float>& values);
  std::string integers(const std::string& name, const Shape& values);
  /// Integers of any shape; {} is a scalar.
  std::string integers(const std::string& name, const Shape& shape, const Shape& values);
  std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                   const Attributes& attributes = {});
  void output(const std::string& name, const Shape& shape);

  /// A value that a loop passes on from step to step: its name inside, and its initial value.
  struct Carried {
    std::string name, start;
  };
  /// Starts the body of a Loop: later values are made in each step and can use all earlier ones. Constants
  /// are added to the outer graph. Bodies may be nested.
  /// @param step  name of the number of the step, an integer
  void begin_loop(const std::string& step, const std::vector<Carried>& carried);
  /// Ends the body of a Loop.
  /// @param steps  number of steps, an integer
  /// @param next  value of each carried value for the next step
  /// @param collected  values that are collected from every step
  /// @param name  name of the node
  /// @returns the last of each carried value, then the collected ones, stacked along a new first axis
  std::vector<std::string> end_loop(const std::string& steps, const std::vector<std::string>& next,
                                    const std::vector<std::string>& collected, const std::string& name);

  void metadata(const std::string& key, const std::string& value);

  /// The model in ONNX's protobuf format. @throws core::InputError if it exceeds protobuf's 2 GiB
  std::string bytes() const;

 private:
  void claim(const std::string& name);
  void make(const std::string& name);  // adds a value of a node, or an input of the open body
  void require(const std::string& name) const;

  struct Body {
    std::unique_ptr<onnx::GraphProto> graph;
    std::vector<Carried> carried;
    std::set<std::string> made;
  };

  onnx::GraphProto& graph();

  std::unique_ptr<onnx::ModelProto> model_;
  std::set<std::string> names_;   // all used names
  std::set<std::string> values_;  // values that can be read outside of bodies
  std::vector<Body> bodies_;      // open bodies, the innermost last
};

}  // namespace calo
