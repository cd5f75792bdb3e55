#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "calo/infer/detail/window.h"
#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

enum class Pool { kMax, kAverage };

Operator pool(const OnnxNode& node, Pool how) {
  if (how == Pool::kMax)
    only_attributes(
        node, {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"});
  else
    only_attributes(
        node, {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"});
  Window window(node);
  window.ceil_mode = flag_attribute(node, "ceil_mode", false);
  const bool with_pads = flag_attribute(node, "count_include_pad", false);
  flag_attribute(node, "storage_order", false);
  for (std::size_t i = 1; i < node.outputs.size(); ++i)
    if (!node.outputs[i].empty()) refuse_node(node, "gives places, which is not known");
  return [=](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.reals(0);
    const Window::Axes axes = window.shrinking(call, in.shape, nullptr);
    const std::size_t rank = in.shape.rank - 2;
    Shape shape{in.shape[0], in.shape[1]};
    std::int64_t taps = 1;
    for (std::size_t d = 0; d < rank; ++d) {
      shape.push_back(axes[d].out);
      if (taps > call.limits.elements / axes[d].kernel) call.fail("has a kernel that is too large");
      taps *= axes[d].kernel;
    }
    Tensor& out = call.output(0, in.type, shape);
    call.spend(shape.count(), taps, 1);
    const std::int64_t planes = in.shape[0] * in.shape[1], plane_in = in.shape.count(2, in.shape.rank),
                       plane_out = shape.count(2, shape.rank);
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      std::array<std::int64_t, Window::kMaxRank> at{}, k{};
      for (std::int64_t place = 0; place < planes * plane_out; ++place) {
        const T* const x = in.numbers<T>() + place / plane_out * plane_in;
        double sum = 0, size = 1;
        T most = -std::numeric_limits<T>::infinity();
        std::int64_t seen = 0;
        for (std::size_t d = 0; d < rank; ++d) {
          // Of a window that reaches over the pads only what lies within them counts.
          const Window::Axis& a = axes[d];
          const std::int64_t begin = at[d] * a.stride, room = a.in + a.before + a.after - begin;
          size *= static_cast<double>(
              std::min(a.kernel, std::max<std::int64_t>(1, (room + a.dilation - 1) / a.dilation)));
        }
        k.fill(0);
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          std::int64_t from = 0;
          bool inside = true;
          for (std::size_t d = 0; d < rank; ++d) {
            const std::int64_t i = at[d] * axes[d].stride - axes[d].before + k[d] * axes[d].dilation;
            inside = inside && i >= 0 && i < axes[d].in;
            from = from * axes[d].in + i;
          }
          if (inside) {
            ++seen;
            sum += x[from];
            if (!(x[from] <= most)) most = x[from];
          }
          for (std::size_t d = rank; d-- > 0;) {
            if (++k[d] < axes[d].kernel) break;
            k[d] = 0;
          }
        }
        if (how == Pool::kMax)
          out.numbers<T>()[place] = seen > 0 ? most : std::numeric_limits<T>::lowest();
        else
          out.numbers<T>()[place] = static_cast<T>(with_pads  ? sum / size
                                                   : seen > 0 ? sum / static_cast<double>(seen)
                                                              : 0);
        for (std::size_t d = rank; d-- > 0;) {
          if (++at[d] < axes[d].out) break;
          at[d] = 0;
        }
      }
    });
  };
}

Operator global_pool(const OnnxNode& node, Pool how) {
  only_attributes(node, {});
  return [how](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.reals(0);
    if (in.shape.rank < 2) call.fail("needs channels");
    Shape shape = in.shape;
    for (std::size_t d = 2; d < shape.rank; ++d) shape[d] = 1;
    const std::int64_t inner = in.shape.count(2, in.shape.rank);
    if (inner == 0) call.fail("pools nothing");
    Tensor& out = call.output(0, in.type, shape);
    by_real(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t p = 0; p < shape.count(); ++p) {
        const T* const x = in.numbers<T>() + p * inner;
        double sum = 0;
        T most = x[0];
        for (std::int64_t i = 0; i < inner; ++i) {
          sum += x[i];
          if (!(x[i] <= most)) most = x[i];
        }
        out.numbers<T>()[p] = how == Pool::kMax ? most : static_cast<T>(sum / static_cast<double>(inner));
      }
    });
  };
}

}  // namespace

void add_pool_operators(OperatorTable& table) {
  table["MaxPool"] = [](const OnnxNode& node, std::int64_t) { return pool(node, Pool::kMax); };
  table["AveragePool"] = [](const OnnxNode& node, std::int64_t) { return pool(node, Pool::kAverage); };
  table["GlobalMaxPool"] = [](const OnnxNode& node, std::int64_t) { return global_pool(node, Pool::kMax); };
  table["GlobalAveragePool"] = [](const OnnxNode& node, std::int64_t) {
    return global_pool(node, Pool::kAverage);
  };
}

}  // namespace calo::infer
