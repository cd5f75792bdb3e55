#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

enum class Reduction { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kSumSquare, kLogSum, kLogSumExp };

// Dimensions that are walked, with their strides; body is told where each run of the last one begins.
struct Walk {
  std::size_t rank = 0;
  std::array<std::int64_t, Shape::kMaxRank> extents{}, strides{};

  void add(std::int64_t extent, std::int64_t stride) {
    extents[rank] = extent;
    strides[rank++] = stride;
  }
  std::int64_t count() const {
    return std::accumulate(extents.begin(), extents.begin() + static_cast<std::ptrdiff_t>(rank),
                           std::int64_t{1}, std::multiplies<>());
  }
  /// body(begin, length, stride)
  template <class Body>
  void runs(const Body& body) const {
    if (count() == 0) return;
    const std::size_t outer = rank > 0 ? rank - 1 : 0;
    const std::int64_t length = rank > 0 ? extents[outer] : 1, stride = rank > 0 ? strides[outer] : 1;
    std::array<std::int64_t, Shape::kMaxRank> at{};
    std::int64_t begin = 0;
    for (std::int64_t left = count() / length; left > 0; --left) {
      body(begin, length, stride);
      for (std::size_t i = outer; i-- > 0;) {
        begin += strides[i];
        if (++at[i] < extents[i]) break;
        begin -= strides[i] * extents[i];
        at[i] = 0;
      }
    }
  }
};

// Sums of floats are doubles.
template <class T>
using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

template <class T, class Part>
Sum<T> sum_of(const Walk& walk, const T* x, const Part& part) {
  Sum<T> sum = 0;
  walk.runs([&](std::int64_t begin, std::int64_t length, std::int64_t stride) {
    for (std::int64_t i = 0; i < length; ++i)
      sum += static_cast<Sum<T>>(part(static_cast<Sum<T>>(x[begin + i * stride])));
  });
  return sum;
}
template <class T, class Better>
T best_of(const Walk& walk, const T* x, const Better& better) {
  T best = x[0];
  walk.runs([&](std::int64_t begin, std::int64_t length, std::int64_t stride) {
    for (std::int64_t i = 0; i < length; ++i) {
      const T y = x[begin + i * stride];
      if (better(y, best) || y != y) best = y;  // NaN stays
      if (best != best) return;
    }
  });
  return best;
}

template <class T>
T reduced(Reduction how, const Walk& walk, const T* x, std::int64_t count) {
  const auto itself = [](auto y) { return y; };
  const auto square = [](auto y) { return y * y; };
  const auto magnitude = [](auto y) {
    if constexpr (std::is_floating_point_v<decltype(y)>)
      return std::abs(y);
    else
      return static_cast<std::int64_t>(y) < 0 ? 0 - y : y;
  };
  switch (how) {
    case Reduction::kSum:
      return static_cast<T>(sum_of(walk, x, itself));
    case Reduction::kMean:
      if constexpr (std::is_floating_point_v<T>)
        return static_cast<T>(sum_of(walk, x, itself) / static_cast<double>(count));
      else
        return static_cast<T>(sum_of(walk, x, itself)) / static_cast<T>(count);
    case Reduction::kMax:
      return best_of(walk, x, [](auto a, auto b) { return a > b; });
    case Reduction::kMin:
      return best_of(walk, x, [](auto a, auto b) { return a < b; });
    case Reduction::kProd: {
      Sum<T> product = 1;
      walk.runs([&](std::int64_t begin, std::int64_t length, std::int64_t stride) {
        for (std::int64_t i = 0; i < length; ++i) product *= static_cast<Sum<T>>(x[begin + i * stride]);
      });
      return static_cast<T>(product);
    }
    case Reduction::kL1:
      return static_cast<T>(sum_of(walk, x, magnitude));
    case Reduction::kSumSquare:
      return static_cast<T>(sum_of(walk, x, square));
    case Reduction::kL2:
      return static_cast<T>(std::sqrt(static_cast<double>(sum_of(walk, x, square))));
    case Reduction::kLogSum:
      return static_cast<T>(std::log(static_cast<double>(sum_of(walk, x, itself))));
    case Reduction::kLogSumExp: {
      if constexpr (std::is_floating_point_v<T>) {
        const double most = count > 0 ? best_of(walk, x, [](auto a, auto b) { return a > b; }) : 0;
        const double shift = std::isfinite(most) ? most : 0;
        return static_cast<T>(shift +
                              std::log(sum_of(walk, x, [&](double y) { return std::exp(y - shift); })));
      }
    }
  }
  return 0;
}

