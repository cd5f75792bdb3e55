#include "calo/classify/detail/boosted_trees.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/error.h"
#include "core/interrupt.h"

namespace calo {
namespace {

constexpr std::size_t kBins = 256;  // of which at most 255 are used

struct Sums {
  double gradient = 0, curvature = 0;
  std::int64_t rows = 0;

  Sums& operator+=(const Sums& other) {
    gradient += other.gradient;
    curvature += other.curvature;
    rows += other.rows;
    return *this;
  }
  Sums operator-(const Sums& other) const {
    return {gradient - other.gradient, curvature - other.curvature, rows - other.rows};
  }
  // Twice what the loss falls by Newton's step.
  double score(double l2) const { return gradient * gradient / (curvature + l2); }
};

using Histogram = std::array<Sums, kBins>;

struct Division {
  double gain = 0;
  std::size_t feature = 0;
  std::uint8_t bin = 0;
  Sums left;
};

double log_loss(double logit, bool positive) {
  const double z = positive ? -logit : logit;
  return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z));
}

}  // namespace

// One set of rows in bins, and the trees that grow on it.
class TreeGrower {
 public:
  TreeGrower(BoostedTrees& model, const LabelledRows& training, const BoostedTreesOptions& options,
             core::ThreadPool& pool)
      : model_(model), options_(options), pool_(pool), rows_(2 * training.rows.size()) {
    bins_.resize(model.columns_ * rows_);
    pool.for_each(model.columns_, [&](std::size_t feature) {
      std::uint8_t* to = bins_.data() + feature * rows_;
      for (const FeatureTable* side : {&training.negative, &training.positive})
        for (const std::size_t row : training.rows) *to++ = model.bin_of(feature, side->row(row)[feature]);
    });
    logits_.assign(rows_, 0.0);
    gradients_.resize(rows_);
    curvatures_.resize(rows_);
    order_.resize(rows_);
  }

  // Adds a tree; false if nothing is left to divide.
  bool grow() {
    for (std::size_t i = 0; i < rows_; ++i) {
      const double p = 1 / (1 + std::exp(-logits_[i]));
      gradients_[i] = p - (is_positive(i) ? 1 : 0);
      curvatures_[i] = p * (1 - p);
      order_[i] = static_cast<std::uint32_t>(i);
    }
    leaves_.clear();
    used_ = 0;
    const auto root = static_cast<std::int32_t>(model_.nodes_.size());
    model_.nodes_.push_back({});
    Leaf whole{.node = root, .begin = 0, .end = rows_, .histograms = buffer()};
    fill(whole);
    find(whole);
    if (!(whole.best.gain > 0)) {
      model_.nodes_.pop_back();
      return false;
    }
    leaves_.push_back(whole);
    while (leaves_.size() < static_cast<std::size_t>(options_.leaves)) {
      const auto best = std::max_element(leaves_.begin(), leaves_.end(), [](const Leaf& a, const Leaf& b) {
        return a.best.gain < b.best.gain;
      });
      if (!(best->best.gain > 0)) break;
      divide(static_cast<std::size_t>(best - leaves_.begin()));
    }
    for (const Leaf& leaf : leaves_) {
      const double value = -options_.learning_rate * leaf.sums.gradient / (leaf.sums.curvature + options_.l2);
      model_.nodes_[static_cast<std::size_t>(leaf.node)].value = value;
      for (std::size_t i = leaf.begin; i < leaf.end; ++i) logits_[order_[i]] += value;
    }
    model_.roots_.push_back(root);
    return true;
  }

 private:
  struct Leaf {
    std::int32_t node = 0;
    std::size_t begin = 0, end = 0;  // of order_
    std::size_t histograms = 0;      // of buffers_
    Sums sums = {};
    Division best = {};
  };

  bool is_positive(std::size_t row) const { return row >= rows_ / 2; }

  std::size_t buffer() {
    if (used_ == buffers_.size()) buffers_.emplace_back(model_.columns_);
    return used_++;
  }

  void fill(Leaf& leaf) {
    pool_.for_each(model_.columns_, [&](std::size_t feature) {
      Histogram& histogram = buffers_[leaf.histograms][feature];
      histogram.fill({});
      const std::uint8_t* bins = bins_.data() + feature * rows_;
      for (std::size_t i = leaf.begin; i < leaf.end; ++i) {
        const std::uint32_t row = order_[i];
        Sums& sums = histogram[bins[row]];
        sums.gradient += gradients_[row];
        sums.curvature += curvatures_[row];
        ++sums.rows;
      }
    });
  }

  // The division of a leaf whose histograms are filled, by which the loss falls most.
  void find(Leaf& leaf) {
    leaf.sums = {};
    for (const Sums& sums : buffers_[leaf.histograms][0]) leaf.sums += sums;
    std::vector<Division> best(model_.columns_);
    pool_.for_each(model_.columns_, [&](std::size_t feature) {
      const Histogram& histogram = buffers_[leaf.histograms][feature];
      Sums left;
      const double whole = leaf.sums.score(options_.l2);
      for (std::size_t bin = 0; bin < model_.edges_[feature].size(); ++bin) {
        left += histogram[bin];
        const Sums right = leaf.sums - left;
        if (left.rows < options_.least_rows) continue;
        if (right.rows < options_.least_rows) break;
        const double gain = left.score(options_.l2) + right.score(options_.l2) - whole;
        if (gain > best[feature].gain + 1e-9)
          best[feature] = {gain, feature, static_cast<std::uint8_t>(bin), left};
      }
    });
    leaf.best = {};
    for (const Division& division : best)
      if (division.gain > leaf.best.gain) leaf.best = division;
  }

