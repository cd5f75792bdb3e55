#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "calo/infer/activation.h"
#include "calo/infer/detail/broadcast.h"
#include "calo/infer/detail/parallel.h"
#include "calo/infer/float_functions.h"
#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

// Integers wrap around, as they do in two's complement.
template <class T, class Function>
T wrapping(T a, T b, const Function& function) {
  if constexpr (std::is_floating_point_v<T>)
    return function(a, b);
  else
    return static_cast<T>(function(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
}

template <class T>
bool is_nan(T x) {
  return x != x;
}
// NaN is passed on from either side.
template <class T>
T least_of(T a, T b) {
  return is_nan(a) ? a : is_nan(b) ? b : std::min(a, b);
}
template <class T>
T most_of(T a, T b) {
  return is_nan(a) ? a : is_nan(b) ? b : std::max(a, b);
}

struct Quotient {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a / b;
    } else {
      if (b == 0) return 0;  // as good as any number; onnxruntime crashes
      if constexpr (std::is_signed_v<T>)
        if (b == -1) return static_cast<T>(0 - static_cast<std::uint64_t>(a));
      return a / b;
    }
  }
};

// As Python has it (the sign of b), or as C (the sign of a).
struct Remainder {
  bool as_c = false;
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else {
      if (b == 0) return 0;
      if constexpr (std::is_signed_v<T>)
        if (b == -1) return 0;
      const T rest = a % b;
      if constexpr (std::is_signed_v<T>)
        if (!as_c && rest != 0 && (rest < 0) != (b < 0)) return rest + b;
      return rest;
    }
  }
};

enum class Takes { kAll, kReals, kNumbers, kBools };

void check_type(const OperatorCall& call, ElementType type, Takes takes) {
  const bool fits = takes == Takes::kAll || (takes == Takes::kReals && is_real(type)) ||
                    (takes == Takes::kNumbers && type != ElementType::kBool) ||
                    (takes == Takes::kBools && type == ElementType::kBool);
  if (!fits) call.fail(fmt::format("takes {}, for which it is not made", to_string(type)));
}

// out = function(out-so-far or a, b), with the shapes of both.
template <class T, class Out, class Function>
void combine(const OperatorCall& call, const Shape& shape_a, const T* a, const Tensor& b, Out* out,
             const Function& function) {
  const Broadcast<2> walk(call, {&shape_a, &b.shape});
  const T* const from_b = b.numbers<T>();
  walk.for_each_run([&](std::int64_t to, std::int64_t length, const auto& begin, const auto& step) {
    const T* const x = a + begin[0];
    const T* const y = from_b + begin[1];
    Out* const z = out + to;
    if (step[0] == 1 && step[1] == 1)
      for (std::int64_t i = 0; i < length; ++i) z[i] = static_cast<Out>(function(x[i], y[i]));
    else if (step[0] == 1 && step[1] == 0)
      for (std::int64_t i = 0; i < length; ++i) z[i] = static_cast<Out>(function(x[i], y[0]));
    else
      for (std::int64_t i = 0; i < length; ++i)
        z[i] = static_cast<Out>(function(x[i * step[0]], y[i * step[1]]));
  });
}

// Function works on every type in which numbers are kept; both operands are of one type.
template <class Function>
Operator binary(const Function& function, Takes takes, bool makes_bool = false) {
  return [=](OperatorCall& call) {
    call.inputs_between(2, 2);
    const Tensor &a = call.input(0), &b = call.input(1);
    if (a.type != b.type)
      call.fail(fmt::format("takes two types, {} and {}", to_string(a.type), to_string(b.type)));
    check_type(call, a.type, takes);
    const Shape shape = Broadcast<2>(call, {&a.shape, &b.shape}).shape;
    Tensor& out = call.output(0, makes_bool ? ElementType::kBool : a.type, shape);
    by_storage(a.type, [&](auto kind) {
      using T = decltype(kind);
      if (makes_bool)
        combine(call, a.shape, a.numbers<T>(), b, out.integers.data(), function);
      else
        combine(call, a.shape, a.numbers<T>(), b, out.numbers<T>(), function);
    });
  };
}

