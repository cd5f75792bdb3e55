#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "calo/infer/detail/moments.h"
#include "calo/infer/detail/parallel.h"
#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

struct Moments {
  double mean = 0, variance = 0;
};

// In sums side by side, which are added in a fixed order.
template <class T>
Moments moments_of(const T* x, std::int64_t count, Isa isa) {
  if constexpr (std::is_same_v<T, float>) {
    Moments out;
    moments_kernel(isa)(x, static_cast<std::size_t>(count), out.mean, out.variance);
    return out;
  } else {
    Moments out;
    for (std::int64_t i = 0; i < count; ++i) out.mean += x[i];
    out.mean /= static_cast<double>(count);
    for (std::int64_t i = 0; i < count; ++i) out.variance += (x[i] - out.mean) * (x[i] - out.mean);
    out.variance /= static_cast<double>(count);
    return out;
  }
}

Operator batch_normalization(const OnnxNode& node) {
  only_attributes(node, {"epsilon", "momentum", "training_mode", "spatial"});
  if (int_attribute(node, "training_mode", 0) != 0) refuse_node(node, "is in training mode");
  if (int_attribute(node, "spatial", 1) != 1) refuse_node(node, "has statistics for each place");
  for (std::size_t i = 1; i < node.outputs.size(); ++i)
    if (!node.outputs[i].empty()) refuse_node(node, "is in training mode: it gives statistics");
  const float epsilon = float_attribute(node, "epsilon", 1e-5f);
  return [epsilon](OperatorCall& call) {
    call.inputs_between(5, 5);
    const Tensor& in = call.reals(0);
    const std::int64_t channels = in.shape.rank > 1 ? in.shape[1] : 1;
    for (std::size_t i = 1; i < 5; ++i)
      if (call.like_first(i).shape.count() != channels) call.fail("has statistics of another size");
    Tensor& out = call.output(0, in.type, in.shape);
    if (in.size() == 0) return;
    const std::int64_t inner = in.shape.rank > 2 ? in.shape.count(2, in.shape.rank) : 1;
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      const std::int64_t planes = in.shape.count() / inner;
      for (std::int64_t plane = 0; plane < planes; ++plane) {
        const std::int64_t c = plane % channels;
        const T scale = call.input(1).numbers<T>()[c] /
                        std::sqrt(call.input(4).numbers<T>()[c] + static_cast<T>(epsilon));
        const T mean = call.input(3).numbers<T>()[c], shift = call.input(2).numbers<T>()[c];
        const T* const x = in.numbers<T>() + plane * inner;
        T* const y = out.numbers<T>() + plane * inner;
        for (std::int64_t i = 0; i < inner; ++i) y[i] = (x[i] - mean) * scale + shift;
      }
    });
  };
}

// Each group of channels of each row by itself. @param by_channel scale and bias for each channel, not group
void normalise_groups(const OperatorCall& call, std::int64_t groups, bool by_channel, float epsilon) {
  call.inputs_between(3, 3);
  const Tensor &in = call.reals(0), &scale = call.like_first(1), &bias = call.like_first(2);
  if (in.shape.rank < 2) call.fail("needs channels");
  const std::int64_t rows = in.shape[0], channels = in.shape[1];
  if (groups < 1 || channels % groups != 0)
    call.fail(fmt::format("cannot divide {} channels into {} groups", channels, groups));
  const std::int64_t factors = by_channel ? channels : groups;
  if (scale.shape.rank != 1 || bias.shape.rank != 1 || scale.shape.count() != factors ||
      bias.shape.count() != factors)
    call.fail("has a scale or bias of another size");
  Tensor& out = call.output(0, in.type, in.shape);
  if (in.size() == 0) return;
  const std::int64_t inner = in.shape.count(2, in.shape.rank), each = channels / groups;
  by_real(in.type, [&](auto kind) {
    using T = decltype(kind);
    for_each(call.pool, static_cast<std::size_t>(rows * groups), [&](std::size_t item) {
      const auto at = static_cast<std::int64_t>(item);
      const T* const x = in.numbers<T>() + at * each * inner;
      T* const y = out.numbers<T>() + at * each * inner;
      const Moments moments = moments_of(x, each * inner, call.isa);
      const double factor = 1 / std::sqrt(moments.variance + epsilon);
      for (std::int64_t c = 0; c < each; ++c) {
        const std::int64_t group = at % groups, channel = by_channel ? group * each + c : group;
        const double times = factor * scale.numbers<T>()[channel];
        const auto a = static_cast<T>(times);
        const auto b = static_cast<T>(bias.numbers<T>()[channel] - moments.mean * times);
        if constexpr (std::is_same_v<T, float>)
          affine_kernel(call.isa)(x + c * inner, static_cast<std::size_t>(inner), a, b, y + c * inner);
        else
          for (std::int64_t i = c * inner; i < (c + 1) * inner; ++i) y[i] = x[i] * a + b;
      }
    });
  });
}

