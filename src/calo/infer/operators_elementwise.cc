#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <type_traits>

#include "calo/infer/activation.h"
#include "calo/infer/operators.h"
#include "core/error.h"

namespace calo::infer {
namespace {

// Walks a broadcast: for each run of the last dimension, where in each operand it begins.
template <std::size_t kOperands>
struct Broadcast {
  Shape shape;
  std::array<std::array<std::int64_t, Shape::kMaxRank>, kOperands> strides{};

  Broadcast(const OperatorCall& call, const std::array<const Shape*, kOperands>& operands) {
    for (const Shape* operand : operands) shape.rank = std::max(shape.rank, operand->rank);
    for (std::size_t i = 0; i < shape.rank; ++i) {
      std::int64_t extent = 1;
      for (const Shape* operand : operands) {
        if (i + operand->rank < shape.rank) continue;
        const std::int64_t own = (*operand)[i + operand->rank - shape.rank];
        if (own == 1) continue;
        if (extent != 1 && extent != own) call.fail("takes shapes that do not fit together");
        extent = own;
      }
      shape[i] = extent;
    }
    for (std::size_t o = 0; o < kOperands; ++o) {
      std::int64_t stride = 1;
      for (std::size_t i = operands[o]->rank; i-- > 0;) {
        const std::int64_t own = (*operands[o])[i];
        strides[o][i + shape.rank - operands[o]->rank] = own == 1 ? 0 : stride;
        stride *= own;
      }
    }
  }

  template <class Body>
  void for_each_run(const Body& body) const {
    const std::int64_t length = shape.rank > 0 ? shape[shape.rank - 1] : 1;
    if (shape.count() == 0) return;
    const std::int64_t runs = shape.count() / length;
    std::array<std::int64_t, kOperands> begin{}, step{};
    for (std::size_t o = 0; o < kOperands; ++o) step[o] = shape.rank > 0 ? strides[o][shape.rank - 1] : 0;
    std::array<std::int64_t, Shape::kMaxRank> at{};
    for (std::int64_t run = 0; run < runs; ++run) {
      body(run * length, length, begin, step);
      for (std::size_t i = shape.rank - (shape.rank > 0 ? 1 : 0); i-- > 0;) {
        for (std::size_t o = 0; o < kOperands; ++o) begin[o] += strides[o][i];
        if (++at[i] < shape[i]) break;
        for (std::size_t o = 0; o < kOperands; ++o) begin[o] -= strides[o][i] * shape[i];
        at[i] = 0;
      }
    }
  }
};

template <class In, class Out, class Function>
void binary(const Tensor& a, const Tensor& b, const In* from_a, const In* from_b, Out* out,
            const OperatorCall& call, const Function& function) {
  const Broadcast<2> walk(call, {&a.shape, &b.shape});
  walk.for_each_run([&](std::int64_t to, std::int64_t length, const auto& begin, const auto& step) {
    for (std::int64_t i = 0; i < length; ++i)
      out[to + i] =
          static_cast<Out>(function(from_a[begin[0] + i * step[0]], from_b[begin[1] + i * step[1]]));
  });
}

// Function works on floats and on integers; both operands are of one type.
template <class Function>
Operator arithmetic(const Function& function, bool makes_bool = false) {
  return [function, makes_bool](OperatorCall& call) {
    if (call.inputs.size() != 2) call.fail("needs two inputs");
    const Tensor &a = call.input(0), &b = call.input(1);
    if (a.type != b.type) call.fail("takes two types");
    const Shape shape = Broadcast<2>(call, {&a.shape, &b.shape}).shape;
    Tensor& out = call.output(0, makes_bool ? ElementType::kBool : a.type, shape);
    if (makes_bool) {
      if (a.is_float())
        binary(a, b, a.floats.data(), b.floats.data(), out.integers.data(), call, function);
      else
        binary(a, b, a.integers.data(), b.integers.data(), out.integers.data(), call, function);
    } else if (a.is_float()) {
      binary(a, b, a.floats.data(), b.floats.data(), out.floats.data(), call, function);
    } else {
      binary(a, b, a.integers.data(), b.integers.data(), out.integers.data(), call, function);
      if (out.type == ElementType::kInt32)
        for (std::size_t i = 0; i < out.size(); ++i)
          out.integers[i] = static_cast<std::int32_t>(static_cast<std::uint64_t>(out.integers[i]));
    }
  };
}

// Integers wrap around, as they do in two's complement.
template <class T, class Function>
T wrapping(T a, T b, const Function& function) {
  if constexpr (std::is_floating_point_v<T>)
    return function(a, b);
  else
    return static_cast<T>(function(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
}

struct Quotient {
  float operator()(float a, float b) const { return a / b; }
  std::int64_t operator()(std::int64_t a, std::int64_t b) const {
    if (b == 0) return 0;  // as good as any number; onnxruntime crashes
    if (b == -1) return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a));
    return a / b;
  }
};

Operator power() {
  return [](OperatorCall& call) {
    const Tensor &a = call.floats(0), &b = call.input(1);
    Tensor& out = call.output(0, ElementType::kFloat, Broadcast<2>(call, {&a.shape, &b.shape}).shape);
    const Broadcast<2> walk(call, {&a.shape, &b.shape});
    walk.for_each_run([&](std::int64_t to, std::int64_t length, const auto& begin, const auto& step) {
      for (std::int64_t i = 0; i < length; ++i) {
        const auto at = static_cast<std::size_t>(begin[1] + i * step[1]);
        const float exponent = b.is_float() ? b.floats[at] : static_cast<float>(b.integers[at]);
        out.floats[static_cast<std::size_t>(to + i)] =
            std::pow(a.floats[static_cast<std::size_t>(begin[0] + i * step[0])], exponent);
      }
    });
  };
}

Operator choice() {
  return [](OperatorCall& call) {
    const Tensor &condition = call.integers(0), &a = call.input(1), &b = call.input(2);
    if (a.type != b.type) call.fail("takes two types");
    const Broadcast<3> walk(call, {&condition.shape, &a.shape, &b.shape});
    Tensor& out = call.output(0, a.type, walk.shape);
    const auto run = [&](const auto* from_a, const auto* from_b, auto* to_all) {
      walk.for_each_run([&](std::int64_t to, std::int64_t length, const auto& begin, const auto& step) {
        for (std::int64_t i = 0; i < length; ++i)
          to_all[to + i] = condition.integers[static_cast<std::size_t>(begin[0] + i * step[0])] != 0
                               ? from_a[begin[1] + i * step[1]]
                               : from_b[begin[2] + i * step[2]];
      });
    };
    if (a.is_float())
      run(a.floats.data(), b.floats.data(), out.floats.data());
    else
      run(a.integers.data(), b.integers.data(), out.integers.data());
  };
}

template <class Function>
Operator unary(const Function& function) {
  return [function](OperatorCall& call) {
    if (call.inputs.size() != 1) call.fail("needs one input");
    const Tensor& in = call.floats(0);
    Tensor& out = call.output(0, ElementType::kFloat, in.shape);
    const std::size_t count = in.size();
    for (std::size_t i = 0; i < count; ++i) out.floats[i] = function(in.floats[i]);
  };
}

Operator negation() {
  return [](OperatorCall& call) {
    const Tensor& in = call.input(0);
    Tensor& out = call.output(0, in.type, in.shape);
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (in.is_float())
        out.floats[i] = -in.floats[i];
      else
        out.integers[i] = static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(in.integers[i]));
    }
  };
}