// Any number of operands, one after the other. Partial results have the shape of the whole.
template <class Function>
Operator variadic(const Function& function, Takes takes, bool mean = false) {
  return [=](OperatorCall& call) {
    const Tensor& first = call.input(0);
    check_type(call, first.type, takes);
    Shape shape = first.shape;
    for (std::size_t i = 1; i < call.inputs.size(); ++i) {
      const Tensor& in = call.input(i);
      if (in.type != first.type)
        call.fail(fmt::format("takes two types, {} and {}", to_string(first.type), to_string(in.type)));
      shape = Broadcast<2>(call, {&shape, &in.shape}).shape;
    }
    Tensor& out = call.output(0, first.type, shape);
    by_storage(first.type, [&](auto kind) {
      using T = decltype(kind);
      const Shape all = out.shape;
      if (call.inputs.size() == 2) {
        combine(call, first.shape, first.numbers<T>(), call.input(1), out.numbers<T>(), function);
      } else {
        // The first is spread out, the rest is combined in place.
        const Broadcast<2> walk(call, {&first.shape, &all});
        walk.for_each_run([&](std::int64_t to, std::int64_t length, const auto& begin, const auto& step) {
          for (std::int64_t i = 0; i < length; ++i)
            out.numbers<T>()[to + i] = first.numbers<T>()[begin[0] + i * step[0]];
        });
        for (std::size_t i = 1; i < call.inputs.size(); ++i)
          combine(call, all, out.numbers<T>(), call.input(i), out.numbers<T>(), function);
      }
      if constexpr (std::is_floating_point_v<T>)
        if (mean)
          for (std::size_t i = 0; i < out.size(); ++i)
            out.numbers<T>()[i] /= static_cast<T>(call.inputs.size());
    });
  };
}

// The exponent may be of another type.
void power(OperatorCall& call) {
  call.inputs_between(2, 2);
  const Tensor &a = call.input(0), &b = call.input(1);
  check_type(call, a.type, Takes::kNumbers);
  check_type(call, b.type, Takes::kNumbers);
  const Broadcast<2> walk(call, {&a.shape, &b.shape});
  Tensor& out = call.output(0, a.type, walk.shape);
  by_storage(a.type, [&](auto kind) {
    by_storage(b.type, [&](auto other) {
      using T = decltype(kind);
      using E = decltype(other);
      using Wide = std::conditional_t<std::is_same_v<T, float> && !std::is_same_v<E, double>, float, double>;
      walk.for_each_run([&](std::int64_t to, std::int64_t length, const auto& begin, const auto& step) {
        for (std::int64_t i = 0; i < length; ++i) {
          const Wide result = std::pow(static_cast<Wide>(a.numbers<T>()[begin[0] + i * step[0]]),
                                       static_cast<Wide>(b.numbers<E>()[begin[1] + i * step[1]]));
          if constexpr (std::is_floating_point_v<T>)
            out.numbers<T>()[to + i] = static_cast<T>(result);
          else  // what no integer can hold becomes the smallest, as x86's conversion has it
            out.numbers<T>()[to + i] =
                static_cast<T>(std::abs(result) < 9.2e18 ? static_cast<std::int64_t>(result)
                                                         : std::numeric_limits<std::int64_t>::min());
        }
      });
    });
  });
}

void choice(OperatorCall& call) {
  call.inputs_between(3, 3);
  const Tensor &condition = call.integers(0), &a = call.input(1), &b = call.input(2);
  check_type(call, condition.type, Takes::kBools);
  if (a.type != b.type)
    call.fail(fmt::format("takes two types, {} and {}", to_string(a.type), to_string(b.type)));
  const Broadcast<3> walk(call, {&condition.shape, &a.shape, &b.shape});
  Tensor& out = call.output(0, a.type, walk.shape);
  by_storage(a.type, [&](auto kind) {
    using T = decltype(kind);
    walk.for_each_run([&](std::int64_t to, std::int64_t length, const auto& begin, const auto& step) {
      for (std::int64_t i = 0; i < length; ++i)
        out.numbers<T>()[to + i] = condition.integers[static_cast<std::size_t>(begin[0] + i * step[0])] != 0
                                       ? a.numbers<T>()[begin[1] + i * step[1]]
                                       : b.numbers<T>()[begin[2] + i * step[2]];
    });
  });
}

