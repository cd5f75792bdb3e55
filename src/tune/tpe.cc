#include <algorithm>
#include <cmath>
#include <numbers>

#include "tune/detail/algorithms.h"
#include "tune/detail/point.h"
#include "tune/pareto.h"

// Tree-structured Parzen estimator: Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS
// 2011; weights and widths as recommended by Watanabe, arXiv:2304.11127.
namespace tune {
namespace {

constexpr std::size_t kRandomTrials = 10;
constexpr int kParzenCandidates = 24;
constexpr double kGoodShare = 0.1;
constexpr std::size_t kMostGood = 25;
constexpr std::size_t kEqualWeights = 25;  // of the newest observations; older ones count less

double normal_below(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

// The inverse of normal_below by bisection: exact to the last digits, and fast enough for a few candidates.
double normal_quantile(double probability) {
  double low = -40, high = 40;
  for (int i = 0; i < 70; ++i) (normal_below((low + high) / 2) < probability ? low : high) = (low + high) / 2;
  return (low + high) / 2;
}

std::vector<double> weights_by_age(std::size_t count) {
  std::vector<double> weights(count, 1.0);
  const std::size_t old = count > kEqualWeights ? count - kEqualWeights : 0;
  for (std::size_t i = 0; i < old; ++i)
    weights[i] = old > 1 ? (1.0 + (static_cast<double>(count) - 1) * static_cast<double>(i) /
                                      static_cast<double>(old - 1)) /
                               static_cast<double>(count)
                         : 1.0 / static_cast<double>(count);
  return weights;
}

// A mixture of densities over some dimensions, one component for each observation, and a broad one.
class Mixture {
 public:
  Mixture(std::vector<const Dimension*> dimensions, const std::vector<const Observation*>& observations,
          bool joint)
      : dimensions_(std::move(dimensions)) {
    std::vector<const Observation*> used;
    for (const Observation* one : observations)
      if (std::all_of(dimensions_.begin(), dimensions_.end(),
                      [&](const Dimension* dimension) { return one->parameters.contains(dimension->name); }))
        used.push_back(one);
    weights_ = weights_by_age(used.size());
    weights_.push_back(1.0);
    double sum = 0;
    for (const double weight : weights_) sum += weight;
    for (double& weight : weights_) weight /= sum;
    for (const Dimension* dimension : dimensions_) {
      std::vector<double>& centres = centres_.emplace_back();
      for (const Observation* one : used)
        centres.push_back(dimension->interval(one->parameters.at(dimension->name)).middle());
      centres.push_back(0.5);
      widths_.push_back(widths(centres, joint));
    }
  }

  // A point: a component, then a place in each dimension.
  std::vector<nlohmann::json> sample(core::Philox& random) const {
    double rest = uniform(random);
    std::size_t component = 0;
    while (component + 1 < weights_.size() && (rest -= weights_[component]) > 0) ++component;
    std::vector<nlohmann::json> values;
    for (std::size_t i = 0; i < dimensions_.size(); ++i) {
      const double part = uniform(random);
      if (dimensions_[i]->is_categorical()) {
        values.push_back(pick(i, component, part));
        continue;
      }
      const double mean = centres_[i][component], width = widths_[i][component];
      const double low = normal_below(-mean / width), high = normal_below((1 - mean) / width);
      values.push_back(dimensions_[i]->value(mean + width * normal_quantile(low + part * (high - low))));
    }
    return values;
  }

  double log_density(const std::vector<nlohmann::json>& values) const {
    std::vector<double> logs;
    for (std::size_t component = 0; component < weights_.size(); ++component) {
      double log = std::log(weights_[component]);
      for (std::size_t i = 0; i < dimensions_.size(); ++i) log += std::log(density(i, component, values[i]));
      logs.push_back(log);
    }
    const double most = *std::max_element(logs.begin(), logs.end());
    double sum = 0;
    for (const double log : logs) sum += std::exp(log - most);
    return most + std::log(sum);
  }

 private:
  std::vector<double> widths(const std::vector<double>& centres, bool joint) const {
    const std::size_t count = centres.size();
    std::vector<double> widths(count, 1.0);
    if (joint) {
      const double scale = 0.2 * std::pow(static_cast<double>(std::max<std::size_t>(1, count - 1)),
                                          -1.0 / (static_cast<double>(dimensions_.size()) + 4));
      std::fill(widths.begin(), widths.end() - 1, scale);
    } else if (count > 1) {
      std::vector<std::size_t> order(count);
      for (std::size_t i = 0; i < count; ++i) order[i] = i;
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return centres[a] < centres[b]; });
      for (std::size_t i = 0; i < count; ++i) {
        const double left = i > 0 ? centres[order[i]] - centres[order[i - 1]] : 0;
        const double right = i + 1 < count ? centres[order[i + 1]] - centres[order[i]] : 0;
        widths[order[i]] = std::max(left, right);
      }
    }
    const double least = 1.0 / std::min(100.0, 1.0 + static_cast<double>(count));
    for (double& width : widths) width = std::clamp(width, least, 1.0);
    widths.back() = 1.0;
    return widths;
  }

