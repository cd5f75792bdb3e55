#include "calo/convert/reference_evaluator.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "core/error.h"

namespace calo {
namespace {

using Shape = std::vector<std::int64_t>;

std::size_t count_of(const Shape& shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  return count;
}

class Evaluator {
 public:
  Evaluator(const onnx::ModelProto& model, const GraphValues& given) : values_(given) {
    for (const onnx::TensorProto& tensor : model.graph().initializer()) read(tensor);
    for (const onnx::NodeProto& node : model.graph().node()) {
      if (node.output_size() != 1) fail(node, "does not have exactly one output");
      if (!values_.contains(node.output(0))) values_[node.output(0)] = run(node);
    }
  }

  GraphTensor value(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end())
      throw core::InputError({.message = "has no value in the graph", .field = name});
    return found->second;
  }

 private:
  [[noreturn]] static void fail(const onnx::NodeProto& node, const std::string& message) {
    throw core::InputError({.message = fmt::format("{} {}", node.op_type(), message), .field = node.name()});
  }

  void read(const onnx::TensorProto& tensor) {
    GraphTensor out{.shape = {tensor.dims().begin(), tensor.dims().end()}};
    const std::string& raw = tensor.raw_data();
    if (tensor.data_type() == onnx::TensorProto::FLOAT && raw.size() == count_of(out.shape) * sizeof(float)) {
      out.values.resize(count_of(out.shape));
      std::memcpy(out.values.data(), raw.data(), raw.size());
      values_[tensor.name()] = std::move(out);
    } else if (tensor.data_type() == onnx::TensorProto::INT64 &&
               raw.size() == count_of(out.shape) * sizeof(std::int64_t)) {
      Shape integers(count_of(out.shape));
      std::memcpy(integers.data(), raw.data(), raw.size());
      integers_[tensor.name()] = std::move(integers);
    } else {
      throw core::InputError({.message = "is no tensor of float32 or int64", .field = tensor.name()});
    }
  }

  const GraphTensor& argument(const onnx::NodeProto& node, int index) const {
    if (index >= node.input_size()) fail(node, "lacks an input");
    const auto found = values_.find(node.input(index));
    if (found == values_.end()) fail(node, fmt::format("lacks its input \"{}\"", node.input(index)));
    return found->second;
  }

  const Shape& integers(const onnx::NodeProto& node, int index) const {
    const auto found = index < node.input_size() ? integers_.find(node.input(index)) : integers_.end();
    if (found == integers_.end()) fail(node, "lacks an input of integers");
    return found->second;
  }

  static const onnx::AttributeProto* attribute(const onnx::NodeProto& node, const char* name) {
    for (const onnx::AttributeProto& candidate : node.attribute())
      if (candidate.name() == name) return &candidate;
    return nullptr;
  }

  static double number(const onnx::NodeProto& node, const char* name, double otherwise) {
    const onnx::AttributeProto* found = attribute(node, name);
    return found == nullptr ? otherwise : static_cast<double>(found->f());
  }

  static std::int64_t integer(const onnx::NodeProto& node, const char* name, std::int64_t otherwise) {
    const onnx::AttributeProto* found = attribute(node, name);
    return found == nullptr ? otherwise : found->i();
  }

  GraphTensor each(const onnx::NodeProto& node, const std::function<double(double)>& function) const {
    GraphTensor out = argument(node, 0);
    for (float& value : out.values) value = static_cast<float>(function(value));
    return out;
  }

  // Numpy's broadcasting.
  GraphTensor both(const onnx::NodeProto& node, const std::function<double(double, double)>& function) const {
    const GraphTensor &a = argument(node, 0), &b = argument(node, 1);
    const std::size_t rank = std::max(a.shape.size(), b.shape.size());
    const auto extent = [&](const GraphTensor& tensor, std::size_t axis) {
      const std::size_t missing = rank - tensor.shape.size();
      return axis < missing ? 1 : tensor.shape[axis - missing];
    };
    GraphTensor out;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (extent(a, axis) != extent(b, axis) && extent(a, axis) != 1 && extent(b, axis) != 1)
        fail(node, "has inputs of shapes that do not fit");
      out.shape.push_back(std::max(extent(a, axis), extent(b, axis)));
    }
    out.values.resize(count_of(out.shape));
    const auto place = [&](const GraphTensor& tensor, std::size_t index) {
      std::size_t offset = 0, stride = 1;
      for (std::size_t axis = rank; axis-- > 0;) {
        const auto full = static_cast<std::size_t>(out.shape[axis]);
        const auto own = static_cast<std::size_t>(extent(tensor, axis));
        offset += (own == 1 ? 0 : index % full) * stride;
        stride *= own;
        index /= full;
      }
      return offset;
    };
    for (std::size_t i = 0; i < out.values.size(); ++i)
      out.values[i] = static_cast<float>(function(a.values[place(a, i)], b.values[place(b, i)]));
    return out;
  }