// Function works on floats and doubles, or on integers too.
template <class Function>
Operator unary(const Function& function, Takes takes = Takes::kReals) {
  return [function, takes](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.input(0);
    check_type(call, in.type, takes);
    Tensor& out = call.output(0, in.type, in.shape);
    const std::size_t count = in.size();
    const auto run = [&](auto kind) {
      using T = decltype(kind);
      const T* const from = in.numbers<T>();
      T* const to = out.numbers<T>();
      for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<T>(function(from[i]));
    };
    if (takes == Takes::kReals) {
      by_real(in.type, run);
    } else {
      by_storage(in.type, run);
    }
  };
}
template <class Function>
Operator real_unary(const Function& function) {
  return [function](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.reals(0);
    Tensor& out = call.output(0, in.type, in.shape);
    const std::size_t count = in.size();
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      const T* const from = in.numbers<T>();
      T* const to = out.numbers<T>();
      for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<T>(function(from[i]));
    });
  };
}
// Floats by whole vectors, other types by another operator.
Operator on_floats(const Activation& activation, Operator others) {
  return [activation, others = std::move(others)](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.input(0);
    if (!in.is_float()) return others(call);
    Tensor& out = call.output(0, in.type, in.shape);
    const FloatFunction function = float_function(activation.kind, call.isa);
    constexpr std::size_t kPart = std::size_t{1} << 14;
    for_each(call.pool, (in.size() + kPart - 1) / kPart, [&](std::size_t part) {
      const std::size_t begin = part * kPart;
      function(activation, in.floats.data() + begin, out.floats.data() + begin,
               std::min(kPart, in.size() - begin));
    });
  };
}
template <class Function>
Operator vectorised(const Activation& activation, const Function& function) {
  return on_floats(activation, real_unary(function));
}
template <class Function>
Operator question(const Function& function) {
  return [function](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.reals(0);
    Tensor& out = call.output(0, ElementType::kBool, in.shape);
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::size_t i = 0; i < in.size(); ++i) out.integers[i] = function(in.numbers<T>()[i]) ? 1 : 0;
    });
  };
}

Operator clip(const OnnxNode& node) {
  only_attributes(node, {"min", "max"});
  const float least = float_attribute(node, "min", std::numeric_limits<float>::lowest());
  const float most = float_attribute(node, "max", std::numeric_limits<float>::max());
  const bool has_least = has_attribute(node, "min"), has_most = has_attribute(node, "max");
  return [=](OperatorCall& call) {
    call.inputs_between(1, 3);
    const Tensor& in = call.input(0);
    check_type(call, in.type, Takes::kNumbers);
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      const auto limit = [&](std::size_t i, bool given, float attribute, T otherwise) {
        if (call.optional_input(i) == nullptr) return given ? static_cast<T>(attribute) : otherwise;
        const Tensor& tensor = call.input(i);
        if (tensor.size() != 1) call.fail("needs one number as a limit");
        if (tensor.type != in.type) call.fail("has limits of another type");
        return tensor.numbers<T>()[0];
      };
      const T low = limit(1, has_least, least, std::numeric_limits<T>::lowest());
      const T high = limit(2, has_most, most, std::numeric_limits<T>::max());
      Tensor& out = call.output(0, in.type, in.shape);
      const T* const from = in.numbers<T>();
      T* const to = out.numbers<T>();
      // NaN stays: neither comparison holds for it.
      for (std::size_t i = 0; i < in.size(); ++i) {
        const T x = from[i] < low ? low : from[i];
        to[i] = x > high ? high : x;
      }
    });
  };
}

