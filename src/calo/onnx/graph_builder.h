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

/// Builds an ONNX model node by node; every value has a name of its own and is made before it is used, so
/// what comes out is a valid graph in topological order. Same calls, same bytes.
///
/// Names are identifiers ([A-Za-z_][A-Za-z0-9_]*). A negative extent in a shape is the free batch size, `N`.
class GraphBuilder {
 public:
  using Shape = std::vector<std::int64_t>;
  using Attribute = std::variant<float, std::int64_t, Shape>;
  using Attributes = std::map<std::string, Attribute>;

  /// Of operators; 13 is known to every onnxruntime since 1.6 (2020), the one of Par04's instructions among
  /// them.
  static constexpr std::int64_t kOpset = 13;
  static constexpr std::int64_t kIrVersion = 7;

  GraphBuilder(const std::string& graph_name, const std::string& documentation);
  ~GraphBuilder();

  /// Each returns the name of the value. @throws std::logic_error where a name is taken, no identifier, or
  /// not yet made
  std::string input(const std::string& name, const Shape& shape);
  std::string floats(const std::string& name, const Shape& shape, const std::vector<float>& values);
  std::string integers(const std::string& name, const Shape& values);
  /// Of any shape; {} is a scalar.
  std::string integers(const std::string& name, const Shape& shape, const Shape& values);
  std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                   const Attributes& attributes = {});
  void output(const std::string& name, const Shape& shape);

  /// A value that a loop hands on from step to step: its name inside, and what it starts from.
  struct Carried {
    std::string name, start;
  };
  /// Starts the body of a Loop: what is made from now on is made in each step, and sees all that was made
  /// before. Constants go to the graph outside. Bodies may be nested.
  /// @param step  name of the number of the step, an integer
  void begin_loop(const std::string& step, const std::vector<Carried>& carried);
  /// Ends it. @param steps  how many: an integer
  /// @param next  what each carried value is in the next step  @param collected  values of every step
  /// @param name  of the node
  /// @returns the last of each carried value, then the collected ones, stacked along a new first axis
  std::vector<std::string> end_loop(const std::string& steps, const std::vector<std::string>& next,
                                    const std::vector<std::string>& collected, const std::string& name);

  void metadata(const std::string& key, const std::string& value);

  /// The model in ONNX's protobuf format. @throws core::InputError if it is over protobuf's 2 GiB
  std::string bytes() const;

 private:
  void claim(const std::string& name);
  void make(const std::string& name);  // by a node, or as an input of the open body
  void require(const std::string& name) const;

  struct Body {
    std::unique_ptr<onnx::GraphProto> graph;
    std::vector<Carried> carried;
    std::set<std::string> made;
  };

  onnx::GraphProto& graph();

  std::unique_ptr<onnx::ModelProto> model_;
  std::set<std::string> names_;   // ever used
  std::set<std::string> values_;  // that can be read outside of bodies
  std::vector<Body> bodies_;      // that are open, the innermost last
};

}  // namespace calo
