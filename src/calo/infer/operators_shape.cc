#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "calo/infer/operators.h"
#include "core/error.h"

namespace calo::infer {
namespace {

// Copies `count` elements between tensors of one type.
void copy(const Tensor& from, std::int64_t begin, Tensor& to, std::int64_t place, std::int64_t count) {
  if (count == 0) return;
  const auto b = static_cast<std::size_t>(begin), p = static_cast<std::size_t>(place),
             n = static_cast<std::size_t>(count);
  if (from.is_float())
    std::memcpy(to.floats.data() + p, from.floats.data() + b, n * sizeof(float));
  else
    std::memcpy(to.integers.data() + p, from.integers.data() + b, n * sizeof(std::int64_t));
}

std::span<const std::int64_t> list(const OperatorCall& call, std::size_t i) {
  const Tensor& tensor = call.integers(i);
  if (tensor.shape.rank > 1) call.fail(fmt::format("needs a list as input {}", i));
  return {tensor.integers.data(), tensor.size()};
}

void pass(OperatorCall& call, const Shape& shape) {
  const Tensor& in = call.input(0);
  Tensor& out = call.output(0, in.type, shape);
  copy(in, 0, out, 0, in.shape.count());
}

Operator reshape(const OnnxNode& node) {
  only_attributes(node, {"allowzero"});
  const bool allow_zero = int_attribute(node, "allowzero", 0) != 0;
  return [allow_zero](OperatorCall& call) {
    pass(call, reshaped(call, call.input(0).shape, list(call, 1), allow_zero));
  };
}

Operator flatten(const OnnxNode& node) {
  only_attributes(node, {"axis"});
  const std::int64_t axis = int_attribute(node, "axis", 1);
  return [axis](OperatorCall& call) {
    const Shape& shape = call.input(0).shape;
    const auto rank = static_cast<std::int64_t>(shape.rank);
    if (axis < -rank || axis > rank) call.fail(fmt::format("has the axis {}", axis));
    const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
    pass(call, {shape.count(0, at), shape.count(at, shape.rank)});
  };
}

// Axes come as an attribute or, from some operator set on, as an input.
std::vector<std::int64_t> axes_of(const OperatorCall& call, const std::vector<std::int64_t>& attribute) {
  if (call.optional_input(1) == nullptr) return attribute;
  const auto given = list(call, 1);
  if (given.size() > Shape::kMaxRank) call.fail("has too many axes");
  return {given.begin(), given.end()};
}

Operator squeeze(const OnnxNode& node) {
  only_attributes(node, {"axes"});
  return [attribute = ints_attribute(node, "axes")](OperatorCall& call) {
    const Shape& from = call.input(0).shape;
    std::array<bool, Shape::kMaxRank> gone{};
    const std::vector<std::int64_t> axes = axes_of(call, attribute);
    for (const std::int64_t axis : axes) {
      const std::size_t i = axis_of(call, axis, from.rank);
      if (from[i] != 1) call.fail(fmt::format("takes away an extent of {}", from[i]));
      gone[i] = true;
    }
    Shape shape;
    for (std::size_t i = 0; i < from.rank; ++i)
      if (axes.empty() ? from[i] != 1 : !gone[i]) shape.push_back(from[i]);
    pass(call, shape);
  };
}

Operator unsqueeze(const OnnxNode& node) {
  only_attributes(node, {"axes"});
  return [attribute = ints_attribute(node, "axes")](OperatorCall& call) {
    const Shape& from = call.input(0).shape;
    const std::vector<std::int64_t> axes = axes_of(call, attribute);
    if (from.rank + axes.size() > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
    const std::size_t rank = from.rank + axes.size();
    std::array<bool, Shape::kMaxRank> added{};
    for (const std::int64_t axis : axes) {
      const std::size_t i = axis_of(call, axis, rank);
      if (added[i]) call.fail("names an axis twice");
      added[i] = true;
    }
    Shape shape;
    std::size_t next = 0;
    for (std::size_t i = 0; i < rank; ++i) shape.push_back(added[i] ? 1 : from[next++]);
    pass(call, shape);
  };
}

Operator concat(const OnnxNode& node) {
  only_attributes(node, {"axis"});
  const std::int64_t wanted = int_attribute(node, "axis", 0);
  return [wanted](OperatorCall& call) {
    const Tensor& first = call.input(0);
    const std::size_t axis = axis_of(call, wanted, first.shape.rank);
    Shape shape = first.shape;
    for (std::size_t i = 1; i < call.inputs.size(); ++i) {
      const Tensor& in = call.input(i);
      if (in.type != first.type || in.shape.rank != shape.rank) call.fail("joins what does not fit together");
      for (std::size_t d = 0; d < shape.rank; ++d)
        if (d != axis && in.shape[d] != shape[d]) call.fail("joins what does not fit together");
      shape[axis] += in.shape[axis];
    }
    Tensor& out = call.output(0, first.type, shape);
    const std::int64_t outer = shape.count(0, axis), inner = shape.count(axis, shape.rank);
    std::int64_t place = 0;
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const Tensor& in = *call.inputs[i];
      const std::int64_t run = in.shape.count(axis, shape.rank);
      for (std::int64_t o = 0; o < outer; ++o) copy(in, o * run, out, o * inner + place, run);
      place += run;
    }
  };
}

Operator slice(const OnnxNode& node) {
  only_attributes(node, {"starts", "ends", "axes"});
  return [starts_attribute = ints_attribute(node, "starts"), ends_attribute = ints_attribute(node, "ends"),
          axes_attribute = ints_attribute(node, "axes")](OperatorCall& call) {
    const Tensor& in = call.input(0);
    const bool by_input = call.inputs.size() > 1;
    const std::span<const std::int64_t> starts = by_input ? list(call, 1) : starts_attribute,
                                        ends = by_input ? list(call, 2) : ends_attribute;
    const std::span<const std::int64_t> axes = call.optional_input(3) != nullptr ? list(call, 3)
                                               : by_input ? std::span<const std::int64_t>()
                                                          : axes_attribute;
    const std::span<const std::int64_t> steps =
        call.optional_input(4) != nullptr ? list(call, 4) : std::span<const std::int64_t>();
    if (ends.size() != starts.size() || (!axes.empty() && axes.size() != starts.size()) ||
        (!steps.empty() && steps.size() != starts.size()))
      call.fail("has lists of different lengths");
    Shape shape = in.shape;
    std::array<std::int64_t, Shape::kMaxRank> first{}, step;
    step.fill(1);
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const std::size_t axis =
          axis_of(call, axes.empty() ? static_cast<std::int64_t>(i) : axes[i], in.shape.rank);
      const std::int64_t extent = in.shape[axis], by = steps.empty() ? 1 : steps[i];
      if (by == 0) call.fail("has a step of 0");
      if (by <= std::numeric_limits<std::int64_t>::min() / 2) call.fail("has a step that is too large");
      const auto within = [&](std::int64_t at, std::int64_t least, std::int64_t most) {
        if (at < 0) at = at < -extent ? -1 : at + extent;
        return std::clamp(at, least, most);
      };
      if (extent == 0) {
        shape[axis] = 0;
        continue;
      }
      const std::int64_t begin = by > 0 ? within(starts[i], 0, extent) : within(starts[i], 0, extent - 1);
      const std::int64_t end = by > 0 ? within(ends[i], 0, extent) : within(ends[i], -1, extent - 1);
      const std::int64_t length = by > 0 ? end - begin : begin - end, stride = by > 0 ? by : -by;
      first[axis] = begin;
      step[axis] = by;
      shape[axis] = length > 0 ? (length - 1) / stride + 1 : 0;
    }
    Tensor& out = call.output(0, in.type, shape);
    if (shape.count() == 0) return;
    // The last dimension is copied as runs where it is whole or dense; other ones are walked.
    std::array<std::int64_t, Shape::kMaxRank> strides{}, at{};
    std::int64_t stride = 1, from = 0;
    for (std::size_t i = in.shape.rank; i-- > 0;) {
      strides[i] = stride * (shape[i] > 1 ? step[i] : 0);
      from += first[i] * stride;
      stride *= in.shape[i];
    }
    const std::size_t rank = shape.rank;
    const std::int64_t run = rank > 0 && step[rank - 1] == 1 ? shape[rank - 1] : 1;
    const std::size_t walked = rank - (run > 1 || (rank > 0 && shape[rank - 1] == 1) ? 1 : 0);
    for (std::int64_t place = 0; place < shape.count(); place += run) {
      copy(in, from, out, place, run);
      for (std::size_t i = walked; i-- > 0;) {
        from += strides[i];
        if (++at[i] < shape[i]) break;
        from -= strides[i] * shape[i];
        at[i] = 0;
      }
    }
  };
}

Operator gather(const OnnxNode& node) {
  only_attributes(node, {"axis"});
  const std::int64_t wanted = int_attribute(node, "axis", 0);
  return [wanted](OperatorCall& call) {
    const Tensor &in = call.input(0), &indices = call.integers(1);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    if (in.shape.rank - 1 + indices.shape.rank > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
    Shape shape;
    for (std::size_t i = 0; i < axis; ++i) shape.push_back(in.shape[i]);
    for (const std::int64_t extent : indices.shape.span()) shape.push_back(extent);
    for (std::size_t i = axis + 1; i < in.shape.rank; ++i) shape.push_back(in.shape[i]);
    Tensor& out = call.output(0, in.type, shape);
    const std::int64_t outer = in.shape.count(0, axis), inner = in.shape.count(axis + 1, in.shape.rank);
    const std::int64_t extent = in.shape[axis];
    const auto count = static_cast<std::int64_t>(indices.size());
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t at = indices.integers[static_cast<std::size_t>(i)];
        if (at < -extent || at >= extent) call.fail(fmt::format("takes the place {} of {}", at, extent));
        if (at < 0) at += extent;
        copy(in, (o * extent + at) * inner, out, (o * count + i) * inner, inner);
      }
  };
}

Operator transpose(const OnnxNode& node) {
  only_attributes(node, {"perm"});
  return [given = ints_attribute(node, "perm")](OperatorCall& call) {
    const Tensor& in = call.input(0);
    const std::size_t rank = in.shape.rank;
    if (!given.empty() && given.size() != rank) call.fail("has an order of another length");
    std::array<std::size_t, Shape::kMaxRank> order{};
    std::array<bool, Shape::kMaxRank> seen{};
    for (std::size_t i = 0; i < rank; ++i) {
      order[i] = given.empty() ? rank - 1 - i : axis_of(call, given[i], rank);
      if (seen[order[i]]) call.fail("names a dimension twice");
      seen[order[i]] = true;
    }
    std::array<std::int64_t, Shape::kMaxRank> strides{}, at{};
    Shape shape;
    for (std::size_t i = 0; i < rank; ++i) {
      shape.push_back(in.shape[order[i]]);
      strides[i] = in.shape.count(order[i] + 1, rank);
    }
    Tensor& out = call.output(0, in.type, shape);
    std::int64_t from = 0;
    for (std::int64_t place = 0; place < shape.count(); ++place) {
      copy(in, from, out, place, 1);
      for (std::size_t i = rank; i-- > 0;) {
        from += strides[i];
        if (++at[i] < shape[i]) break;
        from -= strides[i] * shape[i];
        at[i] = 0;
      }
    }
  };
}

Operator expand(const OnnxNode& node) {
  only_attributes(node, {});
  return [](OperatorCall& call) {
    const Tensor& in = call.input(0);
    const auto target = list(call, 1);
    if (target.size() > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
    Shape shape;
    const std::size_t rank = std::max(in.shape.rank, target.size());
    std::array<std::int64_t, Shape::kMaxRank> strides{}, at{};
    for (std::size_t i = 0; i < rank; ++i) {
      const bool own_there = i + in.shape.rank >= rank, target_there = i + target.size() >= rank;
      const std::int64_t own = own_there ? in.shape[i + in.shape.rank - rank] : 1;
      const std::int64_t wanted = target_there ? target[i + target.size() - rank] : 1;
      if (own != 1 && wanted != 1 && own != wanted) call.fail("cannot be made that large");
      shape.push_back(own == 1 ? wanted : own);
      if (own_there && own != 1) strides[i] = in.shape.count(i + in.shape.rank - rank + 1, in.shape.rank);
    }
    Tensor& out = call.output(0, in.type, shape);
    std::int64_t from = 0;
    for (std::int64_t place = 0; place < shape.count(); ++place) {
      copy(in, from, out, place, 1);
      for (std::size_t i = rank; i-- > 0;) {
        from += strides[i];
        if (++at[i] < shape[i]) break;
        from -= strides[i] * shape[i];
        at[i] = 0;
      }
    }
  };
}

Operator shape_of(const OnnxNode& node) {
  only_attributes(node, {"start", "end"});
  const std::int64_t start = int_attribute(node, "start", 0);
  const std::int64_t end = int_attribute(node, "end", std::numeric_limits<std::int64_t>::max());
  return [start, end](OperatorCall& call) {
    const Shape& shape = call.input(0).shape;
    const auto rank = static_cast<std::int64_t>(shape.rank);
    const auto within = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? std::max(at, -rank) + rank : at, 0, rank);
    };
    const std::int64_t first = within(start), count = std::max<std::int64_t>(0, within(end) - first);
    Tensor& out = call.output(0, ElementType::kInt64, {count});
    for (std::int64_t i = 0; i < count; ++i)
      out.integers[static_cast<std::size_t>(i)] = shape[static_cast<std::size_t>(first + i)];
  };
}