  GraphTensor gemm(const onnx::NodeProto& node) const {
    const GraphTensor &a = argument(node, 0), &b = argument(node, 1), &c = argument(node, 2);
    if (integer(node, "transA", 0) != 0 || integer(node, "transB", 0) != 1 || number(node, "alpha", 1) != 1 ||
        number(node, "beta", 1) != 1)
      fail(node, "is of a kind that the generator does not use");
    if (a.shape.size() != 2 || b.shape.size() != 2 || a.shape[1] != b.shape[1] ||
        c.shape != Shape{b.shape[0]})
      fail(node, "has inputs of shapes that do not fit");
    const auto rows = static_cast<std::size_t>(a.shape[0]), out = static_cast<std::size_t>(b.shape[0]),
               in = static_cast<std::size_t>(a.shape[1]);
    GraphTensor result{.shape = {a.shape[0], b.shape[0]}, .values = std::vector<float>(rows * out)};
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t o = 0; o < out; ++o) {
        double sum = c.values[o];
        for (std::size_t i = 0; i < in; ++i)
          sum += static_cast<double>(a.values[row * in + i]) * b.values[o * in + i];
        result.values[row * out + o] = static_cast<float>(sum);
      }
    return result;
  }

  GraphTensor concat(const onnx::NodeProto& node) const {
    if (integer(node, "axis", 0) != 1) fail(node, "is along another axis than 1");
    const std::int64_t rows = argument(node, 0).shape.at(0);
    GraphTensor out{.shape = {rows, 0}};
    for (int i = 0; i < node.input_size(); ++i) {
      const GraphTensor& part = argument(node, i);
      if (part.shape.size() != 2 || part.shape[0] != rows) fail(node, "has inputs of shapes that do not fit");
      out.shape[1] += part.shape[1];
    }
    for (std::int64_t row = 0; row < rows; ++row)
      for (int i = 0; i < node.input_size(); ++i) {
        const GraphTensor& part = argument(node, i);
        const auto begin = part.values.begin() + row * part.shape[1];
        out.values.insert(out.values.end(), begin, begin + part.shape[1]);
      }
    return out;
  }

  // Of columns.
  GraphTensor slice(const onnx::NodeProto& node) const {
    const GraphTensor& x = argument(node, 0);
    const std::int64_t begin = integers(node, 1).at(0), end = integers(node, 2).at(0);
    if (x.shape.size() != 2 || integers(node, 3) != Shape{1} || begin < 0 || begin >= end || end > x.shape[1])
      fail(node, "is of a kind that the generator does not use");
    GraphTensor out{.shape = {x.shape[0], end - begin}};
    for (std::int64_t row = 0; row < x.shape[0]; ++row) {
      const auto first = x.values.begin() + row * x.shape[1];
      out.values.insert(out.values.end(), first + begin, first + end);
    }
    return out;
  }

  GraphTensor reshape(const onnx::NodeProto& node) const {
    GraphTensor out = argument(node, 0);
    Shape shape = integers(node, 1);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] < 0) fail(node, "is of a kind that the generator does not use");
      if (shape[axis] == 0) shape[axis] = out.shape.at(axis);
    }
    if (count_of(shape) != out.values.size()) fail(node, "changes the number of values");
    out.shape = shape;
    return out;
  }

  GraphTensor run(const onnx::NodeProto& node) const {
    const std::string& op = node.op_type();
    if (op == "Gemm") return gemm(node);
    if (op == "Concat") return concat(node);
    if (op == "Slice") return slice(node);
    if (op == "Reshape") return reshape(node);
    if (op == "Add") return both(node, std::plus<double>());
    if (op == "Mul") return both(node, std::multiplies<double>());
    if (op == "Div") return both(node, std::divides<double>());
    if (op == "Relu") return each(node, [](double x) { return std::max(x, 0.0); });
    if (op == "Exp") return each(node, [](double x) { return std::exp(x); });
    if (op == "Erf") return each(node, [](double x) { return std::erf(x); });
    if (op == "Tanh") return each(node, [](double x) { return std::tanh(x); });
    if (op == "Sigmoid") return each(node, [](double x) { return 1 / (1 + std::exp(-x)); });
    if (op == "Reciprocal") return each(node, [](double x) { return 1 / x; });
    if (op == "Softplus")
      return each(node, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
    const double alpha = number(node, "alpha",
                                op == "Selu"  ? 1.67326319217681884765625
                                : op == "Elu" ? 1
                                              : 0.01);
    if (op == "LeakyRelu") return each(node, [=](double x) { return x >= 0 ? x : alpha * x; });
    if (op == "Elu") return each(node, [=](double x) { return x > 0 ? x : alpha * std::expm1(x); });
    if (op == "Selu") {
      const double gamma = number(node, "gamma", 1.05070102214813232421875);
      return each(node, [=](double x) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); });
    }
    fail(node, "is no operator that the generator uses");
  }

  GraphValues values_;
  std::map<std::string, Shape> integers_;
};

}  // namespace

GraphValues evaluate_graph(const std::string& bytes, const GraphValues& given) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) throw core::InputError({.message = "is no ONNX file"});
  for (const onnx::ValueInfoProto& input : model.graph().input())
    if (!given.contains(input.name()))
      throw core::InputError({.message = "is an input without a value", .field = input.name()});
  const Evaluator evaluator(model, given);
  GraphValues outputs;
  for (const onnx::ValueInfoProto& output : model.graph().output())
    outputs[output.name()] = evaluator.value(output.name());
  return outputs;
}

}  // namespace calo
