#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "calo/infer/operators.h"
#include "core/error.h"

namespace calo::infer {
namespace {

// What the integer cannot hold becomes the smallest, as x86's conversion has it.
template <class Integer>
std::int64_t truncated(double x) {
  constexpr double kLimit = sizeof(Integer) == 4 ? 2147483648.0 : 9223372036854775808.0;
  if (!(x < kLimit && x >= -kLimit)) return std::numeric_limits<Integer>::min();
  return static_cast<std::int64_t>(x);
}

void convert(const Tensor& in, Tensor& out) {
  const std::size_t count = in.size();
  by_storage(in.type, [&](auto from_kind) {
    by_storage(out.type, [&](auto to_kind) {
      using From = decltype(from_kind);
      using To = decltype(to_kind);
      const From* const from = in.numbers<From>();
      To* const to = out.numbers<To>();
      if (out.type == ElementType::kBool) {
        for (std::size_t i = 0; i < count; ++i) to[i] = from[i] != 0 ? 1 : 0;
      } else if constexpr (std::is_floating_point_v<To> || !std::is_floating_point_v<From>) {
        for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
      } else if (out.type == ElementType::kUint64) {
        constexpr double kHalf = 9223372036854775808.0;
        for (std::size_t i = 0; i < count; ++i) {
          const double x = from[i];
          to[i] = x >= kHalf && x < 2 * kHalf ? static_cast<To>(static_cast<std::uint64_t>(x))
                                              : static_cast<To>(truncated<std::int64_t>(x));
        }
      } else if (out.type == ElementType::kInt64 || out.type == ElementType::kUint32) {
        for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<To>(truncated<std::int64_t>(from[i]));
      } else {
        for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<To>(truncated<std::int32_t>(from[i]));
      }
    });
  });
}

Operator cast(const OnnxNode& node) {
  only_attributes(node, {"to", "saturate"});
  if (!has_attribute(node, "to")) refuse_node(node, "does not say to which type it casts");
  return [type = type_attribute(node, "to", ElementType::kFloat)](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.input(0);
    convert(in, call.output(0, type, in.shape));
  };
}

Operator cast_like(const OnnxNode& node) {
  only_attributes(node, {"saturate"});
  return [](OperatorCall& call) {
    call.inputs_between(2, 2);
    const Tensor& in = call.input(0);
    convert(in, call.output(0, call.input(1).type, in.shape));
  };
}

// (x - zero point) · scale, each for all or by one axis.
Operator dequantize_linear(const OnnxNode& node) {
  only_attributes(node, {"axis", "block_size", "output_dtype"});
  const std::int64_t axis = int_attribute(node, "axis", 1);
  if (int_attribute(node, "block_size", 0) != 0 || (int_attribute(node, "output_dtype", 1) | 1) != 1)
    refuse_node(node, "works in blocks, or makes other numbers than floats, which is not known");
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
    if (zero != nullptr && (is_real(zero->type) || zero->size() != scale.size()))
      call.fail("has other zero points than scales");
    Tensor& out = call.output(0, scale.type, in.shape);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::size_t j = scale.size() == 1 ? 0 : i / stride % extent;
      const std::int64_t point = zero != nullptr ? zero->integers[j] : 0;
      out.floats[i] = static_cast<float>(static_cast<std::int64_t>(
                          static_cast<std::uint64_t>(in.integers[i]) - static_cast<std::uint64_t>(point))) *
                      scale.floats[j];
    }
  };
}

}  // namespace

void add_cast_operators(OperatorTable& table) {
  table["Cast"] = [](const OnnxNode& node, std::int64_t) { return cast(node); };
  table["CastLike"] = [](const OnnxNode& node, std::int64_t) { return cast_like(node); };
  table["DequantizeLinear"] = [](const OnnxNode& node, std::int64_t) { return dequantize_linear(node); };
}

}  // namespace calo::infer