Operator constant_of_shape(const OnnxNode& node) {
  only_attributes(node, {"value"});
  ElementType type = ElementType::kFloat;
  float real = 0;
  std::int64_t integer = 0;
  if (const auto found = node.attributes.find("value"); found != node.attributes.end()) {
    const OnnxTensor& value = found->second.t;
    if (found->second.kind != OnnxAttribute::Kind::kTensor || value.count != 1)
      throw core::InputError({.message = "needs one number as its value", .field = where_of(node)});
    type = value.type;
    if (type == ElementType::kFloat)
      real = value.float_at(0);
    else
      integer = value.integers[0];
  }
  return [type, real, integer](OperatorCall& call) {
    const auto target = list(call, 0);
    if (target.size() > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
    Tensor& out = call.output(0, type, Shape(target));
    if (out.is_float())
      std::fill_n(out.floats.data(), out.size(), real);
    else
      std::fill_n(out.integers.data(), out.size(), integer);
  };
}

Operator split(const OnnxNode& node) {
  only_attributes(node, {"axis", "split", "num_outputs"});
  const std::int64_t wanted = int_attribute(node, "axis", 0);
  return [wanted, attribute = ints_attribute(node, "split")](OperatorCall& call) {
    const Tensor& in = call.input(0);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    const auto parts = static_cast<std::int64_t>(call.outputs.size());
    const std::span<const std::int64_t> given =
        call.optional_input(1) != nullptr ? list(call, 1) : std::span<const std::int64_t>(attribute);
    if (!given.empty() && given.size() != call.outputs.size()) call.fail("has lengths for other parts");
    const std::int64_t extent = in.shape[axis], even = (extent + parts - 1) / parts;
    std::int64_t place = 0;
    const std::int64_t outer = in.shape.count(0, axis), inner = in.shape.count(axis + 1, in.shape.rank);
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      const std::int64_t length = given.empty() ? std::min(even, extent - place) : given[i];
      if (length < 0 || length > extent - place) call.fail("asks for more than there is");
      if (call.outputs[i] != nullptr) {
        Shape shape = in.shape;
        shape[axis] = length;
        Tensor& out = call.output(i, in.type, shape);
        for (std::int64_t o = 0; o < outer; ++o)
          copy(in, (o * extent + place) * inner, out, o * length * inner, length * inner);
      }
      place += length;
    }
    if (place != extent) call.fail("leaves something over");
  };
}

}  // namespace

Operator shape_operator(const OnnxNode& node, std::int64_t /*opset*/) {
  const std::string& op = node.op_type;
  if (op == "Identity") return [](OperatorCall& call) { pass(call, call.input(0).shape); };
  if (op == "Reshape") return reshape(node);
  if (op == "Flatten") return flatten(node);
  if (op == "Squeeze") return squeeze(node);
  if (op == "Unsqueeze") return unsqueeze(node);
  if (op == "Concat") return concat(node);
  if (op == "Slice") return slice(node);
  if (op == "Gather") return gather(node);
  if (op == "Transpose") return transpose(node);
  if (op == "Expand") return expand(node);
  if (op == "Shape") return shape_of(node);
  if (op == "ConstantOfShape") return constant_of_shape(node);
  if (op == "Split") return split(node);
  return nullptr;
}

}  // namespace calo::infer