Operator clip(const OnnxNode& node) {
  only_attributes(node, {"min", "max"});
  const float least = float_attribute(node, "min", std::numeric_limits<float>::lowest());
  const float most = float_attribute(node, "max", std::numeric_limits<float>::max());
  return [least, most](OperatorCall& call) {
    const Tensor& in = call.floats(0);
    const auto limit = [&](std::size_t i, float otherwise) {
      if (call.optional_input(i) == nullptr) return otherwise;
      const Tensor& tensor = call.floats(i);
      if (tensor.size() != 1) call.fail("needs one number as a limit");
      return tensor.floats[0];
    };
    const float low = limit(1, least), high = limit(2, most);
    Tensor& out = call.output(0, ElementType::kFloat, in.shape);
    for (std::size_t i = 0; i < in.size(); ++i) out.floats[i] = std::min(std::max(in.floats[i], low), high);
  };
}

// (x - zero point) · scale, each for all or by one axis.
Operator dequantize_linear(const OnnxNode& node) {
  only_attributes(node, {"axis", "block_size", "output_dtype"});
  const std::int64_t axis = int_attribute(node, "axis", 1);
  if (int_attribute(node, "block_size", 0) != 0 || (int_attribute(node, "output_dtype", 1) | 1) != 1)
    throw core::InputError(
        {.message = "works in blocks, or makes other numbers than floats, which is not known",
         .field = where_of(node)});
  return [axis](OperatorCall& call) {
    const Tensor& in = call.integers(0);
    const Tensor& scale = call.floats(1);
    const Tensor* const zero = call.optional_input(2);
    std::size_t extent = 1, stride = in.size();
    if (scale.size() != 1) {
      const std::size_t at = axis_of(call, axis, in.shape.rank);
      extent = static_cast<std::size_t>(in.shape[at]);
      stride = static_cast<std::size_t>(in.shape.count(at + 1, in.shape.rank));
      if (scale.shape.rank != 1 || scale.size() != extent)
        call.fail("has scales of another size than its axis");
    }
    if (zero != nullptr && (zero->is_float() || zero->size() != scale.size()))
      call.fail("has other zero points than scales");
    Tensor& out = call.output(0, ElementType::kFloat, in.shape);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::size_t j = scale.size() == 1 ? 0 : i / stride % extent;
      const std::int64_t point = zero != nullptr ? zero->integers[j] : 0;
      out.floats[i] = static_cast<float>(in.integers[i] - point) * scale.floats[j];
    }
  };
}