Operator instance_normalization(const OnnxNode& node) {
  only_attributes(node, {"epsilon"});
  return [epsilon = float_attribute(node, "epsilon", 1e-5f)](OperatorCall& call) {
    const Tensor& in = call.input(0);
    if (in.shape.rank < 3) call.fail("needs more than rows and channels");
    normalise_groups(call, in.shape[1], true, epsilon);
  };
}

Operator group_normalization(const OnnxNode& node, std::int64_t opset) {
  only_attributes(node, {"epsilon", "num_groups", "stash_type"});
  if (int_attribute(node, "stash_type", 1) != 1) refuse_node(node, "calculates in a type that is not known");
  if (opset < 18) refuse_node(node, "is known from operator set 18 on");
  const std::int64_t groups = int_attribute(node, "num_groups", 0);
  // Operator set 18 has scale and bias for each group, 21 for each channel.
  return [groups, by_channel = opset >= 21, epsilon = float_attribute(node, "epsilon", 1e-5f)](
             OperatorCall& call) { normalise_groups(call, groups, by_channel, epsilon); };
}

// Softmax up to operator set 12 takes the axis and all behind it as one.
Operator softmax(const OnnxNode& node, std::int64_t opset, bool logarithm) {
  only_attributes(node, {"axis"});
  const bool merged = opset < 13;
  return [=, wanted = int_attribute(node, "axis", merged ? 1 : -1)](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.reals(0);
    const auto rank = static_cast<std::int64_t>(in.shape.rank);
    // An axis behind the last one would leave single numbers.
    const std::size_t axis = merged && wanted == rank ? in.shape.rank : axis_of(call, wanted, in.shape.rank);
    Tensor& out = call.output(0, in.type, in.shape);
    const std::int64_t outer = in.shape.count(0, axis),
                       extent = merged ? in.shape.count(axis, in.shape.rank) : in.shape[axis],
                       inner = merged ? 1 : in.shape.count(axis + 1, in.shape.rank);
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t i = 0; i < inner; ++i) {
          const std::int64_t first = o * extent * inner + i;
          const T* const x = in.numbers<T>() + first;
          T* const y = out.numbers<T>() + first;
          T most = -std::numeric_limits<T>::infinity();
          double sum = 0;
          for (std::int64_t k = 0; k < extent; ++k)
            if (!(x[k * inner] <= most)) most = x[k * inner];
          for (std::int64_t k = 0; k < extent; ++k) sum += y[k * inner] = std::exp(x[k * inner] - most);
          const auto total = static_cast<T>(logarithm ? std::log(sum) : sum);
          for (std::int64_t k = 0; k < extent; ++k)
            y[k * inner] = logarithm ? x[k * inner] - most - total : y[k * inner] / total;
        }
    });
  };
}

