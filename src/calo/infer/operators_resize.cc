#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "calo/infer/operators.h"

namespace calo::infer {
namespace {

enum class Coordinates { kHalfPixel, kSymmetric, kPytorch, kAlignCorners, kAsymmetric };
enum class Nearest { kPreferFloor, kPreferCeil, kFloor, kCeil, kSimple };

struct How {
  bool linear = false;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kPreferFloor;
  std::vector<std::int64_t> axes;  // empty = all
};

// Where a place of the result lies in the input. In floats, as onnxruntime has it.
float original(Coordinates how, std::int64_t at, float scale, std::int64_t in, std::int64_t out) {
  const auto x = static_cast<float>(at);
  switch (how) {
    case Coordinates::kHalfPixel:
      return (x + 0.5f) / scale - 0.5f;
    case Coordinates::kPytorch:
      return out > 1 ? (x + 0.5f) / scale - 0.5f : 0.0f;
    case Coordinates::kAlignCorners:
      return out == 1 ? 0.0f : x * static_cast<float>(in - 1) / static_cast<float>(out - 1);
    case Coordinates::kAsymmetric:
      return x / scale;
    case Coordinates::kSymmetric: {
      const float wide = scale * static_cast<float>(in), adjustment = static_cast<float>(out) / wide;
      const float center = static_cast<float>(in) / 2;
      return center * (1 - adjustment) + (x + 0.5f) / scale - 0.5f;
    }
  }
  return x;
}

std::int64_t nearest_of(Nearest how, float x, bool shrinks) {
  switch (how) {
    case Nearest::kPreferFloor:
      return static_cast<std::int64_t>(
          x == static_cast<float>(static_cast<std::int64_t>(x)) + 0.5f ? std::floor(x) : std::round(x));
    case Nearest::kPreferCeil:
      return static_cast<std::int64_t>(std::round(x));
    case Nearest::kFloor:
      return static_cast<std::int64_t>(std::floor(x));
    case Nearest::kCeil:
      return static_cast<std::int64_t>(std::ceil(x));
    case Nearest::kSimple:
      return static_cast<std::int64_t>(shrinks ? std::ceil(x) : std::trunc(x));
  }
  return 0;
}

// One dimension after the other: `[outer, in, inner]` becomes `[outer, out, inner]`.
template <class T>
void resize_axis(const How& how, const T* from, T* to, std::int64_t outer, std::int64_t in, std::int64_t out,
                 std::int64_t inner, float scale) {
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < out; ++i) {
      const float place =
          scale == 1.0f ? static_cast<float>(i) : original(how.coordinates, i, scale, in, out);
      T* const y = to + (o * out + i) * inner;
      const T* const x = from + o * in * inner;
      if (!how.linear) {
        const std::int64_t at =
            std::clamp<std::int64_t>(nearest_of(how.nearest, place, scale < 1), 0, in - 1);
        std::copy_n(x + at * inner, inner, y);
        continue;
      }
      const float within = std::clamp(place, 0.0f, static_cast<float>(in - 1));
      const auto first = std::min(static_cast<std::int64_t>(within), in - 1);
      const std::int64_t second = std::min(first + 1, in - 1);
      const T weight = static_cast<T>(within - static_cast<float>(first));
      for (std::int64_t k = 0; k < inner; ++k)
        y[k] = static_cast<T>(x[first * inner + k] * (1 - weight) + x[second * inner + k] * weight);
    }
}

void resize(OperatorCall& call, const How& how, std::span<const std::int64_t> sizes, const Tensor* scales) {
  const Tensor& in = call.reals(0);
  const std::size_t rank = in.shape.rank;
  std::array<float, Shape::kMaxRank> scale{};
  scale.fill(1);
  Shape shape = in.shape;
  const std::size_t named = how.axes.empty() ? rank : how.axes.size();
  if ((scales != nullptr ? scales->size() : sizes.size()) != named)
    call.fail("has scales or sizes for another number of dimensions");
  for (std::size_t i = 0; i < named; ++i) {
    const std::size_t d = how.axes.empty() ? i : axis_of(call, how.axes[i], rank);
    if (in.shape[d] == 0) call.fail("enlarges what is empty");
    if (scales != nullptr) {
      scale[d] = scales->floats[i];
      const double extent = std::floor(static_cast<float>(in.shape[d]) * scale[d]);
      if (!(scale[d] > 0) || !(extent <= static_cast<double>(call.limits.elements)))
        call.fail(fmt::format("has the scale {}", scale[d]));
      shape[d] = static_cast<std::int64_t>(extent);
    } else {
      if (sizes[i] < 0 || sizes[i] > call.limits.elements)
        call.fail(fmt::format("makes the extent {}", sizes[i]));
      shape[d] = sizes[i];
      scale[d] = static_cast<float>(sizes[i]) / static_cast<float>(in.shape[d]);
    }
  }
  Tensor& out = call.output(0, in.type, shape);
  if (shape.count() == 0) return;
  std::size_t last = rank, passes = 0;
  for (std::size_t d = 0; d < rank; ++d)
    if (scale[d] != 1.0f || shape[d] != in.shape[d]) {
      last = d;
      ++passes;
    }
  if (passes == 0) return copy(in, 0, out, 0, in.shape.count());
  by_real(in.type, [&](auto kind) {
    using T = decltype(kind);
    LargeArray<T> rooms[2];
    const T* from = in.numbers<T>();
    Shape now = in.shape;
    std::size_t turn = 0;
    for (std::size_t d = 0; d < rank; ++d) {
      if (scale[d] == 1.0f && shape[d] == in.shape[d]) continue;
      const std::int64_t extent = now[d];
      now[d] = shape[d];
      T* to = out.numbers<T>();
      if (d != last) {
        double count = 1;
        for (const std::int64_t e : now.span()) count *= static_cast<double>(e);
        if (count > static_cast<double>(call.limits.elements)) call.fail("makes too many numbers on its way");
        rooms[turn].make_room(static_cast<std::size_t>(now.count()));
        to = rooms[turn].data();
        turn = 1 - turn;
      }
      resize_axis(how, from, to, now.count(0, d), extent, shape[d], now.count(d + 1, rank), scale[d]);
      from = to;
    }
  });
}

How mode_of(const OnnxNode& node) {
  How how;
  const std::string mode = string_attribute(node, "mode", "nearest");
  if (mode != "nearest" && mode != "linear" && mode != "bilinear")
    refuse_node(node, "has a mode that is not known: " + mode);
  how.linear = mode != "nearest";
  return how;
}

Operator resize_operator(const OnnxNode& node, std::int64_t opset) {
  only_attributes(node,
                  {"antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside",
                   "extrapolation_value", "keep_aspect_ratio_policy", "mode", "nearest_mode"});
  How how = mode_of(node);
  how.axes = ints_attribute(node, "axes");
  if (how.axes.size() > Shape::kMaxRank) refuse_node(node, "has too many axes");
  if (int_attribute(node, "antialias", 0) != 0) refuse_node(node, "smooths (antialias), which is not known");
  if (string_attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch")
    refuse_node(node, "keeps the aspect ratio, which is not known");
  if (int_attribute(node, "exclude_outside", 0) != 0)
    refuse_node(node, "excludes what lies outside, which is not known");
  if (opset < 11) {
    how.coordinates = Coordinates::kAsymmetric;
    how.nearest = Nearest::kSimple;
  } else {
    const std::string coordinates = string_attribute(node, "coordinate_transformation_mode", "half_pixel");
    if (coordinates == "half_pixel")
      how.coordinates = Coordinates::kHalfPixel;
    else if (coordinates == "half_pixel_symmetric")
      how.coordinates = Coordinates::kSymmetric;
    else if (coordinates == "pytorch_half_pixel")
      how.coordinates = Coordinates::kPytorch;
    else if (coordinates == "align_corners")
      how.coordinates = Coordinates::kAlignCorners;
    else if (coordinates == "asymmetric")
      how.coordinates = Coordinates::kAsymmetric;
    else
      refuse_node(node, "has coordinates that are not known: " + coordinates);
    const std::string nearest = string_attribute(node, "nearest_mode", "round_prefer_floor");
    if (nearest == "round_prefer_floor")
      how.nearest = Nearest::kPreferFloor;
    else if (nearest == "round_prefer_ceil")
      how.nearest = Nearest::kPreferCeil;
    else if (nearest == "floor")
      how.nearest = Nearest::kFloor;
    else if (nearest == "ceil")
      how.nearest = Nearest::kCeil;
    else
      refuse_node(node, "rounds in a way that is not known: " + nearest);
  }
  return [how, opset](OperatorCall& call) {
    if (opset < 11) {
      call.inputs_between(2, 2);
      return resize(call, how, {}, &call.floats(1));
    }
    call.inputs_between(2, 4);
    const Tensor* const scales = call.optional_input(2);
    const bool has_scales = scales != nullptr && scales->size() > 0;
    const bool has_sizes = call.optional_input(3) != nullptr && call.integers(3).size() > 0;
    if (has_scales == has_sizes) call.fail("needs either scales or sizes");
    if (has_scales && scales->type != ElementType::kFloat) call.fail("needs floats as scales");
    resize(call, how, has_sizes ? call.list(3) : std::span<const std::int64_t>(),
           has_scales ? scales : nullptr);
  };
}

Operator upsample(const OnnxNode& node, std::int64_t opset) {
  only_attributes(node, {"mode"});
  if (opset > 9) refuse_node(node, "is no operator of this operator set any more");
  How how = mode_of(node);
  how.coordinates = Coordinates::kAsymmetric;
  how.nearest = Nearest::kSimple;
  return [how](OperatorCall& call) {
    call.inputs_between(2, 2);
    resize(call, how, {}, &call.floats(1));
  };
}

}  // namespace

void add_resize_operators(OperatorTable& table) {
  table["Resize"] = resize_operator;
  table["Upsample"] = upsample;
}

}  // namespace calo::infer
