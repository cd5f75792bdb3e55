#include "calo/infer/cascade/layer_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace calo::cascade {

float code_of(float energy_mev, float threshold_mev) {
  return energy_mev > 0 ? std::log(energy_mev / threshold_mev) * 0.125f : 0.0f;
}

std::vector<Frame::Interval> Frame::tree_of(std::span<const float> cuts, int layers) {
  std::vector<Interval> tree = {{.begin = 0, .middle = 0, .end = layers}};
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const auto refuse = [&] {
      throw core::InputError({.message = fmt::format("{} is no place to cut the layers", cuts[i]),
                              .field = fmt::format("layer_cuts[{}]", i)});
    };
    if (i >= tree.size() || !(cuts[i] > static_cast<float>(tree[i].begin)) ||
        !(cuts[i] < static_cast<float>(tree[i].end)) || cuts[i] != std::floor(cuts[i]))
      refuse();
    const int begin = tree[i].begin, middle = static_cast<int>(cuts[i]), end = tree[i].end;
    tree[i].middle = middle;
    if (middle - begin > 1) {
      tree[i].left = static_cast<int>(tree.size());
      tree.push_back({.begin = begin, .middle = begin, .end = middle});
    }
    if (end - middle > 1) {
      tree[i].right = static_cast<int>(tree.size());
      tree.push_back({.begin = middle, .middle = middle, .end = end});
    }
  }
  return tree;
}

std::vector<float> Frame::cuts_of(std::span<const double> mean) {
  std::vector<float> cuts;
  std::vector<std::pair<std::size_t, std::size_t>> queue = {{0, mean.size()}};
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const auto [begin, end] = queue[i];
    double sum = 0, whole = 0;
    for (std::size_t layer = begin; layer < end; ++layer) whole += mean[layer];
    std::size_t middle = begin;
    do sum += mean[middle++];
    while (middle < end && sum < whole / 2);
    const std::size_t least = std::max<std::size_t>(1, (end - begin) / 4);
    middle = std::clamp(middle, begin + least, end - least);
    cuts.push_back(static_cast<float>(middle));
    if (middle - begin > 1) queue.emplace_back(begin, middle);
    if (end - middle > 1) queue.emplace_back(middle, end);
  }
  return cuts;
}

float Frame::width_at(float incident_energy_mev) const {
  return response_width * (1 / std::sqrt(incident_energy_mev / 1000) + 1.0f / 24);
}

float Frame::code_of_total(float total_mev, float incident_energy_mev) const {
  return std::log(total_mev / (incident_energy_mev * mean_response)) / width_at(incident_energy_mev);
}

float Frame::total_of_code(double code, float incident_energy_mev) const {
  constexpr double kFarthest = 12;  // widths: finite whatever a network says
  const double t = std::clamp(code, -kFarthest, kFarthest);
  const double total = static_cast<double>(incident_energy_mev) * mean_response *
                       std::exp(t * static_cast<double>(width_at(incident_energy_mev)));
  return std::max(static_cast<float>(total), threshold_mev);
}

void ConditionFeatures::set(float energy_mev, float theta_rad, std::size_t geometry, std::size_t geometries) {
  e = std::log(energy_mev / 1000) / std::log(100.0f);
  others.assign(1 + geometries, 0.0f);
  others[0] = theta_rad * static_cast<float>(2 / std::numbers::pi) - 1;
  others.at(1 + geometry) = 1;
}

LayerWalk::LayerWalk(const Frame& frame, int layers)
    : frame_(frame),
      energies_(frame.intervals.size()),
      profile_(static_cast<std::size_t>(layers)),
      log_profile_(profile_.size()),
      code_(profile_.size()) {}

void LayerWalk::total_features(const ConditionFeatures& conditions, float* x) {
  *x++ = conditions.e;
  *x++ = conditions.e * conditions.e;
  *x++ = std::exp(-0.5f * std::log(100.0f) * conditions.e);
  std::copy(conditions.others.begin(), conditions.others.end(), x);
}

void LayerWalk::start(const ConditionFeatures& conditions, float incident_energy_mev, float total_mev) {
  conditions_ = &conditions;
  total_mev_ = total_mev;
  total_code_ = frame_.code_of_total(total_mev, incident_energy_mev);
  std::fill(energies_.begin(), energies_.end(), 0.0f);  // what an empty interval leaves unsplit
  fill(0, static_cast<int>(profile_.size()), 0, total_mev);
}

void LayerWalk::fill(int begin, int end, int split, float energy_mev) {
  if (split >= 0) energies_[static_cast<std::size_t>(split)] = energy_mev;
  const float each = energy_mev / static_cast<float>(end - begin);
  const float logarithm = each > 0 ? std::log(each) : 0, code = code_of(each, frame_.threshold_mev);
  for (auto layer = static_cast<std::size_t>(begin); layer < static_cast<std::size_t>(end); ++layer) {
    profile_[layer] = each;
    log_profile_[layer] = logarithm;
    code_[layer] = code;
  }
}

void LayerWalk::features(std::size_t node, float* x) const {
  constexpr int kReach = 6;  // layers around the interval
  const Frame::Interval& interval = frame_.intervals[node];
  const int layers = static_cast<int>(profile_.size());
  x = std::copy(code_.begin(), code_.end(), x);
  const float energy = energies_[node],
              each = std::log(energy / static_cast<float>(interval.end - interval.begin));
  std::fill_n(x, layers, 0.0f);
  for (int layer = std::max(0, interval.begin - kReach); layer < std::min(layers, interval.end + kReach);
       ++layer) {
    const auto at = static_cast<std::size_t>(layer);
    x[layer] = profile_[at] > 0 ? std::clamp((log_profile_[at] - each) * 0.25f, -2.0f, 2.0f) : -2.0f;
  }
  x += layers;
  *x++ = conditions_->e;
  *x++ = std::clamp(total_code_, -5.0f, 5.0f) / 3;
  *x++ = code_of(energy, frame_.threshold_mev);
  *x++ = std::log(energy / total_mev_) * 0.125f;
  *x++ = code_of(total_mev_, frame_.threshold_mev);
  *x++ = static_cast<float>(interval.end - interval.begin) / static_cast<float>(layers);
  std::copy(conditions_->others.begin(), conditions_->others.end(), x);
}

void LayerWalk::set(std::size_t node, float a_mev, float b_mev) {
  const Frame::Interval& interval = frame_.intervals[node];
  fill(interval.begin, interval.middle, interval.left, a_mev);
  fill(interval.middle, interval.end, interval.right, b_mev);
}

}  // namespace calo::cascade
