#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "calo/infer/operators.h"
#include "core/error.h"

namespace calo::infer {
namespace {

void pass(OperatorCall& call, const Shape& shape) {
  const Tensor& in = call.input(0);
  Tensor& out = call.output(0, in.type, shape);
  copy(in, 0, out, 0, in.shape.count());
}

Operator reshape(const OnnxNode& node) {
  only_attributes(node, {"allowzero"});
  const bool allow_zero = int_attribute(node, "allowzero", 0) != 0;
  return [allow_zero](OperatorCall& call) {
    pass(call, reshaped(call, call.input(0).shape, call.list(1), allow_zero));
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
  const auto given = call.list(1);
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
    const std::span<const std::int64_t> starts = by_input ? call.list(1) : starts_attribute,
                                        ends = by_input ? call.list(2) : ends_attribute;
    const std::span<const std::int64_t> axes = call.optional_input(3) != nullptr ? call.list(3)
                                               : by_input ? std::span<const std::int64_t>()
                                                          : axes_attribute;
    const std::span<const std::int64_t> steps =
        call.optional_input(4) != nullptr ? call.list(4) : std::span<const std::int64_t>();
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

// Copies all of `to`, each dimension with its stride in `from`.
void walked_copy(const Tensor& from, const std::array<std::int64_t, Shape::kMaxRank>& strides, Tensor& to) {
  const Shape& shape = to.shape;
  const std::int64_t count = shape.count();
  if (count == 0) return;
  const std::int64_t length = shape.rank > 0 ? shape[shape.rank - 1] : 1;
  const std::int64_t step = shape.rank > 0 ? strides[shape.rank - 1] : 0;
  by_storage(from.type, [&](auto kind) {
    using T = decltype(kind);
    std::array<std::int64_t, Shape::kMaxRank> at{};
    const T* source = from.numbers<T>();
    T* const target = to.numbers<T>();
    for (std::int64_t place = 0; place < count; place += length) {
      for (std::int64_t i = 0; i < length; ++i) target[place + i] = source[i * step];
      for (std::size_t i = shape.rank - (shape.rank > 0 ? 1 : 0); i-- > 0;) {
        source += strides[i];
        if (++at[i] < shape[i]) break;
        source -= strides[i] * shape[i];
        at[i] = 0;
      }
    }
  });
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
    std::array<std::int64_t, Shape::kMaxRank> strides{};
    Shape shape;
    for (std::size_t i = 0; i < rank; ++i) {
      shape.push_back(in.shape[order[i]]);
      strides[i] = in.shape.count(order[i] + 1, rank);
    }
    walked_copy(in, strides, call.output(0, in.type, shape));
  };
}

Operator expand(const OnnxNode& node) {
  only_attributes(node, {});
  return [](OperatorCall& call) {
    const Tensor& in = call.input(0);
    const auto target = call.list(1);
    if (target.size() > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
    Shape shape;
    const std::size_t rank = std::max(in.shape.rank, target.size());
    std::array<std::int64_t, Shape::kMaxRank> strides{};
    for (std::size_t i = 0; i < rank; ++i) {
      const bool own_there = i + in.shape.rank >= rank, target_there = i + target.size() >= rank;
      const std::int64_t own = own_there ? in.shape[i + in.shape.rank - rank] : 1;
      const std::int64_t wanted = target_there ? target[i + target.size() - rank] : 1;
      if (own != 1 && wanted != 1 && own != wanted) call.fail("cannot be made that large");
      shape.push_back(own == 1 ? wanted : own);
      if (own_there && own != 1) strides[i] = in.shape.count(i + in.shape.rank - rank + 1, in.shape.rank);
    }
    walked_copy(in, strides, call.output(0, in.type, shape));
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
  double real = 0;
  std::int64_t integer = 0;
  if (const auto found = node.attributes.find("value"); found != node.attributes.end()) {
    const OnnxTensor& value = found->second.t;
    if (found->second.kind != OnnxAttribute::Kind::kTensor || value.count != 1 ||
        (is_narrow(value.type) && value.type != ElementType::kInt8))
      refuse_node(node, "needs one number as its value");
    type = value.type;
    if (is_single(type))
      real = value.float_at(0);
    else if (is_double(type))
      real = value.doubles[0];
    else if (type == ElementType::kInt8)
      integer =
          static_cast<std::int8_t>(value.narrow[0]);  // NOLINT(bugprone-signed-char-misuse): the sign is kept
    else
      integer = value.integers[0];
  }
  return [type, real, integer](OperatorCall& call) {
    call.inputs_between(1, 1);
    const auto target = call.list(0);
    if (target.size() > Shape::kMaxRank) call.fail("makes more than 8 dimensions");
    Tensor& out = call.output(0, type, Shape(target));
    by_storage(type, [&](auto kind) {
      using T = decltype(kind);
      std::fill_n(out.numbers<T>(), out.size(),
                  is_real(type) ? static_cast<T>(real) : static_cast<T>(integer));
    });
  };
}

Operator split(const OnnxNode& node) {
  only_attributes(node, {"axis", "split", "num_outputs"});
  const std::int64_t wanted = int_attribute(node, "axis", 0);
  if (has_attribute(node, "num_outputs") &&
      int_attribute(node, "num_outputs", 0) != static_cast<std::int64_t>(node.outputs.size()))
    refuse_node(node, "makes another number of parts than it says");
  return [wanted, attribute = ints_attribute(node, "split")](OperatorCall& call) {
    call.inputs_between(1, 2);
    const Tensor& in = call.input(0);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    const auto parts = static_cast<std::int64_t>(call.outputs.size());
    const std::span<const std::int64_t> given =
        call.optional_input(1) != nullptr ? call.list(1) : std::span<const std::int64_t>(attribute);
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

void size_of(OperatorCall& call) {
  call.inputs_between(1, 1);
  call.output(0, ElementType::kInt64, {}).integers[0] = call.input(0).shape.count();
}

// From start to before limit.
void range(OperatorCall& call) {
  call.inputs_between(3, 3);
  const ElementType type = call.input(0).type;
  for (std::size_t i = 0; i < 3; ++i)
    if (call.input(i).size() != 1 || call.input(i).type != type) call.fail("needs three numbers of one type");
  if (type == ElementType::kBool || type == ElementType::kUint64) call.fail("makes a type that is not known");
  by_storage(type, [&](auto kind) {
    using T = decltype(kind);
    const T start = call.input(0).numbers<T>()[0], limit = call.input(1).numbers<T>()[0],
            delta = call.input(2).numbers<T>()[0];
    if (delta == 0) call.fail("has a step of 0");
    const double steps =
        std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
    if (!(steps < static_cast<double>(call.limits.elements))) call.fail("makes too many numbers");
    Tensor& out = call.output(0, type, {std::max<std::int64_t>(0, static_cast<std::int64_t>(steps))});
    T value = start;  // added up, as onnxruntime does
    for (std::size_t i = 0; i < out.size(); ++i) {
      out.numbers<T>()[i] = value;
      if constexpr (std::is_floating_point_v<T>)
        value += delta;
      else
        value = static_cast<T>(static_cast<std::uint64_t>(value) + static_cast<std::uint64_t>(delta));
    }
  });
}

// Nothing is dropped when showers are made.
Operator dropout(const OnnxNode& node, std::int64_t opset) {
  only_attributes(node, {"ratio", "seed"});
  return [opset](OperatorCall& call) {
    call.inputs_between(1, 3);
    if (const Tensor* training = call.optional_input(2); training != nullptr) {
      if (training->type != ElementType::kBool || training->size() != 1) call.fail("needs a bool as input 2");
      if (training->integers[0] != 0) call.fail("is in training mode");
    }
    call.reals(0);
    pass(call, call.input(0).shape);
    if (call.outputs.size() < 2 || call.outputs[1] == nullptr) return;
    const ElementType type = opset < 10 ? call.input(0).type : ElementType::kBool;
    Tensor& mask = call.output(1, type, call.input(0).shape);
    by_storage(type, [&](auto kind) {
      std::fill_n(mask.numbers<decltype(kind)>(), mask.size(), decltype(kind)(1));
    });
  };
}

// Channels become blocks of the two last dimensions, or the other way round.
Operator blocks(const OnnxNode& node, bool to_space) {
  if (to_space)
    only_attributes(node, {"blocksize", "mode"});
  else
    only_attributes(node, {"blocksize"});
  const std::string mode = string_attribute(node, "mode", "DCR");
  if (mode != "DCR" && mode != "CRD") refuse_node(node, "has a mode that is not known: " + mode);
  const std::int64_t size = int_attribute(node, "blocksize", 0);
  if (size < 1 || size > 1 << 15) refuse_node(node, "has a block size that is out of range");
  return [size, to_space, depth_first = mode == "DCR"](OperatorCall& call) {
    call.inputs_between(1, 1);
    const Tensor& in = call.input(0);
    if (in.shape.rank != 4) call.fail("needs four dimensions");
    const std::int64_t n = in.shape[0], area = size * size;
    if (to_space ? in.shape[1] % area != 0 : (in.shape[2] % size != 0 || in.shape[3] % size != 0))
      call.fail(fmt::format("cannot divide {} by {}", in.shape.to_string(), size));
    // The image is [h, w] of c · area numbers, or [h · size, w · size] of c.
    const std::int64_t c = to_space ? in.shape[1] / area : in.shape[1];
    const std::int64_t h = to_space ? in.shape[2] : in.shape[2] / size;
    const std::int64_t w = to_space ? in.shape[3] : in.shape[3] / size;
    const Shape wide{n, c, h * size, w * size}, deep{n, c * area, h, w};
    Tensor& out = call.output(0, in.type, to_space ? wide : deep);
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t b = 0; b < n; ++b)
        for (std::int64_t k = 0; k < c; ++k)
          for (std::int64_t dy = 0; dy < size; ++dy)
            for (std::int64_t dx = 0; dx < size; ++dx) {
              const std::int64_t channel =
                  depth_first ? (dy * size + dx) * c + k : (k * size + dy) * size + dx;
              const std::int64_t at = (b * c * area + channel) * h * w;
              for (std::int64_t y = 0; y < h; ++y)
                for (std::int64_t x = 0; x < w; ++x) {
                  const std::int64_t in_image =
                      ((b * c + k) * h * size + y * size + dy) * w * size + x * size + dx;
                  if (to_space)
                    out.numbers<T>()[in_image] = in.numbers<T>()[at + y * w + x];
                  else
                    out.numbers<T>()[at + y * w + x] = in.numbers<T>()[in_image];
                }
            }
    });
  };
}

// What lies above or below a diagonal becomes 0.
Operator triangle(const OnnxNode& node) {
  only_attributes(node, {"upper"});
  return [upper = flag_attribute(node, "upper", true)](OperatorCall& call) {
    call.inputs_between(1, 2);
    const Tensor& in = call.input(0);
    if (in.shape.rank < 2) call.fail("needs matrices");
    std::int64_t k = 0;
    if (call.optional_input(1) != nullptr) {
      if (call.integers(1).size() != 1) call.fail("needs one diagonal");
      k = std::clamp<std::int64_t>(call.integers(1).integers[0], -(std::int64_t{1} << 40),
                                   std::int64_t{1} << 40);
    }
    Tensor& out = call.output(0, in.type, in.shape);
    const std::int64_t rows = in.shape[in.shape.rank - 2], columns = in.shape[in.shape.rank - 1];
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      std::int64_t row = 0, column = 0;
      for (std::size_t i = 0; i < in.size(); ++i) {
        out.numbers<T>()[i] = (upper ? column - row >= k : column - row <= k) ? in.numbers<T>()[i] : T(0);
        if (++column < columns) continue;
        column = 0;
        if (++row == rows) row = 0;
      }
    });
  };
}

}  // namespace

void add_shape_operators(OperatorTable& table) {
  const auto add = [&](const char* name, Operator (*make)(const OnnxNode&)) {
    table[name] = [make](const OnnxNode& node, std::int64_t) { return make(node); };
  };
  const auto plain = [&](const char* name, void (*op)(OperatorCall&)) {
    table[name] = [op](const OnnxNode& node, std::int64_t) -> Operator {
      only_attributes(node, {});
      return op;
    };
  };
  plain("Identity", [](OperatorCall& call) { pass(call, call.input(0).shape); });
  plain("Size", size_of);
  plain("Range", range);
  add("Reshape", reshape);
  add("Flatten", flatten);
  add("Squeeze", squeeze);
  add("Unsqueeze", unsqueeze);
  add("Concat", concat);
  add("Slice", slice);
  add("Transpose", transpose);
  add("Expand", expand);
  add("Shape", shape_of);
  add("ConstantOfShape", constant_of_shape);
  add("Split", split);
  add("Trilu", triangle);
  add("DepthToSpace", [](const OnnxNode& node) { return blocks(node, true); });
  add("SpaceToDepth", [](const OnnxNode& node) { return blocks(node, false); });
  table["Dropout"] = dropout;
}

}  // namespace calo::infer