// A slope for each number, spread out over the input.
void parametric_relu(OperatorCall& call) {
  call.inputs_between(2, 2);
  const Tensor& in = call.input(0);
  const Tensor& slope = call.input(1);
  check_type(call, in.type, Takes::kNumbers);
  if (slope.type != in.type) call.fail("has slopes of another type");
  if (!(Broadcast<2>(call, {&in.shape, &slope.shape}).shape == in.shape))
    call.fail(fmt::format("has slopes {} for {}", slope.shape.to_string(), in.shape.to_string()));
  Tensor& out = call.output(0, in.type, in.shape);
  by_storage(in.type, [&](auto kind) {
    using T = decltype(kind);
    combine(call, in.shape, in.numbers<T>(), slope, out.numbers<T>(),
            [](auto x, auto a) { return x < 0 ? wrapping(x, a, std::multiplies<>()) : x; });
  });
}

void negation(OperatorCall& call) {
  call.inputs_between(1, 1);
  const Tensor& in = call.input(0);
  check_type(call, in.type, Takes::kNumbers);
  Tensor& out = call.output(0, in.type, in.shape);
  by_storage(in.type, [&](auto kind) {
    using T = decltype(kind);
    for (std::size_t i = 0; i < in.size(); ++i) {
      if constexpr (std::is_floating_point_v<T>)
        out.numbers<T>()[i] = -in.numbers<T>()[i];
      else
        out.numbers<T>()[i] = static_cast<T>(0 - static_cast<std::uint64_t>(in.numbers<T>()[i]));
    }
  });
}

template <class T>
T softplus(T x) {
  return most_of(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
}
template <class T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}
template <class T>
T hard_sigmoid(T x, T alpha, T beta) {
  return most_of(T(0), least_of(T(1), alpha * x + beta));
}