Operator reduce(const OnnxNode& node, std::int64_t /*opset*/, Reduction how) {
  only_attributes(node, {"axes", "keepdims", "noop_with_empty_axes"});
  const bool keep = flag_attribute(node, "keepdims", true);
  const bool nothing = flag_attribute(node, "noop_with_empty_axes", false);
  const std::vector<std::int64_t> attribute = ints_attribute(node, "axes");
  if (attribute.size() > Shape::kMaxRank) refuse_node(node, "has too many axes");
  return [=](OperatorCall& call) {
    call.inputs_between(1, 2);
    const Tensor& in = call.input(0);
    if (in.type == ElementType::kBool || (how == Reduction::kLogSumExp && !is_real(in.type)))
      call.fail(fmt::format("takes {}", to_string(in.type)));
    std::span<const std::int64_t> axes = attribute;
    if (call.optional_input(1) != nullptr) axes = call.list(1);
    std::array<bool, Shape::kMaxRank> gone{};
    for (const std::int64_t axis : axes) gone[axis_of(call, axis, in.shape.rank)] = true;
    const bool noop = axes.empty() && nothing;
    if (axes.empty() && !noop) gone.fill(true);
    Shape shape;
    Walk kept, merged;
    for (std::size_t i = 0; i < in.shape.rank; ++i) {
      const std::int64_t stride = in.shape.count(i + 1, in.shape.rank);
      (gone[i] ? merged : kept).add(in.shape[i], stride);
      if (!gone[i] || keep) shape.push_back(gone[i] ? 1 : in.shape[i]);
    }
    const std::int64_t count = merged.count();
    const bool needs_some = how == Reduction::kMax || how == Reduction::kMin || how == Reduction::kMean;
    if (count == 0 && needs_some) call.fail("reduces nothing");
    Tensor& out = call.output(0, in.type, shape);
    if (noop) return copy(in, 0, out, 0, in.shape.count());
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      T* to = out.numbers<T>();
      kept.runs([&](std::int64_t begin, std::int64_t length, std::int64_t stride) {
        for (std::int64_t i = 0; i < length; ++i)
          *to++ = reduced(how, merged, in.numbers<T>() + begin + i * stride, count);
      });
    });
  };
}

Operator arg_best(const OnnxNode& node, bool most) {
  only_attributes(node, {"axis", "keepdims", "select_last_index"});
  const bool keep = flag_attribute(node, "keepdims", true),
             last = flag_attribute(node, "select_last_index", false);
  return [=, wanted = int_attribute(node, "axis", 0)](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.input(0);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    const std::int64_t extent = in.shape[axis], inner = in.shape.count(axis + 1, in.shape.rank);
    if (extent == 0) call.fail("looks for the best of nothing");
    Shape shape;
    for (std::size_t i = 0; i < in.shape.rank; ++i)
      if (i != axis || keep) shape.push_back(i == axis ? 1 : in.shape[i]);
    Tensor& out = call.output(0, ElementType::kInt64, shape);
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::size_t o = 0; o < out.size(); ++o) {
        const auto place = static_cast<std::int64_t>(o);
        const T* const x = in.numbers<T>() + place / inner * extent * inner + place % inner;
        std::int64_t best = 0;
        for (std::int64_t i = 1; i < extent; ++i) {
          const T a = x[i * inner], b = x[best * inner];
          if ((most ? a > b : a < b) || (last && a == b)) best = i;
        }
        out.integers[o] = best;
      }
    });
  };
}

