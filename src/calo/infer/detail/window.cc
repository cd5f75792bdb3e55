#include "calo/infer/detail/window.h"

#include <fmt/format.h>

#include <algorithm>

namespace calo::infer {

Window::Window(const OnnxNode& node)
    : kernel(extents_attribute(node, "kernel_shape", 1, kMost)),
      strides(extents_attribute(node, "strides", 1, kMost)),
      dilations(extents_attribute(node, "dilations", 1, kMost)),
      pads(extents_attribute(node, "pads", 0, kMost)) {
  const std::string how = string_attribute(node, "auto_pad", "NOTSET");
  if (how == "SAME_UPPER")
    auto_pad = AutoPad::kSameUpper;
  else if (how == "SAME_LOWER")
    auto_pad = AutoPad::kSameLower;
  else if (how == "VALID")
    auto_pad = AutoPad::kValid;
  else if (how != "NOTSET")
    refuse_node(node, "has an auto_pad that is not known: " + how);
}

Window::Axes Window::axes(const OperatorCall& call, const Shape& input, const Shape* weights) const {
  if (input.rank < 3)
    call.fail(fmt::format("takes {}, which has no dimensions behind the channels", input.to_string()));
  const std::size_t rank = input.rank - 2;
  const auto fits = [&](const std::vector<std::int64_t>& list, std::size_t size, const char* name) {
    if (!list.empty() && list.size() != size)
      call.fail(fmt::format("has {} numbers as \"{}\", and its input {} dimensions", list.size(), name,
                            input.rank));
  };
  fits(kernel, rank, "kernel_shape");
  fits(strides, rank, "strides");
  fits(dilations, rank, "dilations");
  fits(pads, 2 * rank, "pads");
  if (weights == nullptr && kernel.empty()) call.fail("has no kernel_shape");
  if (weights != nullptr && weights->rank != input.rank)
    call.fail(fmt::format("has weights {} for {}", weights->to_string(), input.to_string()));
  Axes out;
  for (std::size_t d = 0; d < rank; ++d) {
    Axis& axis = out[d];
    axis.in = input[d + 2];
    axis.kernel = weights != nullptr && kernel.empty() ? (*weights)[d + 2] : kernel[d];
    if (weights != nullptr && (*weights)[d + 2] != axis.kernel)
      call.fail(fmt::format("has weights {} for another kernel_shape", weights->to_string()));
    if (axis.kernel < 1) call.fail("has an empty kernel");
    axis.stride = strides.empty() ? 1 : strides[d];
    axis.dilation = dilations.empty() ? 1 : dilations[d];
    if (auto_pad == AutoPad::kNotSet && !pads.empty()) {
      axis.before = pads[d];
      axis.after = pads[rank + d];
    }
  }
  return out;
}

Window::Axes Window::shrinking(const OperatorCall& call, const Shape& input, const Shape* weights) const {
  Axes out = axes(call, input, weights);
  for (std::size_t d = 0; d + 2 < input.rank; ++d) {
    Axis& axis = out[d];
    if (auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower) {
      axis.out = (axis.in + axis.stride - 1) / axis.stride;
      const std::int64_t pad =
          std::max<std::int64_t>(0, (axis.out - 1) * axis.stride + axis.reach() - axis.in);
      axis.before = auto_pad == AutoPad::kSameUpper ? pad / 2 : pad - pad / 2;
      axis.after = pad - axis.before;
      continue;
    }
    const std::int64_t room = axis.in + axis.before + axis.after - axis.reach();
    if (room < 0) call.fail(fmt::format("has a kernel that is larger than {}", input.to_string()));
    axis.out = room / axis.stride + 1;
    // A window that begins behind the input sees nothing.
    if (ceil_mode && room % axis.stride != 0 && axis.out * axis.stride < axis.in + axis.before) ++axis.out;
  }
  return out;
}

}  // namespace calo::infer