  void divide(std::size_t index) {
    const Leaf parent = leaves_[index];
    const std::uint8_t* bins = bins_.data() + parent.best.feature * rows_;
    const auto middle =
        std::stable_partition(order_.begin() + static_cast<std::ptrdiff_t>(parent.begin),
                              order_.begin() + static_cast<std::ptrdiff_t>(parent.end),
                              [&](std::uint32_t row) { return bins[row] <= parent.best.bin; });
    const auto left_node = static_cast<std::int32_t>(model_.nodes_.size());
    model_.nodes_.push_back({});
    model_.nodes_.push_back({});
    BoostedTrees::Node& node = model_.nodes_[static_cast<std::size_t>(parent.node)];
    node.feature = static_cast<std::int32_t>(parent.best.feature);
    node.bin = parent.best.bin;
    node.left = left_node;
    node.right = left_node + 1;
    const auto place = static_cast<std::size_t>(middle - order_.begin());
    Leaf left{.node = left_node, .begin = parent.begin, .end = place},
        right{.node = left_node + 1, .begin = place, .end = parent.end};
    // The smaller side is counted, the other is what is left of the parent.
    Leaf& small = place - parent.begin < parent.end - place ? left : right;
    Leaf& large = &small == &left ? right : left;
    small.histograms = buffer();
    large.histograms = parent.histograms;
    fill(small);
    pool_.for_each(model_.columns_, [&](std::size_t feature) {
      Histogram& from = buffers_[large.histograms][feature];
      const Histogram& less = buffers_[small.histograms][feature];
      for (std::size_t bin = 0; bin < kBins; ++bin) from[bin] = from[bin] - less[bin];
    });
    find(left);
    find(right);
    leaves_[index] = left;
    leaves_.push_back(right);
  }

  BoostedTrees& model_;
  const BoostedTreesOptions& options_;
  core::ThreadPool& pool_;
  std::size_t rows_;
  std::vector<std::uint8_t> bins_;  // [feature, row]
  std::vector<double> logits_, gradients_, curvatures_;
  std::vector<std::uint32_t> order_;
  std::vector<Leaf> leaves_;
  std::vector<std::vector<Histogram>> buffers_;
  std::size_t used_ = 0;
};

std::uint8_t BoostedTrees::bin_of(std::size_t feature, float value) const {
  const std::vector<float>& edges = edges_[feature];
  return static_cast<std::uint8_t>(std::lower_bound(edges.begin(), edges.end(), value) - edges.begin());
}

BoostedTrees BoostedTrees::fit(const LabelledRows& training, const LabelledRows& selection,
                               const BoostedTreesOptions& options, core::ThreadPool& pool) {
  if (training.negative.names != training.positive.names || training.rows.empty())
    throw std::logic_error("boosted trees need rows of the same features");
  BoostedTrees model;
  model.columns_ = training.negative.columns();
  model.edges_.resize(model.columns_);
  // Edges halfway from a quantile of the training rows to the next greater value.
  pool.for_each(model.columns_, [&](std::size_t feature) {
    std::vector<float> values;
    for (const FeatureTable* side : {&training.negative, &training.positive})
      for (const std::size_t row : training.rows) values.push_back(side->row(row)[feature]);
    std::sort(values.begin(), values.end());
    std::vector<float>& edges = model.edges_[feature];
    for (std::size_t i = 1; i < kBins - 1; ++i) {
      const float value = values[i * values.size() / (kBins - 1)];
      const auto next = std::upper_bound(values.begin(), values.end(), value);
      if (next == values.end()) break;
      const float edge = value + (*next - value) / 2;
      if (edges.empty() || edge > edges.back()) edges.push_back(edge);
    }
  });
  TreeGrower grower(model, training, options, pool);
  std::vector<double> logits(2 * selection.rows.size(), 0.0);
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = 0;
  for (int tree = 0; tree < options.trees; ++tree) {
    if (core::interrupt_requested())
      throw core::Interrupted({.message = "the training of boosted trees was interrupted; nothing was kept"});
    if (!grower.grow()) break;
    ++model.tried_;
    double loss = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const bool positive = i >= selection.rows.size();
      const FeatureTable& side = positive ? selection.positive : selection.negative;
      logits[i] += model.value_of(model.roots_.back(), side.row(selection.rows[i % selection.rows.size()]));
      loss += log_loss(logits[i], positive);
    }
    if (loss < least) {
      least = loss;
      best = model.roots_.size();
    } else if (model.roots_.size() >= best + static_cast<std::size_t>(options.patience)) {
      break;
    }
  }
  if (!selection.rows.empty()) model.roots_.resize(best);
  return model;
}

double BoostedTrees::value_of(std::int32_t root, const float* row) const {
  const Node* node = &nodes_[static_cast<std::size_t>(root)];
  while (node->feature >= 0) {
    const auto feature = static_cast<std::size_t>(node->feature);
    node = &nodes_[static_cast<std::size_t>(bin_of(feature, row[feature]) <= node->bin ? node->left
                                                                                       : node->right)];
  }
  return node->value;
}

double BoostedTrees::logit(const float* row) const {
  double sum = 0;
  for (const std::int32_t root : roots_) sum += value_of(root, row);
  return sum;
}

}  // namespace calo
