#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace onnx {
class ModelProto;
}

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
  std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                   const Attributes& attributes = {});
  void output(const std::string& name, const Shape& shape);
  void metadata(const std::string& key, const std::string& value);

  /// The model in ONNX's protobuf format. @throws core::InputError if it is over protobuf's 2 GiB
  std::string bytes() const;

 private:
  void claim(const std::string& name);
  void require(const std::string& name) const;

  std::unique_ptr<onnx::ModelProto> model_;
  std::map<std::string, bool> values_;  // name → made
};

}  // namespace calo