Operator layer_normalization(const OnnxNode& node) {
  only_attributes(node, {"axis", "epsilon", "stash_type"});
  if (int_attribute(node, "stash_type", 1) != 1) refuse_node(node, "calculates in a type that is not known");
  return [wanted = int_attribute(node, "axis", -1),
          epsilon = float_attribute(node, "epsilon", 1e-5f)](OperatorCall& call) {
    call.inputs_between(2, 3);
    const Tensor &in = call.reals(0), &scale = call.like_first(1);
    const Tensor* bias = call.optional_input(2) != nullptr ? &call.like_first(2) : nullptr;
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    const std::int64_t outer = in.shape.count(0, axis), inner = in.shape.count(axis, in.shape.rank);
    if (scale.shape.count() != inner || (bias != nullptr && bias->shape.count() != inner))
      call.fail("has a scale or bias of another size");
    if (call.outputs.size() > 3) call.fail("has more than three outputs");
    Tensor& out = call.output(0, in.type, in.shape);
    Shape statistics = in.shape;
    for (std::size_t d = axis; d < statistics.rank; ++d) statistics[d] = 1;
    Tensor *means = nullptr, *factors = nullptr;
    if (call.outputs.size() > 1 && call.outputs[1] != nullptr)
      means = &call.output(1, ElementType::kFloat, statistics);
    if (call.outputs.size() > 2 && call.outputs[2] != nullptr)
      factors = &call.output(2, ElementType::kFloat, statistics);
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t o = 0; o < outer; ++o) {
        const T* const x = in.numbers<T>() + o * inner;
        T* const y = out.numbers<T>() + o * inner;
        const Moments moments = moments_of(x, inner, call.isa);
        const double factor = 1 / std::sqrt(moments.variance + epsilon);
        for (std::int64_t i = 0; i < inner; ++i)
          y[i] = static_cast<T>((x[i] - moments.mean) * factor) * scale.numbers<T>()[i] +
                 (bias != nullptr ? bias->numbers<T>()[i] : T(0));
        if (means != nullptr) means->floats[static_cast<std::size_t>(o)] = static_cast<float>(moments.mean);
        if (factors != nullptr) factors->floats[static_cast<std::size_t>(o)] = static_cast<float>(factor);
      }
    });
  };
}

// Divided by the norm along an axis; what is 0 stays 0.
Operator lp_normalization(const OnnxNode& node) {
  only_attributes(node, {"axis", "p"});
  const std::int64_t p = int_attribute(node, "p", 2);
  if (p != 1 && p != 2) refuse_node(node, "has a norm that is neither 1 nor 2");
  return [p, wanted = int_attribute(node, "axis", -1)](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.reals(0);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    const std::int64_t outer = in.shape.count(0, axis), extent = in.shape[axis],
                       inner = in.shape.count(axis + 1, in.shape.rank);
    Tensor& out = call.output(0, in.type, in.shape);
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t n = 0; n < inner; ++n) {
          const T* const x = in.numbers<T>() + o * extent * inner + n;
          T* const y = out.numbers<T>() + o * extent * inner + n;
          double sum = 0;
          for (std::int64_t i = 0; i < extent; ++i) {
            const double one = x[i * inner];
            sum += p == 1 ? std::abs(one) : one * one;
          }
          const double norm = p == 1 ? sum : std::sqrt(sum);
          for (std::int64_t i = 0; i < extent; ++i)
            y[i * inner] = norm == 0 ? T(0) : static_cast<T>(x[i * inner] / norm);
        }
    });
  };
}

}  // namespace

void add_normalisation_operators(OperatorTable& table) {
  const auto add = [&](const char* name, Operator (*make)(const OnnxNode&)) {
    table[name] = [make](const OnnxNode& node, std::int64_t) { return make(node); };
  };
  add("BatchNormalization", batch_normalization);
  add("InstanceNormalization", instance_normalization);
  add("LayerNormalization", layer_normalization);
  add("LpNormalization", lp_normalization);
  table["GroupNormalization"] = group_normalization;
  table["Softmax"] = [](const OnnxNode& node, std::int64_t opset) { return softmax(node, opset, false); };
  table["LogSoftmax"] = [](const OnnxNode& node, std::int64_t opset) { return softmax(node, opset, true); };
}

}  // namespace calo::infer