void add_activations(OperatorTable& table) {
  // Plain ones: no attributes.
  const auto plain = [&](const char* name, Operator op) {
    table[name] = [op = std::move(op)](const OnnxNode& node, std::int64_t /*opset*/) {
      only_attributes(node, {});
      return op;
    };
  };
  using Kind = Activation::Kind;
  plain("Relu",
        on_floats({Kind::kRelu}, unary([](auto x) { return x < 0 ? decltype(x)(0) : x; }, Takes::kNumbers)));
  plain("Tanh", vectorised({Kind::kTanh}, [](auto x) { return std::tanh(x); }));
  plain("Sigmoid", vectorised({Kind::kSigmoid}, [](auto x) { return sigmoid(x); }));
  plain("Softplus", vectorised({Kind::kSoftplus}, [](auto x) { return softplus(x); }));
  plain("Softsign", vectorised({Kind::kSoftsign}, [](auto x) { return x / (1 + std::abs(x)); }));
  plain("Mish", vectorised({Kind::kMish}, [](auto x) { return x * std::tanh(softplus(x)); }));
  plain("HardSwish", vectorised({Kind::kHardSwish}, [](auto x) {
          return x * hard_sigmoid<decltype(x)>(x, decltype(x)(1.0 / 6), decltype(x)(0.5));
        }));
  plain("PRelu", parametric_relu);
  table["LeakyRelu"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"alpha"});
    const float slope = float_attribute(node, "alpha", 0.01f);
    return vectorised({Kind::kLeakyRelu, slope},
                      [alpha = slope](auto x) { return x < 0 ? static_cast<decltype(x)>(alpha) * x : x; });
  };
  table["Elu"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"alpha"});
    const float factor = float_attribute(node, "alpha", 1);
    return vectorised({Kind::kElu, factor}, [alpha = factor](auto x) {
      return x < 0 ? static_cast<decltype(x)>(alpha) * std::expm1(x) : x;
    });
  };
  table["Celu"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"alpha"});
    const float factor = float_attribute(node, "alpha", 1);
    return vectorised({Kind::kCelu, factor}, [alpha = factor](auto x) {
      using T = decltype(x);
      const auto a = static_cast<T>(alpha);
      return most_of(T(0), x) + least_of(T(0), a * std::expm1(x / a));
    });
  };
  table["Selu"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"alpha", "gamma"});
    const float factor = float_attribute(node, "alpha", Activation::kSeluAlpha);
    const float whole = float_attribute(node, "gamma", Activation().gamma);
    return vectorised({Kind::kSelu, factor, whole}, [alpha = factor, gamma = whole](auto x) {
      using T = decltype(x);
      return static_cast<T>(gamma) * (x > 0 ? x : static_cast<T>(alpha) * std::expm1(x));
    });
  };
  table["ThresholdedRelu"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"alpha"});
    return real_unary([alpha = float_attribute(node, "alpha", 1)](auto x) {
      return x <= static_cast<decltype(x)>(alpha) ? decltype(x)(0) : x;
    });
  };
  table["HardSigmoid"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"alpha", "beta"});
    const float slope = float_attribute(node, "alpha", 0.2f), middle = float_attribute(node, "beta", 0.5f);
    return vectorised({Kind::kHardSigmoid, slope, middle}, [alpha = slope, beta = middle](auto x) {
      return hard_sigmoid<decltype(x)>(x, static_cast<decltype(x)>(alpha), static_cast<decltype(x)>(beta));
    });
  };
  table["Shrink"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"bias", "lambd"});
    return real_unary(
        [bias = float_attribute(node, "bias", 0), lambd = float_attribute(node, "lambd", 0.5f)](auto x) {
          using T = decltype(x);
          return x < static_cast<T>(-lambd)  ? x + static_cast<T>(bias)
                 : x > static_cast<T>(lambd) ? x - static_cast<T>(bias)
                 : is_nan(x)                 ? x
                                             : T(0);
        });
  };
  table["Gelu"] = [](const OnnxNode& node, std::int64_t) -> Operator {
    only_attributes(node, {"approximate"});
    const std::string how = string_attribute(node, "approximate", "none");
    if (how == "tanh")
      return vectorised({Kind::kGeluTanh}, [](auto x) {
        using T = decltype(x);
        return T(0.5) * x * (1 + std::tanh(T(0.7978845608028654) * (x + T(0.044715) * x * x * x)));
      });
    if (how != "none") refuse_node(node, "is approximated in a way that is not known: " + how);
    return vectorised({Kind::kGelu}, [](auto x) {
      using T = decltype(x);
      return T(0.5) * x * (1 + std::erf(x * T(0.70710678118654752)));
    });
  };
}

}  // namespace