Operator cast(const OnnxNode& node) {
  only_attributes(node, {"to", "saturate"});
  const std::int64_t to = int_attribute(node, "to", 0);
  if (to != 1 && to != 6 && to != 7 && to != 9)
    throw core::InputError(
        {.message = fmt::format("casts to the type {}, which is not known", to), .field = where_of(node)});
  const auto type = static_cast<ElementType>(to);
  return [type](OperatorCall& call) {
    const Tensor& in = call.input(0);
    Tensor& out = call.output(0, type, in.shape);
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (in.is_float() && out.is_float()) {
        out.floats[i] = in.floats[i];
      } else if (out.is_float()) {
        out.floats[i] = static_cast<float>(in.integers[i]);
      } else if (type == ElementType::kBool) {
        out.integers[i] = in.is_float() ? in.floats[i] != 0 : in.integers[i] != 0;
      } else {
        std::int64_t value = 0;
        if (in.is_float()) {
          const float x = in.floats[i];
          // What no integer can hold becomes the smallest, as x86's conversion has it.
          value =
              std::abs(x) < 9.2e18f ? static_cast<std::int64_t>(x) : std::numeric_limits<std::int64_t>::min();
        } else {
          value = in.integers[i];
        }
        out.integers[i] = type == ElementType::kInt32
                              ? static_cast<std::int32_t>(static_cast<std::uint64_t>(value))
                              : value;
      }
    }
  };
}

}  // namespace

Operator elementwise_operator(const OnnxNode& node, std::int64_t /*opset*/) {
  const std::string& op = node.op_type;
  using Kind = Activation::Kind;
  const auto activation = [&](Activation function, std::initializer_list<const char*> attributes) {
    only_attributes(node, attributes);
    return unary(function);
  };
  if (op == "Relu") return activation({Kind::kRelu}, {});
  if (op == "Tanh") return activation({Kind::kTanh}, {});
  if (op == "Sigmoid") return activation({Kind::kSigmoid}, {});
  if (op == "Softplus") return activation({Kind::kSoftplus}, {});
  if (op == "LeakyRelu")
    return activation({Kind::kLeakyRelu, float_attribute(node, "alpha", 0.01f)}, {"alpha"});
  if (op == "Elu") return activation({Kind::kElu, float_attribute(node, "alpha", 1.0f)}, {"alpha"});
  if (op == "Selu")
    return activation({Kind::kSelu, float_attribute(node, "alpha", Activation::kSeluAlpha),
                       float_attribute(node, "gamma", Activation().gamma)},
                      {"alpha", "gamma"});
  if (op == "Gelu") {
    only_attributes(node, {"approximate"});
    const auto found = node.attributes.find("approximate");
    if (found != node.attributes.end() && found->second.s == "tanh")
      return unary([](float x) {
        return 0.5f * x * (1 + std::tanh(0.7978845608028654f * (x + 0.044715f * x * x * x)));
      });
    return unary(Activation{Kind::kGelu});
  }
  if (op == "Clip") return clip(node);
  if (op == "Cast") return cast(node);
  if (op == "DequantizeLinear") return dequantize_linear(node);
  static const std::map<std::string, Operator> kSimple = {
      {"Add", arithmetic([](auto a, auto b) { return wrapping(a, b, std::plus<>()); })},
      {"Sub", arithmetic([](auto a, auto b) { return wrapping(a, b, std::minus<>()); })},
      {"Mul", arithmetic([](auto a, auto b) { return wrapping(a, b, std::multiplies<>()); })},
      {"Div", arithmetic(Quotient())},
      {"Min", arithmetic([](auto a, auto b) { return b < a ? b : a; })},
      {"Max", arithmetic([](auto a, auto b) { return b > a ? b : a; })},
      {"Less", arithmetic([](auto a, auto b) { return a < b; }, true)},
      {"LessOrEqual", arithmetic([](auto a, auto b) { return a <= b; }, true)},
      {"Greater", arithmetic([](auto a, auto b) { return a > b; }, true)},
      {"GreaterOrEqual", arithmetic([](auto a, auto b) { return a >= b; }, true)},
      {"Equal", arithmetic([](auto a, auto b) { return a == b; }, true)},
      {"Pow", power()},
      {"Where", choice()},
      {"Neg", negation()},
      {"Exp", unary([](float x) { return std::exp(x); })},
      {"Log", unary([](float x) { return std::log(x); })},
      {"Sqrt", unary([](float x) { return std::sqrt(x); })},
      {"Erf", unary([](float x) { return std::erf(x); })},
      {"Abs", unary([](float x) { return std::abs(x); })},
      {"Sin", unary([](float x) { return std::sin(x); })},
      {"Cos", unary([](float x) { return std::cos(x); })},
      {"Floor", unary([](float x) { return std::floor(x); })},
      {"Ceil", unary([](float x) { return std::ceil(x); })},
      {"Reciprocal", unary([](float x) { return 1 / x; })},
  };
  const auto found = kSimple.find(op);
  if (found == kSimple.end()) return nullptr;
  only_attributes(node, {});
  return found->second;
}

}  // namespace calo::infer