  // Probability of each choice of a component: its own one, and a share of all.
  double probability(std::size_t i, std::size_t component, std::size_t choice) const {
    const auto choices = static_cast<double>(dimensions_[i]->choices.size());
    if (component + 1 == weights_.size()) return 1 / choices;
    const double share = 1.0 / static_cast<double>(weights_.size());
    const auto own = static_cast<std::size_t>(centres_[i][component] * choices);
    return (share + (own == choice ? 1 : 0)) / (1 + choices * share);
  }

  nlohmann::json pick(std::size_t i, std::size_t component, double part) const {
    const auto& choices = dimensions_[i]->choices;
    std::size_t choice = 0;
    while (choice + 1 < choices.size() && (part -= probability(i, component, choice)) > 0) ++choice;
    return choices[choice];
  }

  double density(std::size_t i, std::size_t component, const nlohmann::json& value) const {
    if (dimensions_[i]->is_categorical()) return probability(i, component, dimensions_[i]->choice(value));
    const Dimension::Interval interval = dimensions_[i]->interval(value);
    const double mean = centres_[i][component], width = widths_[i][component];
    const double whole = normal_below((1 - mean) / width) - normal_below(-mean / width);
    constexpr double kLeast = 1e-300;
    if (interval.high - interval.low > 1e-12)
      return std::max(kLeast, (normal_below((interval.high - mean) / width) -
                               normal_below((interval.low - mean) / width)) /
                                  whole);
    const double distance = (interval.middle() - mean) / width;
    return std::max(kLeast,
                    std::exp(-0.5 * distance * distance) / (width * std::sqrt(2 * std::numbers::pi) * whole));
  }

  std::vector<const Dimension*> dimensions_;
  std::vector<double> weights_;                        // of each component; the last one is the broad one
  std::vector<std::vector<double>> centres_, widths_;  // of each dimension
};

class Tpe final : public Algorithm {
 public:
  Tpe(const Space& space, const AlgorithmOptions& options) : space_(space), options_(options) {}

  std::optional<Proposal> ask(const History& history, std::int64_t number) const override {
    core::Philox random = generator(options_.seed, number, Stream::kTpe);
    const auto ended = std::count_if(history.begin(), history.end(), [](const Observation& one) {
      return one.state != Observation::State::kRunning;
    });
    if (static_cast<std::size_t>(ended) < kRandomTrials)
      return Proposal{.parameters = space_.values(uniform_point(space_.size(), random))};
    const auto [good, bad] = split(history);
    Parameters point = nlohmann::json::object();
    if (options_.multivariate) {
      std::vector<const Dimension*> free;
      for (const Dimension& dimension : space_.dimensions())
        if (!dimension.condition) free.push_back(&dimension);
      add(point, free, good, bad, true, random);
    }
    for (const Dimension& dimension : space_.dimensions())
      if (!point.contains(dimension.name) && Space::is_active(dimension, point))
        add(point, {&dimension}, good, bad, false, random);
    return Proposal{.parameters = std::move(point)};
  }

 private:
  using Observations = std::vector<const Observation*>;

  // The best trials and all others, each in their order in time. Trials that run count as bad, so that
  // several workers do not try the same point.
  static std::pair<Observations, Observations> split(const History& history) {
    std::vector<std::size_t> done;
    std::vector<std::vector<double>> losses;
    for (std::size_t i = 0; i < history.size(); ++i) {
      if (history[i].state != Observation::State::kDone) continue;
      done.push_back(i);
      losses.push_back(history[i].losses);
    }
    const auto wanted = std::min<std::size_t>(
        kMostGood, static_cast<std::size_t>(std::ceil(kGoodShare * static_cast<double>(history.size()))));
    std::vector<bool> is_good(history.size(), false);
    const std::vector<std::size_t> order = ranked(losses);
    for (std::size_t i = 0; i < std::min(wanted, order.size()); ++i) is_good[done[order[i]]] = true;
    std::pair<Observations, Observations> parts;
    for (std::size_t i = 0; i < history.size(); ++i)
      (is_good[i] ? parts.first : parts.second).push_back(&history[i]);
    return parts;
  }

  static void add(Parameters& point, const std::vector<const Dimension*>& dimensions,
                  const Observations& good, const Observations& bad, bool joint, core::Philox& random) {
    if (dimensions.empty()) return;
    const Mixture likely(dimensions, good, joint), other(dimensions, bad, joint);
    std::vector<nlohmann::json> best;
    double best_gain = 0;
    for (int i = 0; i < kParzenCandidates; ++i) {
      std::vector<nlohmann::json> values = likely.sample(random);
      const double gain = likely.log_density(values) - other.log_density(values);
      if (!best.empty() && gain <= best_gain) continue;
      best = std::move(values);
      best_gain = gain;
    }
    for (std::size_t i = 0; i < dimensions.size(); ++i) point[dimensions[i]->name] = best[i];
  }

  Space space_;
  AlgorithmOptions options_;
};

}  // namespace

std::unique_ptr<Algorithm> make_tpe(const Space& space, const AlgorithmOptions& options) {
  return std::make_unique<Tpe>(space, options);
}

}  // namespace tune
