#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

// A place in [0, extent), negative ones counted from the end.
std::int64_t place_in(const OperatorCall& call, std::int64_t at, std::int64_t extent) {
  if (at < -extent || at >= extent) call.fail(fmt::format("takes the place {} of {}", at, extent));
  return at < 0 ? at + extent : at;
}

Operator gather(const OnnxNode& node) {
  only_attributes(node, {"axis"});
  const std::int64_t wanted = int_attribute(node, "axis", 0);
  return [wanted](OperatorCall& call) {
    call.inputs_between(2, 2);
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
        const std::int64_t at = place_in(call, indices.integers[static_cast<std::size_t>(i)], extent);
        copy(in, (o * extent + at) * inner, out, (o * count + i) * inner, inner);
      }
  };
}

// The place of each element of `indices` in a tensor of shape `data`, where the axis is what the index says.
template <class Body>
void for_each_element(const OperatorCall& call, const Tensor& indices, const Shape& data, std::size_t axis,
                      const Body& body) {
  std::array<std::int64_t, Shape::kMaxRank> at{};
  for (std::size_t i = 0; i < indices.size(); ++i) {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < data.rank; ++d)
      place = place * data[d] + (d == axis ? place_in(call, indices.integers[i], data[d]) : at[d]);
    body(i, place);
    for (std::size_t d = data.rank; d-- > 0;) {
      if (++at[d] < indices.shape[d]) break;
      at[d] = 0;
    }
  }
}

void check_elements(const OperatorCall& call, const Shape& data, const Shape& indices, std::size_t axis) {
  bool fits = data.rank == indices.rank;
  for (std::size_t d = 0; fits && d < data.rank; ++d) fits = d == axis || indices[d] <= data[d];
  if (!fits) call.fail(fmt::format("has indices {} for {}", indices.to_string(), data.to_string()));
}

Operator gather_elements(const OnnxNode& node) {
  only_attributes(node, {"axis"});
  return [wanted = int_attribute(node, "axis", 0)](OperatorCall& call) {
    call.inputs_between(2, 2);
    const Tensor &in = call.input(0), &indices = call.integers(1);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    check_elements(call, in.shape, indices.shape, axis);
    Tensor& out = call.output(0, in.type, indices.shape);
    for_each_element(call, indices, in.shape, axis, [&](std::size_t i, std::int64_t place) {
      copy(in, place, out, static_cast<std::int64_t>(i), 1);
    });
  };
}

// How what is scattered meets what is there.
enum class Meet { kReplace, kAdd, kMul, kMin, kMax };
Meet meet_of(const OnnxNode& node) {
  const std::string how = string_attribute(node, "reduction", "none");
  if (how == "none") return Meet::kReplace;
  if (how == "add") return Meet::kAdd;
  if (how == "mul") return Meet::kMul;
  if (how == "min") return Meet::kMin;
  if (how == "max") return Meet::kMax;
  refuse_node(node, "has a reduction that is not known: " + how);
}
template <class T>
void meet(Meet how, T& target, T value) {
  if (how == Meet::kReplace)
    target = value;
  else if (how == Meet::kMin)
    target = std::min(target, value);
  else if (how == Meet::kMax)
    target = std::max(target, value);
  else if constexpr (std::is_floating_point_v<T>)
    target = how == Meet::kAdd ? target + value : target * value;
  else {
    const auto a = static_cast<std::uint64_t>(target), b = static_cast<std::uint64_t>(value);
    target = static_cast<T>(how == Meet::kAdd ? a + b : a * b);
  }
}

Operator scatter_elements(const OnnxNode& node) {
  only_attributes(node, {"axis", "reduction"});
  return [wanted = int_attribute(node, "axis", 0), how = meet_of(node)](OperatorCall& call) {
    call.inputs_between(3, 3);
    const Tensor &in = call.input(0), &indices = call.integers(1), &updates = call.input(2);
    const std::size_t axis = axis_of(call, wanted, in.shape.rank);
    check_elements(call, in.shape, indices.shape, axis);
    if (!(updates.shape == indices.shape) || updates.type != in.type)
      call.fail("has updates of another shape or type");
    Tensor& out = call.output(0, in.type, in.shape);
    copy(in, 0, out, 0, in.shape.count());
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      for_each_element(call, indices, in.shape, axis, [&](std::size_t i, std::int64_t place) {
        meet(how, out.numbers<T>()[place], updates.numbers<T>()[i]);
      });
    });
  };
}