// The k largest or smallest along an axis, in order; of equal ones the first.
Operator top_k(const OnnxNode& node, std::int64_t opset) {
  if (opset < 10)
    only_attributes(node, {"axis", "k"});
  else
    only_attributes(node, {"axis", "largest", "sorted"});
  const bool largest = flag_attribute(node, "largest", true);
  flag_attribute(node, "sorted", true);  // what is not asked to be sorted may be
  return [=, wanted = int_attribute(node, "axis", -1),
          attribute = int_attribute(node, "k", 0)](OperatorCall& call) {
    call.inputs_between(opset < 10 ? 1 : 2, opset < 10 ? 1 : 2);
    const Tensor& in = call.input(0);
    std::int64_t k = attribute;
    if (opset >= 10) {
      if (call.integers(1).size() != 1) call.fail("needs one k");
      k = call.integers(1).integers[0];
    }
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    const std::int64_t extent = in.shape[axis], inner = in.shape.count(axis + 1, in.shape.rank);
    if (k < 0 || k > extent) call.fail(fmt::format("asks for {} of {}", k, extent));
    if (call.outputs.size() > 2) call.fail("has more than two outputs");
    Shape shape = in.shape;
    shape[axis] = k;
    Tensor unread;
    Tensor& values = call.outputs[0] != nullptr ? call.output(0, in.type, shape) : unread;
    Tensor* const places = call.outputs.size() > 1 && call.outputs[1] != nullptr
                               ? &call.output(1, ElementType::kInt64, shape)
                               : nullptr;
    if (shape.count() == 0) return;
    std::vector<std::int64_t> order(static_cast<std::size_t>(extent));
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      const std::int64_t outer = in.shape.count(0, axis);
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t n = 0; n < inner; ++n) {
          const T* const x = in.numbers<T>() + o * extent * inner + n;
          std::iota(order.begin(), order.end(), std::int64_t{0});
          const auto before = [&](std::int64_t a, std::int64_t b) {
            const T y = x[a * inner], z = x[b * inner];
            const bool y_nan = y != y, z_nan = z != z;  // above all numbers
            if (y_nan != z_nan) return largest ? y_nan : z_nan;
            if (!y_nan && y != z) return largest ? y > z : y < z;
            return a < b;
          };
          std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
          for (std::int64_t i = 0; i < k; ++i) {
            const std::int64_t from = order[static_cast<std::size_t>(i)], to = (o * k + i) * inner + n;
            if (call.outputs[0] != nullptr) values.numbers<T>()[to] = x[from * inner];
            if (places != nullptr) places->integers[static_cast<std::size_t>(to)] = from;
          }
        }
    });
  };
}

Operator cumulative_sum(const OnnxNode& node) {
  only_attributes(node, {"exclusive", "reverse"});
  const bool exclusive = flag_attribute(node, "exclusive", false),
             reverse = flag_attribute(node, "reverse", false);
  return [=](OperatorCall& call) {
    call.inputs_between(2, 2);
    const Tensor& in = call.input(0);
    if (in.type == ElementType::kBool) call.fail("adds up bool");
    if (call.integers(1).size() != 1) call.fail("needs one axis");
    const std::size_t axis = axis_of(call, call.integers(1).integers[0], in.shape.rank);
    const std::int64_t extent = in.shape[axis], inner = in.shape.count(axis + 1, in.shape.rank);
    const std::int64_t outer = in.shape.count(0, axis);
    Tensor& out = call.output(0, in.type, in.shape);
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t n = 0; n < inner; ++n) {
          Sum<T> sum = 0;
          for (std::int64_t i = 0; i < extent; ++i) {
            const std::int64_t at = (o * extent + (reverse ? extent - 1 - i : i)) * inner + n;
            const auto x = static_cast<Sum<T>>(in.numbers<T>()[at]);
            out.numbers<T>()[at] = static_cast<T>(exclusive ? sum : sum + x);
            sum += x;
          }
        }
    });
  };
}

}  // namespace

void add_reduce_operators(OperatorTable& table) {
  const auto add = [&](const char* name, Reduction how) {
    table[name] = [how](const OnnxNode& node, std::int64_t opset) { return reduce(node, opset, how); };
  };
  add("ReduceSum", Reduction::kSum);
  add("ReduceMean", Reduction::kMean);
  add("ReduceMax", Reduction::kMax);
  add("ReduceMin", Reduction::kMin);
  add("ReduceProd", Reduction::kProd);
  add("ReduceL1", Reduction::kL1);
  add("ReduceL2", Reduction::kL2);
  add("ReduceSumSquare", Reduction::kSumSquare);
  add("ReduceLogSum", Reduction::kLogSum);
  add("ReduceLogSumExp", Reduction::kLogSumExp);
  table["ArgMax"] = [](const OnnxNode& node, std::int64_t) { return arg_best(node, true); };
  table["ArgMin"] = [](const OnnxNode& node, std::int64_t) { return arg_best(node, false); };
  table["CumSum"] = [](const OnnxNode& node, std::int64_t) { return cumulative_sum(node); };
  table["TopK"] = top_k;
}

}  // namespace calo::infer