void add_elementwise_operators(OperatorTable& table) {
  add_activations(table);
  const auto plain = [&](const char* name, Operator op) {
    table[name] = [op = std::move(op)](const OnnxNode& node, std::int64_t /*opset*/) {
      only_attributes(node, {});
      return op;
    };
  };
  using enum Takes;
  plain("Add", binary([](auto a, auto b) { return wrapping(a, b, std::plus<>()); }, kNumbers));
  plain("Sub", binary([](auto a, auto b) { return wrapping(a, b, std::minus<>()); }, kNumbers));
  plain("Mul", binary([](auto a, auto b) { return wrapping(a, b, std::multiplies<>()); }, kNumbers));
  plain("Div", binary(Quotient(), kNumbers));
  plain("Less", binary([](auto a, auto b) { return a < b; }, kNumbers, true));
  plain("LessOrEqual", binary([](auto a, auto b) { return a <= b; }, kNumbers, true));
  plain("Greater", binary([](auto a, auto b) { return a > b; }, kNumbers, true));
  plain("GreaterOrEqual", binary([](auto a, auto b) { return a >= b; }, kNumbers, true));
  plain("Equal", binary([](auto a, auto b) { return a == b; }, kAll, true));
  plain("And", binary([](auto a, auto b) { return a != 0 && b != 0; }, kBools, true));
  plain("Or", binary([](auto a, auto b) { return a != 0 || b != 0; }, kBools, true));
  plain("Xor", binary([](auto a, auto b) { return (a != 0) != (b != 0); }, kBools, true));
  plain("Min", variadic([](auto a, auto b) { return least_of(a, b); }, kNumbers));
  plain("Max", variadic([](auto a, auto b) { return most_of(a, b); }, kNumbers));
  plain("Sum", variadic([](auto a, auto b) { return wrapping(a, b, std::plus<>()); }, kReals));
  plain("Mean", variadic([](auto a, auto b) { return wrapping(a, b, std::plus<>()); }, kReals, true));
  plain("Pow", power);
  plain("Where", choice);
  plain("Neg", negation);
  plain("Not", [](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.integers(0);
    check_type(call, in.type, kBools);
    Tensor& out = call.output(0, in.type, in.shape);
    for (std::size_t i = 0; i < in.size(); ++i) out.integers[i] = in.integers[i] == 0 ? 1 : 0;
  });
  plain("Abs", unary(
                   [](auto x) {
                     using T = decltype(x);
                     if constexpr (std::is_floating_point_v<T>)
                       return std::abs(x);
                     else if constexpr (std::is_signed_v<T>)
                       return x < 0 ? static_cast<T>(0 - static_cast<std::uint64_t>(x)) : x;
                     else
                       return x;
                   },
                   kNumbers));
  plain("Sign",
        unary([](auto x) { return is_nan(x) ? x : static_cast<decltype(x)>((x > 0) - (x < 0)); }, kNumbers));
  plain("Exp", vectorised({Activation::Kind::kExp}, [](auto x) { return std::exp(x); }));
  plain("Log", real_unary([](auto x) { return std::log(x); }));
  plain("Sqrt", real_unary([](auto x) { return std::sqrt(x); }));
  plain("Erf", vectorised({Activation::Kind::kErf}, [](auto x) { return std::erf(x); }));
  plain("Sin", real_unary([](auto x) { return std::sin(x); }));
  plain("Cos", real_unary([](auto x) { return std::cos(x); }));
  plain("Tan", real_unary([](auto x) { return std::tan(x); }));
  plain("Asin", real_unary([](auto x) { return std::asin(x); }));
  plain("Acos", real_unary([](auto x) { return std::acos(x); }));
  plain("Atan", real_unary([](auto x) { return std::atan(x); }));
  plain("Sinh", real_unary([](auto x) { return std::sinh(x); }));
  plain("Cosh", real_unary([](auto x) { return std::cosh(x); }));
  plain("Asinh", real_unary([](auto x) { return std::asinh(x); }));
  plain("Acosh", real_unary([](auto x) { return std::acosh(x); }));
  plain("Atanh", real_unary([](auto x) { return std::atanh(x); }));
  plain("Floor", real_unary([](auto x) { return std::floor(x); }));
  plain("Ceil", real_unary([](auto x) { return std::ceil(x); }));
  plain("Round", real_unary([](auto x) { return std::nearbyint(x); }));  // half to even
  plain("Reciprocal", real_unary([](auto x) { return 1 / x; }));
  plain("IsNaN", question([](auto x) { return is_nan(x); }));
  table["IsInf"] = [](const OnnxNode& node, std::int64_t) {
    only_attributes(node, {"detect_negative", "detect_positive"});
    return question([negative = flag_attribute(node, "detect_negative", true),
                     positive = flag_attribute(node, "detect_positive", true)](auto x) {
      return std::isinf(x) && (x < 0 ? negative : positive);
    });
  };
  table["Clip"] = [](const OnnxNode& node, std::int64_t) { return clip(node); };
  table["Mod"] = [](const OnnxNode& node, std::int64_t) -> Operator {
    only_attributes(node, {"fmod"});
    const bool as_c = flag_attribute(node, "fmod", false);
    return [as_c, op = binary(Remainder{as_c}, Takes::kNumbers)](OperatorCall& call) {
      if (!as_c && is_real(call.input(0).type)) call.fail("takes floats, for which fmod must be 1");
      op(call);
    };
  };
}

}  // namespace calo::infer
