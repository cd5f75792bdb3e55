#include "calo/infer/convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "calo/infer/parallel.h"

namespace calo::infer {

Convolution::Convolution(const OnnxNode& node, bool transposed, Isa isa)
    : transposed_(transposed), isa_(isa), window_(node), group_(int_attribute(node, "group", 1)) {
  if (transposed)
    only_attributes(node, {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape",
                           "pads", "strides"});
  else
    only_attributes(node, {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  if (group_ < 1 || group_ > Window::kMost) refuse_node(node, fmt::format("has {} groups", group_));
  output_padding_ = extents_attribute(node, "output_padding", 0, Window::kMost);
  output_shape_ = extents_attribute(node, "output_shape", 0, Window::kMost);
}

/// One call: extents, and where a kernel finds what it adds up.
struct Convolution::Plan {
  std::size_t rank = 0;
  std::int64_t rows = 0, channels = 0, outputs = 0;  // channels and outputs of one group
  Window::Axes axes;
  Shape out;
  std::int64_t taps = 1;
};

Convolution::Plan Convolution::plan(const OperatorCall& call, const Shape& input,
                                    const Shape& weights) const {
  Plan plan;
  plan.axes = transposed_ ? window_.axes(call, input, &weights) : window_.shrinking(call, input, &weights);
  plan.rank = input.rank - 2;
  plan.rows = input[0];
  if (input[1] % group_ != 0)
    call.fail(fmt::format("cannot divide {} channels into {} groups", input[1], group_));
  plan.channels = input[1] / group_;
  if (transposed_) {
    plan.outputs = weights[1];
    if (weights[0] != input[1])
      call.fail(fmt::format("has weights {} for {}", weights.to_string(), input.to_string()));
  } else {
    if (weights[0] % group_ != 0 || weights[1] != plan.channels)
      call.fail(
          fmt::format("has weights {} for {} in {} groups", weights.to_string(), input.to_string(), group_));
    plan.outputs = weights[0] / group_;
  }
  if (plan.outputs > call.limits.elements / group_) call.fail("makes too many channels");
  plan.out = Shape{plan.rows, plan.outputs * group_};
  const bool sized = !output_shape_.empty();
  if ((!output_padding_.empty() && output_padding_.size() != plan.rank) ||
      (sized && output_shape_.size() != plan.rank))
    call.fail("has an output_padding or output_shape for another number of dimensions");
  for (std::size_t d = 0; d < plan.rank; ++d) {
    Window::Axis& axis = plan.axes[d];
    if (transposed_) {
      const std::int64_t more = output_padding_.empty() ? 0 : output_padding_[d];
      const std::int64_t whole = axis.stride * (axis.in - 1) + more + axis.reach();
      const bool same =
          window_.auto_pad == Window::AutoPad::kSameUpper || window_.auto_pad == Window::AutoPad::kSameLower;
      if (sized || same) {
        const std::int64_t wanted = sized ? output_shape_[d] : axis.in * axis.stride;
        const std::int64_t pad = std::max<std::int64_t>(0, whole - wanted);
        axis.out = sized ? wanted : whole - pad;  // a kernel shorter than the stride makes less
        axis.before = window_.auto_pad == Window::AutoPad::kSameUpper ? pad / 2 : pad - pad / 2;
        axis.after = pad - axis.before;
      } else {
        axis.out = whole - axis.before - axis.after;
      }
      if (axis.in == 0 || axis.out < 0) call.fail(fmt::format("makes nothing of {}", input.to_string()));
    }
    plan.out.push_back(axis.out);
    plan.taps *= axis.kernel;
  }
  return plan;
}

Shape Convolution::output_shape(const Shape& input, const Shape& weights) const {
  static const std::string kWhere = "a convolution";
  const OnnxLimits limits;
  std::int64_t work = 0;
  const OperatorCall call{
      .where = kWhere, .inputs = {}, .outputs = {}, .limits = limits, .work = work, .noise = {}};
  return plan(call, input, weights).out;
}

namespace {

// Taps of one dimension by phase of the output: all in one for Conv.
Convolution::Packed::Axis phases_of(const Window::Axis& axis, bool transposed) {
  Convolution::Packed::Axis out;
  std::map<std::int64_t, std::size_t> places;
  for (std::int64_t k = 0; k < axis.kernel; ++k) {
    const std::int64_t phase = transposed ? k * axis.dilation % axis.stride : 0;
    const auto [found, added] = places.emplace(phase, out.phases.size());
    if (added) out.phases.push_back({.phase = phase, .taps = {}});
    out.phases[found->second].taps.push_back(k);
  }
  return out;
}

// body(which) for each combination of which[d] in [0, size(d)), the last dimension fastest.
template <class Size, class Body>
void combinations(std::size_t rank, const Size& size, const Body& body) {
  std::array<std::size_t, Window::kMaxRank> which{};
  for (;;) {
    body(which);
    std::size_t d = rank;
    while (d-- > 0) {
      if (++which[d] < size(d)) break;
      which[d] = 0;
    }
    if (d == std::size_t(-1)) return;
  }
}

}  // namespace

Convolution::Packed Convolution::pack(const OperatorCall& call, const Tensor& weights) const {
  if (weights.shape.rank < 3) call.fail(fmt::format("has weights {}", weights.shape.to_string()));
  Packed out;
  out.shape = weights.shape;
  const std::size_t rank = weights.shape.rank - 2;
  // Of the plan only what does not depend on the input.
  const std::int64_t divided = weights.shape[0] / group_;
  if (weights.shape[0] % group_ != 0) call.fail("has weights for another number of groups");
  const std::int64_t channels = transposed_ ? divided : weights.shape[1],
                     outputs = transposed_ ? weights.shape[1] : divided;
  std::int64_t taps = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    Window::Axis axis{.kernel = weights.shape[d + 2]};
    if ((!window_.strides.empty() && window_.strides.size() != rank) ||
        (!window_.dilations.empty() && window_.dilations.size() != rank))
      call.fail("has strides or dilations for another number of dimensions");
    axis.stride = window_.strides.empty() ? 1 : window_.strides[d];
    axis.dilation = window_.dilations.empty() ? 1 : window_.dilations[d];
    out.axes.push_back(phases_of(axis, transposed_));
    taps *= axis.kernel;
  }
  if (weights.shape.count() == 0) call.fail("has no weights");
  combinations(
      rank, [&](std::size_t d) { return out.axes[d].phases.size(); },
      [&](const auto& which) {
        std::vector<std::int64_t>& numbers = out.taps.emplace_back();
        combinations(
            rank, [&](std::size_t d) { return out.axes[d].phases[which[d]].taps.size(); },
            [&](const auto& tap) {
              std::int64_t number = 0;
              for (std::size_t d = 0; d < rank; ++d)
                number = number * weights.shape[d + 2] + out.axes[d].phases[which[d]].taps[tap[d]];
              numbers.push_back(number);
            });
      });
  out.weight = LargeArray<float>(weights.size());
  std::size_t place = 0;
  for (std::size_t phase = 0; phase < out.taps.size(); ++phase)
    for (std::int64_t g = 0; g < group_; ++g)
      for (std::int64_t first = 0; first < outputs;) {
        const ConvolutionKernels& kernels = convolution_kernels(outputs - first, isa_);
        out.blocks.push_back({&kernels, g, first, kernels.outputs, phase, place});
        for (std::int64_t c = 0; c < channels; ++c)
          for (const std::int64_t tap : out.taps[phase])
            for (std::int64_t m = first; m < first + kernels.outputs; ++m) {
              const std::int64_t at = transposed_ ? ((g * channels + c) * outputs + m) * taps + tap
                                                  : ((g * outputs + m) * channels + c) * taps + tap;
              out.weight[place++] = weights.floats[static_cast<std::size_t>(at)];
            }
        first += kernels.outputs;
      }
  return out;
}

namespace {

// One dimension as kernels see it: planes of the input, positions of the output.
struct Lane {
  struct Phase {                             // of the output
    std::int64_t positions = 0;              // how many
    std::int64_t first = 0, step = 1;        // places in the output
    std::vector<std::int64_t> plane, shift;  // of each tap
  };
  std::int64_t extent = 1;          // of a plane
  std::vector<std::int64_t> begin;  // by plane: which place of the input its first element is
  std::int64_t step = 1;            // between elements of a plane, in the input
  std::vector<Phase> phases;
};

Lane lane_of(const Window::Axis& axis, const Convolution::Packed::Axis& packed, bool transposed) {
  Lane lane;
  if (!transposed) {
    lane.step = axis.stride;
    Lane::Phase phase{.positions = axis.out};
    std::map<std::int64_t, std::int64_t> planes;  // by remainder
    for (const std::int64_t k : packed.phases[0].taps) {
      const std::int64_t reach = k * axis.dilation, remainder = reach % axis.stride;
      const auto [found, added] = planes.emplace(remainder, static_cast<std::int64_t>(planes.size()));
      if (added) lane.begin.push_back(remainder - axis.before);
      phase.plane.push_back(found->second);
      phase.shift.push_back(reach / axis.stride);
      lane.extent = std::max(lane.extent, axis.out + reach / axis.stride);
    }
    lane.phases.push_back(std::move(phase));
    return lane;
  }
  // Output place o is fed by input (o + before - k · dilation) / stride, where that is whole.
  struct Range {
    std::int64_t first, count;
  };
  std::vector<Range> ranges;
  std::int64_t least = 0, most = 0;  // of input places, also outside of it
  bool any = false;
  for (const auto& phase : packed.phases) {
    const std::int64_t from = axis.before - phase.phase, to = axis.out - 1 + axis.before - phase.phase;
    const std::int64_t q = from <= 0 ? -(-from / axis.stride) : (from + axis.stride - 1) / axis.stride;
    const std::int64_t last = to >= 0 ? to / axis.stride : -((-to + axis.stride - 1) / axis.stride);
    ranges.push_back({q, std::max<std::int64_t>(0, last - q + 1)});
    if (ranges.back().count == 0) continue;
    for (const std::int64_t k : phase.taps) {
      const std::int64_t t = (k * axis.dilation - phase.phase) / axis.stride;
      least = any ? std::min(least, q - t) : q - t;
      most = any ? std::max(most, last - t) : last - t;
      any = true;
    }
  }
  lane.begin = {least};
  lane.extent = std::max<std::int64_t>(1, most - least + 1);
  for (std::size_t p = 0; p < packed.phases.size(); ++p) {
    Lane::Phase phase{.positions = ranges[p].count,
                      .first = ranges[p].first * axis.stride + packed.phases[p].phase - axis.before,
                      .step = axis.stride};
    for (const std::int64_t k : packed.phases[p].taps) {
      phase.plane.push_back(0);
      phase.shift.push_back(ranges[p].first - (k * axis.dilation - packed.phases[p].phase) / axis.stride -
                            least);
    }
    lane.phases.push_back(std::move(phase));
  }
  return lane;
}

// Dimensions of a call, with at least one.
struct Lanes {
  std::size_t rank = 0;
  std::array<Lane, Window::kMaxRank> all;
  std::array<std::int64_t, Window::kMaxRank> pitch{};  // of a plane
  std::int64_t plane = 1, planes = 1;
};

// The planes of one row's channels.
void fill_planes(const Lanes& lanes, const Window::Axes& axes, const float* input, std::int64_t channels,
                 float* to) {
  const std::size_t last = lanes.rank - 1;
  std::int64_t inner = 1;
  for (std::size_t d = 0; d < lanes.rank; ++d) inner *= axes[d].in;
  const std::int64_t length = lanes.all[last].extent, runs = lanes.plane / length;
  for (std::int64_t c = 0; c < channels; ++c)
    combinations(
        lanes.rank, [&](std::size_t d) { return lanes.all[d].begin.size(); },
        [&](const auto& which) {
          std::array<std::int64_t, Window::kMaxRank> at{};
          const std::int64_t begin = lanes.all[last].begin[which[last]], step = lanes.all[last].step;
          // Elements [low, high) lie inside of the input.
          const std::int64_t low = std::min(length, begin >= 0 ? 0 : (-begin + step - 1) / step);
          const std::int64_t high = std::clamp<std::int64_t>(
              axes[last].in > begin ? (axes[last].in - begin + step - 1) / step : 0, low, length);
          for (std::int64_t run = 0; run < runs; ++run, to += length) {
            std::int64_t from = 0;
            bool inside = true;
            for (std::size_t d = 0; d < last; ++d) {
              const std::int64_t i = lanes.all[d].begin[which[d]] + at[d] * lanes.all[d].step;
              inside = inside && i >= 0 && i < axes[d].in;
              from = from * axes[d].in + i;
            }
            if (!inside) {
              std::fill_n(to, length, 0.0f);
            } else {
              const float* const x = input + c * inner + from * axes[last].in + begin;
              std::fill_n(to, low, 0.0f);
              if (step == 1)
                std::copy(x + low, x + high, to + low);
              else
                for (std::int64_t i = low; i < high; ++i) to[i] = x[i * step];
              std::fill(to + high, to + length, 0.0f);
            }
            for (std::size_t d = last; d-- > 0;) {
              if (++at[d] < lanes.all[d].extent) break;
              at[d] = 0;
            }
          }
        });
}

// Some positions side by side, of one channel: those that are places of the output go there.
class Scatter {
 public:
  Scatter(const Lanes& lanes, const std::array<const Lane::Phase*, Window::kMaxRank>& phases,
          const Window::Axes& axes)
      : lanes_(lanes), phases_(phases) {
    std::int64_t stride = 1;
    for (std::size_t d = lanes.rank; d-- > 0;) {
      strides_[d] = stride;
      stride *= axes[d].out;
    }
  }
  void operator()(const float* z, std::int64_t position, std::int64_t count, float* out) const {
    const std::size_t last = lanes_.rank - 1;
    const std::int64_t length = lanes_.all[last].extent, valid = phases_[last]->positions;
    std::int64_t row = position / length, column = position % length;
    for (std::int64_t done = 0; done < count; ++row, column = 0) {
      const std::int64_t here = std::min(length - column, count - done);
      std::int64_t place = phases_[last]->first * strides_[last], rest = row;
      bool inside = true;
      for (std::size_t d = last; d-- > 0;) {
        const std::int64_t at = rest % lanes_.all[d].extent;
        rest /= lanes_.all[d].extent;
        inside = inside && at < phases_[d]->positions;
        place += (phases_[d]->first + at * phases_[d]->step) * strides_[d];
      }
      const std::int64_t end = std::min(column + here, valid);
      if (inside && column < end) {
        const std::int64_t step = phases_[last]->step;
        float* const to = out + place;
        const float* const from = z + done - column;
        if (step == 1)
          std::copy(from + column, from + end, to + column);
        else
          for (std::int64_t i = column; i < end; ++i) to[i * step] = from[i];
      }
      done += here;
    }
  }

 private:
  const Lanes& lanes_;
  const std::array<const Lane::Phase*, Window::kMaxRank>& phases_;
  std::array<std::int64_t, Window::kMaxRank> strides_{};
};

}  // namespace

// For float64: each output by itself.
template <class T>
void Convolution::run_plain(OperatorCall& call, const Plan& plan, Tensor& out) const {
  const Tensor &in = call.input(0), &weights = call.input(1);
  const Tensor* const bias = call.optional_input(2);
  const std::int64_t inner_in = in.shape.count(2, in.shape.rank),
                     inner_out = plan.out.count(2, plan.out.rank);
  std::array<std::int64_t, Window::kMaxRank> at{}, k{};
  for (std::int64_t place = 0; place < plan.out.count(); ++place) {
    const std::int64_t row = place / inner_out / plan.out[1], channel = place / inner_out % plan.out[1];
    const std::int64_t g = channel / plan.outputs, m = channel % plan.outputs;
    T sum = bias != nullptr ? bias->numbers<T>()[channel] : T(0);
    k.fill(0);
    for (std::int64_t tap = 0; tap < plan.taps; ++tap) {
      std::int64_t from = 0;
      bool inside = true;
      for (std::size_t d = 0; d < plan.rank; ++d) {
        const Window::Axis& a = plan.axes[d];
        std::int64_t i = at[d] * a.stride - a.before + k[d] * a.dilation;
        if (transposed_) {
          i = at[d] + a.before - k[d] * a.dilation;
          inside = inside && i % a.stride == 0;
          i /= a.stride;
        }
        inside = inside && i >= 0 && i < a.in;
        from = from * a.in + i;
      }
      if (inside)
        for (std::int64_t c = 0; c < plan.channels; ++c) {
          const std::int64_t w = transposed_ ? ((g * plan.channels + c) * plan.outputs + m) * plan.taps + tap
                                             : ((g * plan.outputs + m) * plan.channels + c) * plan.taps + tap;
          sum += in.numbers<T>()[((row * group_ + g) * plan.channels + c) * inner_in + from] *
                 weights.numbers<T>()[w];
        }
      for (std::size_t d = plan.rank; d-- > 0;) {
        if (++k[d] < plan.axes[d].kernel) break;
        k[d] = 0;
      }
    }
    out.numbers<T>()[place] = sum;
    for (std::size_t d = plan.rank; d-- > 0;) {
      if (++at[d] < plan.axes[d].out) break;
      at[d] = 0;
    }
  }
}

void Convolution::run(OperatorCall& call, const Packed* packed) const {
  call.inputs_between(2, 3);
  const Tensor& in = call.reals(0);
  const Tensor* const weights = packed != nullptr ? nullptr : &call.like_first(1);
  const Tensor* const bias = call.optional_input(2) != nullptr ? &call.like_first(2) : nullptr;
  const Plan p = plan(call, in.shape, packed != nullptr ? packed->shape : weights->shape);
  if (bias != nullptr && (bias->shape.rank != 1 || bias->shape[0] != p.out[1]))
    call.fail("has a bias of another size");
  Tensor& out = call.output(0, in.type, p.out);
  if (out.size() == 0) return;
  if (is_double(in.type)) {
    if (packed != nullptr) call.fail("has weights of another type");
    call.spend(out.shape.count(), p.channels, p.taps);
    return run_plain<double>(call, p, out);
  }
  if (p.channels == 0) call.fail("has no channels");
  Packed own;
  if (packed == nullptr) {
    own = pack(call, *weights);
    packed = &own;
  }
  Lanes lanes;
  lanes.rank = p.rank;
  double room = static_cast<double>(in.shape[1]);
  for (std::size_t d = 0; d < p.rank; ++d) {
    lanes.all[d] = lane_of(p.axes[d], packed->axes[d], transposed_);
    room *= static_cast<double>(lanes.all[d].extent) * static_cast<double>(lanes.all[d].begin.size());
  }
  if (room > static_cast<double>(call.limits.elements))
    call.fail("has an input that with its pads is too large");
  for (std::size_t d = p.rank; d-- > 0;) {
    lanes.pitch[d] = lanes.plane;
    lanes.plane *= lanes.all[d].extent;
    lanes.planes *= static_cast<std::int64_t>(lanes.all[d].begin.size());
  }
  const std::int64_t channel_stride = lanes.plane * lanes.planes;
  call.spend(p.rows * p.out[1], p.channels * p.taps, lanes.plane);
  // Where the taps of each combination of phases lie, and which phases it has.
  struct Combination {
    std::array<const Lane::Phase*, Window::kMaxRank> phases{};
    std::vector<std::int64_t> offsets;
    std::int64_t positions = 0;
  };
  std::vector<Combination> all;
  bool whole = true;  // every place of the output is made
  combinations(
      p.rank, [&](std::size_t d) { return packed->axes[d].phases.size(); },
      [&](const auto& which) {
        Combination& one = all.emplace_back();
        bool some = true;
        for (std::size_t d = 0; d < p.rank; ++d) {
          one.phases[d] = &lanes.all[d].phases[which[d]];
          some = some && one.phases[d]->positions > 0;
          one.positions += (one.phases[d]->positions - 1) * lanes.pitch[d];
        }
        one.positions = some ? one.positions + 1 : 0;
        combinations(
            p.rank, [&](std::size_t d) { return one.phases[d]->shift.size(); },
            [&](const auto& tap) {
              std::int64_t plane = 0, offset = 0;
              for (std::size_t d = 0; d < p.rank; ++d) {
                plane = plane * static_cast<std::int64_t>(lanes.all[d].begin.size()) +
                        one.phases[d]->plane[tap[d]];
                offset += one.phases[d]->shift[tap[d]] * lanes.pitch[d];
              }
              one.offsets.push_back(plane * lanes.plane + offset);
            });
      });
  if (transposed_)
    for (std::size_t d = 0; d < p.rank; ++d)
      whole = whole && static_cast<std::int64_t>(packed->axes[d].phases.size()) == p.axes[d].stride;
  constexpr std::int64_t kSlack = ConvolutionKernels::kMostPositions;  // kernels read whole vectors
  LargeArray<std::byte> local;
  LargeArray<std::byte>& scratch = call.scratch != nullptr ? *call.scratch : local;
  const std::int64_t floats = in.shape[1] * channel_stride + kSlack;
  scratch.make_room(static_cast<std::size_t>(floats) * sizeof(float));
  auto* const planes = reinterpret_cast<float*>(scratch.data());
  std::fill_n(planes + floats - kSlack, kSlack, 0.0f);
  const std::int64_t inner_in = in.shape.count(1, in.shape.rank), inner_out = p.out.count(2, p.out.rank);
  for (std::int64_t row = 0; row < p.rows; ++row) {
    fill_planes(lanes, p.axes, in.floats.data() + row * inner_in, in.shape[1], planes);
    float* const to = out.floats.data() + row * p.out[1] * inner_out;
    if (!whole)
      for (std::int64_t m = 0; m < p.out[1]; ++m)
        std::fill_n(to + m * inner_out, inner_out,
                    bias != nullptr ? bias->floats[static_cast<std::size_t>(m)] : 0.0f);
    for_each(call.pool, packed->blocks.size(), [&](std::size_t b) {
      const Packed::Block& block = packed->blocks[b];
      const Combination& one = all[block.phase];
      const Scatter scatter(lanes, one.phases, p.axes);
      static constexpr float kNothing[8] = {};
      alignas(64) float z[8 * ConvolutionKernels::kMostPositions];
      const std::int64_t first = block.group * p.outputs + block.first;
      ConvolutionTile tile{.weight = packed->weight.data() + block.weight,
                           .bias = bias != nullptr ? bias->floats.data() + first : kNothing,
                           .x = nullptr,
                           .channels = p.channels,
                           .channel_stride = channel_stride,
                           .offsets = one.offsets.data(),
                           .taps = static_cast<std::int64_t>(one.offsets.size()),
                           .z = z};
      const ConvolutionKernels& kernels = *block.kernels;
      for (std::int64_t position = 0; position < one.positions;) {
        const std::int64_t left = (one.positions - position + kernels.lanes - 1) / kernels.lanes;
        const std::int64_t vectors = std::min(kernels.vectors, left);
        tile.x = planes + block.group * p.channels * channel_stride + position;
        kernels.by_count[vectors - 1](tile);
        const std::int64_t count = std::min(vectors * kernels.lanes, one.positions - position);
        for (std::int64_t m = 0; m < block.outputs; ++m)
          scatter(z + m * ConvolutionKernels::kMostPositions, position, count, to + (first + m) * inner_out);
        position += vectors * kernels.lanes;
      }
    });
  }
}

}  // namespace calo::infer
