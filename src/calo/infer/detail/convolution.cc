#include "calo/infer/detail/convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "calo/infer/detail/parallel.h"
#include "calo/infer/float_functions.h"

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

Convolution::Plan Convolution::plan(const OperatorCall& call, const Shape& input,
                                    const Shape& weights) const {
  Plan plan;
  plan.axes = transposed_ ? window_.axes(call, input, &weights) : window_.shrinking(call, input, &weights);
  plan.rank = input.rank - 2;
  plan.rows = input[0];
  plan.inputs = input[1];
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

Convolution::Packed Convolution::pack(const OperatorCall& call, const Tensor& weights, Folded folded) const {
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
  out.bias = std::move(folded.bias);
  out.after = std::move(folded.after);
  out.weight = LargeArray<float>(weights.size());
  std::size_t place = 0;
  for (std::size_t phase = 0; phase < out.taps.size(); ++phase)
    for (std::int64_t g = 0; g < group_; ++g)
      for (std::int64_t first = 0; first < outputs;) {
        const ConvolutionKernels& kernels = convolution_kernels(
            outputs - first, channels * static_cast<std::int64_t>(out.taps[phase].size()), isa_);
        out.has_channel_kernels |= kernels.layout == ConvolutionKernels::Layout::kChannels;
        out.blocks.push_back({&kernels, g, first, kernels.outputs, phase, place});
        for (std::int64_t c = 0; c < channels; ++c)
          for (const std::int64_t tap : out.taps[phase])
            for (std::int64_t m = first; m < first + kernels.outputs; ++m) {
              const std::int64_t at = transposed_ ? ((g * channels + c) * outputs + m) * taps + tap
                                                  : ((g * outputs + m) * channels + c) * taps + tap;
              const float weight = weights.floats[static_cast<std::size_t>(at)];
              out.weight[place++] =
                  folded.factor.empty()
                      ? weight
                      : static_cast<float>(weight * folded.factor[static_cast<std::size_t>(g * outputs + m)]);
            }
        first += kernels.outputs;
      }
  return out;
}

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

// Kept from run to run.
struct Convolution::Geometry : Kept {
  std::shared_ptr<const int> of;  // which convolution
  Shape row, weights;             // extents of a row; row[0] is any
  ConvolutionPlan plan;
  std::optional<ConvolutionGeometry> general;
  // Of a transposed convolution of one place: by combination of phases and tap, which place of the output it
  // makes, or -1.
  std::vector<std::vector<std::int64_t>> places;
  bool whole = true;  // every place of the output is made
};

const Convolution::Geometry& Convolution::geometry(OperatorCall& call, const Packed& packed, const Plan& p,
                                                   std::unique_ptr<Kept>& local) const {
  std::unique_ptr<Kept>& kept = call.kept != nullptr ? *call.kept : local;
  const Shape& input = call.input(0).shape;
  Shape row = input;
  row[0] = 1;
  if (auto* const known = dynamic_cast<Geometry*>(kept.get());
      known != nullptr && known->of == identity_ && known->row == row && known->weights == packed.shape) {
    known->plan = p;  // of as many rows
    return *known;
  }
  auto made = std::make_unique<Geometry>();
  made->of = identity_;
  made->row = row;
  made->weights = packed.shape;
  made->plan = p;
  if (transposed_ && input.count(2, input.rank) == 1) {
    std::int64_t some = 0;
    for (const std::vector<std::int64_t>& taps : packed.taps) {
      std::vector<std::int64_t>& places = made->places.emplace_back();
      for (const std::int64_t tap : taps) {
        std::int64_t place = 0, pitch = 1, rest = tap;
        bool inside = true;
        for (std::size_t d = p.rank; d-- > 0;) {
          const Window::Axis& axis = p.axes[d];
          const std::int64_t at = rest % axis.kernel * axis.dilation - axis.before;
          inside = inside && at >= 0 && at < axis.out;
          place += at * pitch;
          pitch *= axis.out;
          rest /= axis.kernel;
        }
        places.push_back(inside ? place : -1);
        if (inside) ++some;
      }
    }
    made->whole = some == p.out.count(2, p.out.rank);
  } else {
    made->general.emplace(call, p, packed.axes, transposed_, packed.has_channel_kernels);
    made->whole = made->general->whole();
  }
  kept = std::move(made);
  return static_cast<const Geometry&>(*kept);
}

// What the blocks of one run share.
class Convolution::OneRun {
 public:
  OneRun(const Geometry& geometry, const Packed& packed, const float* bias, Isa isa, float* out)
      : geometry_(geometry),
        plan_(geometry.plan),
        packed_(packed),
        bias_(bias),
        function_(packed.after.activation.kind != Activation::Kind::kIdentity
                      ? float_function(packed.after.activation.kind, isa)
                      : nullptr),
        isa_(isa),
        out_(out),
        inner_out_(plan_.out.count(2, plan_.out.rank)) {}

  // Places that no tap reaches have the bias alone.
  void fill_rest() const {
    for (std::int64_t m = 0; m < plan_.out[1]; ++m) {
      float value = bias_ != nullptr ? bias_[m] : 0.0f;
      finish(&value, 1, m, 1);
      for (std::int64_t row = 0; row < plan_.rows; ++row) std::fill_n(output(row, m), inner_out_, value);
    }
  }

  // Inputs with one place: products of rows and a matrix of taps and output channels.
  void one_place(const Packed::Block& block, const float* input, std::int64_t first_row,
                 std::int64_t rows) const {
    constexpr std::int64_t kMostColumns = 256, kRows = 4;
    float z[kRows * kMostColumns];
    const std::vector<std::int64_t>& places = geometry_.places[block.phase];
    const auto taps = static_cast<std::int64_t>(places.size());
    const std::int64_t at_once = std::max<std::int64_t>(1, kMostColumns / block.outputs);
    const OnePlaceKernel kernel = one_place_kernel(isa_);
    for (std::int64_t tap = 0; tap < taps; tap += at_once) {
      const std::int64_t some = std::min(at_once, taps - tap), columns = some * block.outputs;
      for (std::int64_t row = 0; row < rows; row += kRows) {
        const std::int64_t count = std::min(kRows, rows - row);
        for (std::int64_t t = 0; t < count * some; ++t) set_bias(block, z + t * block.outputs);
        kernel({.weight = packed_.weight.data() + block.weight + tap * block.outputs,
                .weight_stride = taps * block.outputs,
                .x = input + (first_row + row) * plan_.inputs + block.group * plan_.channels,
                .x_stride = plan_.inputs,
                .rows = count,
                .channels = plan_.channels,
                .columns = columns,
                .z = z,
                .z_stride = columns});
        finish(z, count * some, channel(block), block.outputs);
        for (std::int64_t r = 0; r < count; ++r)
          for (std::int64_t t = 0; t < some; ++t) {
            const std::int64_t place = places[static_cast<std::size_t>(tap + t)];
            if (place < 0) continue;
            const float* const from = z + r * columns + t * block.outputs;
            float* const to = output(first_row + row + r, channel(block)) + place;
            for (std::int64_t m = 0; m < block.outputs; ++m) to[m * inner_out_] = from[m];
          }
      }
    }
  }

  // One block of one row. @param planes  of the row
  void block(const Packed::Block& block, const float* planes, std::int64_t row) const {
    const ConvolutionGeometry& geometry = *geometry_.general;
    const ConvolutionGeometry::Combination& one = geometry.all()[block.phase];
    if (one.positions == 0) return;
    alignas(64) float z[ConvolutionKernels::kMostSums];
    alignas(64) float bias[kMostOutputs];
    set_bias(block, bias);
    ConvolutionTile tile{.weight = packed_.weight.data() + block.weight,
                         .bias = bias,
                         .x = planes + block.group * plan_.channels * geometry.channel_stride(),
                         .channels = plan_.channels,
                         .channel_stride = geometry.channel_stride(),
                         .offsets = one.offsets.data(),
                         .taps = static_cast<std::int64_t>(one.offsets.size()),
                         .places = nullptr,
                         .z = z};
    float* const to = output(row, channel(block));
    if (block.kernels->layout == ConvolutionKernels::Layout::kChannels)
      channels_block(block, one, tile, to);
    else
      positions_block(block, one, tile, to);
  }

 private:
  static constexpr std::int64_t kMostOutputs = 64;

  std::int64_t channel(const Packed::Block& block) const { return block.group * plan_.outputs + block.first; }
  float* output(std::int64_t row, std::int64_t m) const {
    return out_ + (row * plan_.out[1] + m) * inner_out_;
  }
  void set_bias(const Packed::Block& block, float* to) const {
    if (bias_ != nullptr)
      std::copy_n(bias_ + channel(block), block.outputs, to);
    else
      std::fill_n(to, block.outputs, 0.0f);
  }
  // Of `outputs` channels from m on, side by side, `count` times.
  void finish(float* z, std::int64_t count, std::int64_t m, std::int64_t outputs) const {
    const After& after = packed_.after;
    if (function_ != nullptr) function_(after.activation, z, z, static_cast<std::size_t>(count * outputs));
    if (after.scale.empty()) return;
    const float *const scale = after.scale.data() + m, *const shift = after.shift.data() + m;
    for (std::int64_t i = 0; i < count; ++i, z += outputs)
      for (std::int64_t k = 0; k < outputs; ++k) z[k] = z[k] * scale[k] + shift[k];
  }

  // Channels that lie side by side, each to its own part of the output.
  void spread(const float* z, std::int64_t count, std::int64_t outputs, const std::uint32_t* places,
              float* to) const {
    constexpr std::int64_t kAtOnce = 4;  // channels
    for (std::int64_t m = 0; m < outputs; m += kAtOnce) {
      float* const out[kAtOnce] = {to + m * inner_out_, to + (m + 1) * inner_out_, to + (m + 2) * inner_out_,
                                   to + (m + 3) * inner_out_};
      for (std::int64_t p = 0; p < count; ++p) {
        const float* const from = z + p * outputs + m;
        const std::uint32_t place = places[p];
        for (std::int64_t k = 0; k < kAtOnce; ++k) out[k][place] = from[k];
      }
    }
  }

  void channels_block(const Packed::Block& block, const ConvolutionGeometry::Combination& one,
                      ConvolutionTile& tile, float* to) const {
    const ConvolutionKernels& kernels = *block.kernels;
    const auto all = static_cast<std::int64_t>(one.from.size());
    std::int64_t tiles = (all + kernels.vectors - 1) / kernels.vectors;
    for (std::int64_t at = 0; at < all; --tiles) {
      const std::int64_t count = (all - at + tiles - 1) / tiles;  // tiles of nearly the same size
      tile.places = one.from.data() + at;
      kernels.by_count[count - 1](tile);
      finish(tile.z, count, channel(block), block.outputs);
      spread(tile.z, count, block.outputs, one.to.data() + at, to);
      at += count;
    }
  }

  void positions_block(const Packed::Block& block, const ConvolutionGeometry::Combination& one,
                       ConvolutionTile& tile, float* to) const {
    const ConvolutionKernels& kernels = *block.kernels;
    ConvolutionGeometry::Run runs[ConvolutionKernels::kMostPositions];
    const float* const x = tile.x;
    for (std::int64_t position = 0; position < one.positions;) {
      const std::int64_t left = (one.positions - position + kernels.lanes - 1) / kernels.lanes;
      const std::int64_t vectors = std::min(kernels.vectors, left);
      tile.x = x + position;
      kernels.by_count[vectors - 1](tile);
      const std::int64_t count = std::min(vectors * kernels.lanes, one.positions - position);
      const std::size_t found = geometry_.general->runs(one, position, count, runs);
      for (std::int64_t m = 0; m < block.outputs; ++m) {
        float* const z = tile.z + m * ConvolutionKernels::kMostPositions;
        float* const out = to + m * inner_out_;
        if (function_ != nullptr)
          function_(packed_.after.activation, z, z, static_cast<std::size_t>(vectors * kernels.lanes));
        if (!packed_.after.scale.empty()) {
          const auto c = static_cast<std::size_t>(channel(block) + m);
          const float scale = packed_.after.scale[c], shift = packed_.after.shift[c];
          for (std::int64_t i = 0; i < count; ++i) z[i] = z[i] * scale + shift;
        }
        for (std::size_t r = 0; r < found; ++r) {
          const auto& run = runs[r];
          if (run.step == 1)
            std::copy_n(z + run.begin, run.count, out + run.place);
          else
            for (std::int64_t i = 0; i < run.count; ++i) out[run.place + i * run.step] = z[run.begin + i];
        }
      }
      position += vectors * kernels.lanes;
    }
  }

  const Geometry& geometry_;
  const Plan& plan_;
  const Packed& packed_;
  const float* bias_;
  FloatFunction function_;
  Isa isa_;
  float* out_;
  std::int64_t inner_out_;
};

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
    own = pack(call, *weights, {});
    packed = &own;
  }
  std::unique_ptr<Kept> local;
  const Geometry& g = geometry(call, *packed, p, local);
  const float* const bias_numbers = !packed->bias.empty() ? packed->bias.data()
                                    : bias != nullptr     ? bias->floats.data()
                                                          : nullptr;
  const OneRun one_run(g, *packed, bias_numbers, isa_, out.floats.data());
  if (!g.whole) one_run.fill_rest();
  const std::vector<Packed::Block>& blocks = packed->blocks;
  if (!g.general) {
    call.spend(p.rows * p.out[1], p.channels, p.taps);
    constexpr std::int64_t kRows = 16;
    const auto parts = static_cast<std::size_t>((p.rows + kRows - 1) / kRows);
    for_each(call.pool, blocks.size() * parts, [&](std::size_t i) {
      const auto first = static_cast<std::int64_t>(i % parts) * kRows;
      one_run.one_place(blocks[i / parts], in.floats.data(), first, std::min(kRows, p.rows - first));
    });
    return;
  }
  const ConvolutionGeometry& geometry = *g.general;
  call.spend(p.rows * p.out[1], p.channels * p.taps, geometry.plane());
  const std::int64_t inner_in = in.shape.count(1, in.shape.rank);
  const bool only_channels = std::all_of(blocks.begin(), blocks.end(), [](const Packed::Block& block) {
    return block.kernels->layout == ConvolutionKernels::Layout::kChannels;
  });
  const bool direct = geometry.direct() && only_channels;
  // Weights are read for a few rows at once, while the planes of those stay in cache.
  constexpr std::int64_t kMostRows = 16, kMostFloats = std::int64_t{1} << 18;
  constexpr std::int64_t kSlack = ConvolutionKernels::kMostPositions;  // kernels read whole vectors
  const std::int64_t each = direct ? 0 : p.inputs * geometry.channel_stride();
  const std::int64_t least_rows =
      call.pool != nullptr ? (call.pool->size() * 2 + std::ssize(blocks) - 1) / std::ssize(blocks) : 1;
  const std::int64_t at_once = std::clamp<std::int64_t>(
      std::max(least_rows, kMostFloats / std::max<std::int64_t>(1, each)), 1, std::min(kMostRows, p.rows));
  LargeArray<std::byte> local_scratch;
  LargeArray<std::byte>& scratch = call.scratch != nullptr ? *call.scratch : local_scratch;
  scratch.make_room(static_cast<std::size_t>(at_once * each + kSlack) * sizeof(float));
  auto* const planes = reinterpret_cast<float*>(scratch.data());
  if (!direct) std::fill_n(planes + at_once * each, kSlack, 0.0f);
  for (std::int64_t row = 0; row < p.rows; row += at_once) {
    const auto count = static_cast<std::size_t>(std::min(at_once, p.rows - row));
    const float* const input = in.floats.data() + row * inner_in;
    if (!direct)
      for_each(call.pool, count, [&](std::size_t r) {
        const auto i = static_cast<std::int64_t>(r);
        geometry.fill(input + i * inner_in, p.inputs, planes + i * each);
      });
    for_each(call.pool, blocks.size() * count, [&](std::size_t item) {
      const auto r = static_cast<std::int64_t>(item % count);
      one_run.block(blocks[item / count], direct ? input + r * inner_in : planes + r * each, row + r);
    });
  }
}

}  // namespace calo::infer