// Tuples of places: for each, where it begins in the data and how long what it names is.
struct Tuples {
  std::int64_t count = 1, size = 0, run = 1;

  Tuples(const OperatorCall& call, const Shape& data, const Shape& indices, std::size_t batch) {
    if (indices.rank <= batch || data.rank <= batch) call.fail("has indices without places");
    size = indices[indices.rank - 1];
    if (size < 1 || size + static_cast<std::int64_t>(batch) > static_cast<std::int64_t>(data.rank))
      call.fail(fmt::format("names {} places of {}", size, data.to_string()));
    count = indices.count(0, indices.rank - 1);
    run = data.count(batch + static_cast<std::size_t>(size), data.rank);
  }
  std::int64_t begin(const OperatorCall& call, const Tensor& indices, std::int64_t i, const Shape& data,
                     std::size_t batch) const {
    std::int64_t place = 0;
    for (std::int64_t d = 0; d < size; ++d) {
      const std::int64_t extent = data[batch + static_cast<std::size_t>(d)];
      place =
          place * extent + place_in(call, indices.integers[static_cast<std::size_t>(i * size + d)], extent);
    }
    return place * run;
  }
};

Operator gather_nd(const OnnxNode& node) {
  only_attributes(node, {"batch_dims"});
  const std::int64_t wanted = int_attribute(node, "batch_dims", 0);
  if (wanted < 0 || wanted >= static_cast<std::int64_t>(Shape::kMaxRank))
    refuse_node(node, "has a number of batch dimensions that is out of range");
  return [batch = static_cast<std::size_t>(wanted)](OperatorCall& call) {
    call.inputs_between(2, 2);
    const Tensor &in = call.input(0), &indices = call.integers(1);
    const Tuples tuples(call, in.shape, indices.shape, batch);
    for (std::size_t d = 0; d < batch; ++d)
      if (in.shape[d] != indices.shape[d]) call.fail("has another batch than its indices");
    const std::size_t first = batch + static_cast<std::size_t>(tuples.size);
    if (indices.shape.rank - 1 + in.shape.rank - first > Shape::kMaxRank)
      call.fail("makes more than 8 dimensions");
    Shape shape;
    for (std::size_t d = 0; d + 1 < indices.shape.rank; ++d) shape.push_back(indices.shape[d]);
    for (std::size_t d = first; d < in.shape.rank; ++d) shape.push_back(in.shape[d]);
    Tensor& out = call.output(0, in.type, shape);
    const std::int64_t batches = in.shape.count(0, batch);
    if (batches == 0) return;
    const std::int64_t each = tuples.count / batches, stride = in.shape.count(batch, in.shape.rank);
    for (std::int64_t i = 0; i < tuples.count; ++i)
      copy(in, i / each * stride + tuples.begin(call, indices, i, in.shape, batch), out, i * tuples.run,
           tuples.run);
  };
}

Operator scatter_nd(const OnnxNode& node) {
  only_attributes(node, {"reduction"});
  return [how = meet_of(node)](OperatorCall& call) {
    call.inputs_between(3, 3);
    const Tensor &in = call.input(0), &indices = call.integers(1), &updates = call.input(2);
    const Tuples tuples(call, in.shape, indices.shape, 0);
    Shape shape;
    if (indices.shape.rank - 1 + in.shape.rank - static_cast<std::size_t>(tuples.size) > Shape::kMaxRank)
      call.fail("takes more than 8 dimensions");
    for (std::size_t d = 0; d + 1 < indices.shape.rank; ++d) shape.push_back(indices.shape[d]);
    for (auto d = static_cast<std::size_t>(tuples.size); d < in.shape.rank; ++d) shape.push_back(in.shape[d]);
    if (!(updates.shape == shape) || updates.type != in.type)
      call.fail("has updates of another shape or type");
    Tensor& out = call.output(0, in.type, in.shape);
    copy(in, 0, out, 0, in.shape.count());
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t i = 0; i < tuples.count; ++i) {
        T* const to = out.numbers<T>() + tuples.begin(call, indices, i, in.shape, 0);
        for (std::int64_t k = 0; k < tuples.run; ++k)
          meet(how, to[k], updates.numbers<T>()[i * tuples.run + k]);
      }
    });
  };
}

