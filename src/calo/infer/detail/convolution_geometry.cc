#include "calo/infer/detail/convolution_geometry.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace calo::infer {

ConvolutionAxis phases_of(const Window::Axis& axis, bool transposed) {
  ConvolutionAxis out;
  std::map<std::int64_t, std::size_t> places;
  for (std::int64_t k = 0; k < axis.kernel; ++k) {
    const std::int64_t phase = transposed ? k * axis.dilation % axis.stride : 0;
    const auto [found, added] = places.emplace(phase, out.phases.size());
    if (added) out.phases.push_back({.phase = phase, .taps = {}});
    out.phases[found->second].taps.push_back(k);
  }
  return out;
}

ConvolutionGeometry::Lane ConvolutionGeometry::lane_of(const Window::Axis& axis,
                                                       const ConvolutionAxis& phases) {
  Lane lane;
  lane.step = axis.stride;
  Lane::Phase phase{.positions = axis.out};
  std::map<std::int64_t, std::int64_t> planes;  // by remainder
  for (const std::int64_t k : phases.phases[0].taps) {
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

ConvolutionGeometry::Lane ConvolutionGeometry::transposed_lane_of(const Window::Axis& axis,
                                                                  const ConvolutionAxis& phases) {
  Lane lane;
  // Output place o is fed by input (o + before - k · dilation) / stride, if that is whole.
  struct Range {
    std::int64_t first, count;
  };
  std::vector<Range> ranges;
  std::int64_t least = 0, most = 0;  // of input places, also outside of it
  bool any = false;
  for (const auto& phase : phases.phases) {
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
  for (std::size_t p = 0; p < phases.phases.size(); ++p) {
    Lane::Phase phase{.positions = ranges[p].count,
                      .first = ranges[p].first * axis.stride + phases.phases[p].phase - axis.before,
                      .step = axis.stride};
    for (const std::int64_t k : phases.phases[p].taps) {
      phase.plane.push_back(0);
      phase.shift.push_back(ranges[p].first - (k * axis.dilation - phases.phases[p].phase) / axis.stride -
                            least);
    }
    lane.phases.push_back(std::move(phase));
  }
  return lane;
}

void ConvolutionGeometry::Lane::find_inside(std::int64_t in) {
  for (const std::int64_t first : begin) {
    const std::int64_t low = std::min(extent, first >= 0 ? 0 : (-first + step - 1) / step);
    const std::int64_t high =
        std::clamp<std::int64_t>(in > first ? (in - first + step - 1) / step : 0, low, extent);
    inside.push_back({low, high - low});
  }
}

ConvolutionGeometry::ConvolutionGeometry(const OperatorCall& call, const ConvolutionPlan& plan,
                                         const std::vector<ConvolutionAxis>& axes, bool transposed,
                                         bool one_by_one)
    : rank_(plan.rank), axes_(plan.axes) {
  double room = static_cast<double>(plan.inputs);
  for (std::size_t d = 0; d < rank_; ++d) {
    lanes_[d] = transposed ? transposed_lane_of(axes_[d], axes[d]) : lane_of(axes_[d], axes[d]);
    lanes_[d].find_inside(axes_[d].in);
    room *= static_cast<double>(lanes_[d].extent) * static_cast<double>(lanes_[d].begin.size());
  }
  if (room > static_cast<double>(call.limits.elements))
    call.fail("has an input that with its pads is too large");
  std::int64_t inner = 1;
  direct_ = true;
  for (std::size_t d = rank_; d-- > 0;) {
    const Lane& lane = lanes_[d];
    pitch_[d] = plane_;
    out_pitch_[d] = inner;
    plane_ *= lane.extent;
    planes_ *= static_cast<std::int64_t>(lane.begin.size());
    inner *= axes_[d].out;
    direct_ = direct_ && lane.begin.size() == 1 && lane.begin[0] == 0 && lane.step == 1 &&
              lane.extent == axes_[d].in;
    if (transposed) whole_ = whole_ && static_cast<std::int64_t>(lane.phases.size()) == axes_[d].stride;
  }
  combinations(
      rank_, [&](std::size_t d) { return axes[d].phases.size(); },
      [&](const auto& which) { all_.push_back(combination(which, one_by_one)); });
}

ConvolutionGeometry::Combination ConvolutionGeometry::combination(
    const std::array<std::size_t, Window::kMaxRank>& which, bool one_by_one) const {
  Combination out{.phases = which};
  std::array<const Lane::Phase*, Window::kMaxRank> phases{};
  bool some = true;
  for (std::size_t d = 0; d < rank_; ++d) {
    phases[d] = &lanes_[d].phases[which[d]];
    some = some && phases[d]->positions > 0;
    out.positions += (phases[d]->positions - 1) * pitch_[d];
  }
  out.positions = some ? out.positions + 1 : 0;
  combinations(
      rank_, [&](std::size_t d) { return phases[d]->shift.size(); },
      [&](const auto& tap) {
        std::int64_t plane = 0, offset = 0;
        for (std::size_t d = 0; d < rank_; ++d) {
          plane = plane * static_cast<std::int64_t>(lanes_[d].begin.size()) + phases[d]->plane[tap[d]];
          offset += phases[d]->shift[tap[d]] * pitch_[d];
        }
        out.offsets.push_back(plane * plane_ + offset);
      });
  if (!some || !one_by_one) return out;
  combinations(
      rank_, [&](std::size_t d) { return static_cast<std::size_t>(phases[d]->positions); },
      [&](const auto& at) {
        std::int64_t position = 0, place = 0;
        for (std::size_t d = 0; d < rank_; ++d) {
          const auto i = static_cast<std::int64_t>(at[d]);
          position += i * pitch_[d];
          place += (phases[d]->first + i * phases[d]->step) * out_pitch_[d];
        }
        out.from.push_back(static_cast<std::uint32_t>(position));
        out.to.push_back(static_cast<std::uint32_t>(place));
      });
  return out;
}

std::size_t ConvolutionGeometry::runs(const Combination& combination, std::int64_t position,
                                      std::int64_t count, Run* to) const {
  const auto phase = [&](std::size_t d) -> const Lane::Phase& {
    return lanes_[d].phases[combination.phases[d]];
  };
  const std::size_t last = rank_ - 1;
  const std::int64_t length = lanes_[last].extent, valid = phase(last).positions;
  std::int64_t row = position / length, column = position % length;
  std::size_t found = 0;
  for (std::int64_t done = 0; done < count; ++row, column = 0) {
    const std::int64_t here = std::min(length - column, count - done);
    std::int64_t place = (phase(last).first + column * phase(last).step) * out_pitch_[last], rest = row;
    bool inside = true;
    for (std::size_t d = last; d-- > 0;) {
      const std::int64_t at = rest % lanes_[d].extent;
      rest /= lanes_[d].extent;
      inside = inside && at < phase(d).positions;
      place += (phase(d).first + at * phase(d).step) * out_pitch_[d];
    }
    const std::int64_t end = std::min(column + here, valid);
    if (inside && column < end)
      to[found++] = {.begin = done, .count = end - column, .place = place, .step = phase(last).step};
    done += here;
  }
  return found;
}

namespace {

// Rows are often shorter than what memcpy is made for.
inline void copy_row(const float* from, std::int64_t count, float* to) {
  constexpr std::int64_t kPart = 4;
  if (count < kPart) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  std::int64_t i = 0;
  for (; i + kPart <= count; i += kPart) std::memcpy(to + i, from + i, kPart * sizeof(float));
  std::memcpy(to + count - kPart, from + count - kPart, kPart * sizeof(float));  // the rest, and some again
}

}  // namespace

void ConvolutionGeometry::fill(const float* input, std::int64_t channels, float* to) const {
  const std::size_t last = rank_ - 1;
  std::array<std::int64_t, Window::kMaxRank> in_pitch{};
  std::int64_t inner = 1;
  for (std::size_t d = rank_; d-- > 0;) {
    in_pitch[d] = inner;
    inner *= axes_[d].in;
  }
  for (std::int64_t c = 0; c < channels; ++c, input += inner) {
    std::fill_n(to, channel_stride(), 0.0f);
    combinations(
        rank_, [&](std::size_t d) { return lanes_[d].begin.size(); },
        [&](const auto& which) {
          std::int64_t from = 0, into = 0;  // of the first elements inside
          bool some = true;
          for (std::size_t d = 0; d < rank_; ++d) {
            const Lane::Inside& inside = lanes_[d].inside[which[d]];
            some = some && inside.count > 0;
            from += (lanes_[d].begin[which[d]] + inside.low * lanes_[d].step) * in_pitch[d];
            into += inside.low * pitch_[d];
          }
          const std::int64_t count = lanes_[last].inside[which[last]].count, step = lanes_[last].step;
          if (some)
            combinations(
                last,
                [&](std::size_t d) { return static_cast<std::size_t>(lanes_[d].inside[which[d]].count); },
                [&](const auto& at) {
                  const float* x = input + from;
                  float* y = to + into;
                  for (std::size_t d = 0; d < last; ++d) {
                    const auto i = static_cast<std::int64_t>(at[d]);
                    x += i * lanes_[d].step * in_pitch[d];
                    y += i * pitch_[d];
                  }
                  if (step == 1)
                    copy_row(x, count, y);
                  else
                    for (std::int64_t i = 0; i < count; ++i) y[i] = x[i * step];
                });
          to += plane_;
        });
  }
}

}  // namespace calo::infer
