#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "calo/infer/detail/window.h"
#include "calo/infer/operators.h"
#include "calo/infer/tensor.h"

namespace calo::infer {

/// Extents of one call of a convolution.
struct ConvolutionPlan {
  std::size_t rank = 0;
  std::int64_t rows = 0, inputs = 0;       ///< inputs: channels of all groups
  std::int64_t channels = 0, outputs = 0;  ///< of one group
  Window::Axes axes;
  Shape out;
  std::int64_t taps = 1;
};

/// Taps of one dimension by phase of the output: all in one for Conv.
struct ConvolutionAxis {
  struct Phase {
    std::int64_t phase = 0;
    std::vector<std::int64_t> taps;
  };
  std::vector<Phase> phases;
};
ConvolutionAxis phases_of(const Window::Axis& axis, bool transposed);

/// body(which) for each combination of which[d] in [0, size(d)), the last dimension fastest.
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

/// Where a convolution's kernels find what they add up, and where sums go, for inputs of one shape.
class ConvolutionGeometry {
 public:
  /// One combination of phases.
  struct Combination {
    std::vector<std::int64_t> offsets;  ///< of its taps, in the planes of a channel
    std::int64_t positions = 0;         ///< in the planes, from the first to the last
    std::vector<std::uint32_t> from;    ///< positions that are places of the output, one by one
    std::vector<std::uint32_t> to;      ///< … and the places
    std::array<std::size_t, Window::kMaxRank> phases{};
  };
  /// Positions of a tile that lie side by side, and go to places `step` apart.
  struct Run {
    std::int64_t begin, count, place, step;
  };

  /// @param one_by_one  whether combinations need their lists `from` and `to`
  /// @throws core::InputError if the input with its pads is too large
  ConvolutionGeometry(const OperatorCall& call, const ConvolutionPlan& plan,
                      const std::vector<ConvolutionAxis>& axes, bool transposed, bool one_by_one);

  const std::vector<Combination>& all() const {
    return all_;
  }  ///< in the order of all combinations of phases
  std::int64_t channel_stride() const { return plane_ * planes_; }
  std::int64_t plane() const { return plane_; }
  /// Every place of the output is made.
  bool whole() const { return whole_; }
  /// The planes are the input as it is.
  bool direct() const { return direct_; }
  /// The planes of one row. @param to `[channels, channel_stride()]`
  void fill(const float* input, std::int64_t channels, float* to) const;
  /// What of `count` positions, side by side, are places of the output. @param to room for `count`
  std::size_t runs(const Combination& combination, std::int64_t position, std::int64_t count, Run* to) const;

 private:
  struct Lane {                                // one dimension
    struct Phase {                             // of the output
      std::int64_t positions = 0;              // how many
      std::int64_t first = 0, step = 1;        // places in the output
      std::vector<std::int64_t> plane, shift;  // of each tap
    };
    std::int64_t extent = 1;          // of a plane
    std::vector<std::int64_t> begin;  // by plane: which place of the input its first element is
    std::int64_t step = 1;            // between elements of a plane, in the input
    std::vector<Phase> phases;
    struct Inside {  // of a plane: elements that are places of the input
      std::int64_t low, count;
    };
    std::vector<Inside> inside;
    void find_inside(std::int64_t in);
  };
  static Lane lane_of(const Window::Axis& axis, const ConvolutionAxis& phases);
  static Lane transposed_lane_of(const Window::Axis& axis, const ConvolutionAxis& phases);
  Combination combination(const std::array<std::size_t, Window::kMaxRank>& which, bool one_by_one) const;

  std::size_t rank_;
  Window::Axes axes_;
  std::array<Lane, Window::kMaxRank> lanes_;
  std::array<std::int64_t, Window::kMaxRank> pitch_{}, out_pitch_{};  // of a plane, of the output
  std::int64_t plane_ = 1, planes_ = 1;
  bool whole_ = true, direct_ = false;
  std::vector<Combination> all_;
};

}  // namespace calo::infer