Operator tile(const OnnxNode& node) {
  only_attributes(node, {});
  return [](OperatorCall& call) {
    call.inputs_between(2, 2);
    const Tensor& in = call.input(0);
    const auto repeats = call.list(1);
    if (repeats.size() != in.shape.rank) call.fail("needs one number of copies for each dimension");
    Shape shape = in.shape;
    for (std::size_t d = 0; d < shape.rank; ++d) {
      if (repeats[d] < 0) call.fail("has a negative number of copies");
      if (shape[d] > 0 && repeats[d] > call.limits.elements / shape[d]) call.fail("makes too many copies");
      shape[d] *= repeats[d];
    }
    Tensor& out = call.output(0, in.type, shape);
    const std::int64_t count = shape.count();
    if (count == 0) return;
    if (in.shape.rank == 0) return copy(in, 0, out, 0, 1);
    const std::int64_t run = in.shape[in.shape.rank - 1];
    std::array<std::int64_t, Shape::kMaxRank> at{};
    for (std::int64_t place = 0; place < count; place += run) {
      std::int64_t from = 0;
      for (std::size_t d = 0; d + 1 < shape.rank; ++d) from = from * in.shape[d] + at[d] % in.shape[d];
      copy(in, from * run, out, place, run);
      if ((place + run) % shape[shape.rank - 1] != 0) continue;
      for (std::size_t d = shape.rank - 1; d-- > 0;) {
        if (++at[d] < shape[d]) break;
        at[d] = 0;
      }
    }
  };
}

enum class Pads { kConstant, kReflect, kEdge, kWrap };

// Where a place outside of [0, extent) is taken from; negative for the constant.
std::int64_t padded_from(Pads how, std::int64_t at, std::int64_t extent) {
  if (at >= 0 && at < extent) return at;
  switch (how) {
    case Pads::kConstant:
      return -1;
    case Pads::kEdge:
      return at < 0 ? 0 : extent - 1;
    case Pads::kWrap:
      return ((at % extent) + extent) % extent;
    case Pads::kReflect: {
      if (extent == 1) return 0;
      const std::int64_t period = 2 * (extent - 1), in_period = ((at % period) + period) % period;
      return in_period < extent ? in_period : period - in_period;
    }
  }
  return -1;
}

Operator pad(const OnnxNode& node, std::int64_t opset) {
  if (opset < 11)
    only_attributes(node, {"mode", "pads", "value"});
  else
    only_attributes(node, {"mode"});
  const std::string mode = string_attribute(node, "mode", "constant");
  Pads how = Pads::kConstant;
  if (mode == "reflect")
    how = Pads::kReflect;
  else if (mode == "edge")
    how = Pads::kEdge;
  else if (mode == "wrap")
    how = Pads::kWrap;
  else if (mode != "constant")
    refuse_node(node, "has a mode that is not known: " + mode);
  return [how, by_attribute = opset < 11, attribute = ints_attribute(node, "pads"),
          value = float_attribute(node, "value", 0)](OperatorCall& call) {
    call.inputs_between(1, by_attribute ? 1 : 4);
    const Tensor& in = call.input(0);
    const std::span<const std::int64_t> given = by_attribute ? attribute : call.list(1);
    const std::size_t rank = in.shape.rank;
    std::array<std::int64_t, Shape::kMaxRank> before{}, after{};
    std::array<bool, Shape::kMaxRank> seen{};
    const std::span<const std::int64_t> axes =
        call.optional_input(3) != nullptr ? call.list(3) : std::span<const std::int64_t>();
    const std::size_t named = call.optional_input(3) != nullptr ? axes.size() : rank;
    if (given.size() != 2 * named || named > rank) call.fail("has pads for another number of dimensions");
    for (std::size_t i = 0; i < named; ++i) {
      const std::size_t axis = axes.empty() ? i : axis_of(call, axes[i], rank);
      if (seen[axis]) call.fail("names a dimension twice");
      seen[axis] = true;
      before[axis] = given[i];
      after[axis] = given[named + i];
    }
    Shape shape = in.shape;
    for (std::size_t d = 0; d < rank; ++d) {
      const std::int64_t most = call.limits.elements;
      if (before[d] < -most || before[d] > most || after[d] < -most || after[d] > most)
        call.fail("has pads that are out of range");
      shape[d] += before[d] + after[d];
      if (shape[d] < 0) call.fail("takes away more than there is");
      if (how != Pads::kConstant && in.shape[d] == 0 && shape[d] > 0) call.fail("repeats what is empty");
      if (how == Pads::kReflect && (before[d] >= std::max<std::int64_t>(1, in.shape[d]) ||
                                    after[d] >= std::max<std::int64_t>(1, in.shape[d])))
        call.fail("reflects more than there is");
    }
    Tensor& out = call.output(0, in.type, shape);
    const std::int64_t count = shape.count();
    if (count == 0) return;
    by_storage(in.type, [&](auto kind) {
      using T = decltype(kind);
      T filled = static_cast<T>(value);
      if (const Tensor* constant = call.optional_input(2); constant != nullptr) {
        if (constant->size() != 1 || constant->type != in.type)
          call.fail("needs one number of its type to pad with");
        filled = constant->numbers<T>()[0];
      }
      const std::int64_t length = rank > 0 ? shape[rank - 1] : 1;
      std::array<std::int64_t, Shape::kMaxRank> at{};
      for (std::int64_t place = 0; place < count; place += length) {
        std::int64_t row = 0;
        bool inside = true;
        for (std::size_t d = 0; d + 1 < rank; ++d) {
          const std::int64_t from = padded_from(how, at[d] - before[d], in.shape[d]);
          inside = inside && from >= 0;
          row = row * in.shape[d] + from;
        }
        T* const to = out.numbers<T>() + place;
        for (std::int64_t i = 0; i < length; ++i) {
          const std::int64_t from = !inside    ? -1
                                    : rank > 0 ? padded_from(how, i - before[rank - 1], in.shape[rank - 1])
                                               : 0;
          to[i] = from < 0 ? filled : in.numbers<T>()[rank > 0 ? row * in.shape[rank - 1] + from : 0];
        }
        for (std::size_t d = rank - (rank > 0 ? 1 : 0); d-- > 0;) {
          if (++at[d] < shape[d]) break;
          at[d] = 0;
        }
      }
    });
  };
}

Operator one_hot(const OnnxNode& node) {
  only_attributes(node, {"axis"});
  return [wanted = int_attribute(node, "axis", -1)](OperatorCall& call) {
    call.inputs_between(3, 3);
    const Tensor &indices = call.input(0), &depth = call.input(1), &values = call.input(2);
    if (depth.size() != 1 || values.shape.rank != 1 || values.size() != 2)
      call.fail("needs one depth and two values");
    double wanted_depth = 0;
    by_storage(depth.type,
               [&](auto kind) { wanted_depth = static_cast<double>(depth.numbers<decltype(kind)>()[0]); });
    if (!(wanted_depth >= 1 && wanted_depth <= static_cast<double>(call.limits.elements)))
      call.fail("has a depth that is out of range");
    const auto extent = static_cast<std::int64_t>(wanted_depth);
    if (indices.shape.rank >= Shape::kMaxRank) call.fail("makes more than 8 dimensions");
    const std::size_t axis = axis_of(call, wanted, indices.shape.rank + 1);
    Shape shape;
    for (std::size_t d = 0; d <= indices.shape.rank; ++d)
      shape.push_back(d < axis ? indices.shape[d] : d == axis ? extent : indices.shape[d - 1]);
    Tensor& out = call.output(0, values.type, shape);
    const std::int64_t inner = indices.shape.count(axis, indices.shape.rank);
    for (std::int64_t i = 0; i < shape.count(); ++i) copy(values, 0, out, i, 1);
    by_storage(indices.type, [&](auto kind) {
      using T = decltype(kind);
      for (std::int64_t i = 0; i < indices.shape.count(); ++i) {
        const auto value = static_cast<double>(indices.numbers<T>()[i]);
        if (!(value >= static_cast<double>(-extent) && value < static_cast<double>(extent))) continue;
        auto at = static_cast<std::int64_t>(value);
        if (at < 0) at += extent;
        copy(values, 1, out, (i / inner * extent + at) * inner + i % inner, 1);
      }
    });
  };
}

}  // namespace

void add_gather_operators(OperatorTable& table) {
  const auto add = [&](const char* name, Operator (*make)(const OnnxNode&)) {
    table[name] = [make](const OnnxNode& node, std::int64_t) { return make(node); };
  };
  add("Gather", gather);
  add("GatherElements", gather_elements);
  add("GatherND", gather_nd);
  add("ScatterElements", scatter_elements);
  add("ScatterND", scatter_nd);
  add("Tile", tile);
  add("OneHot", one_hot);
  table["Pad"] = pad;
}

}  // namespace calo::infer
