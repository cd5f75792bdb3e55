#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "tune/detail/algorithms.h"
#include "tune/detail/point.h"

// Bayesian optimisation with a Gaussian process: Snoek et al., "Practical Bayesian optimization of machine
// learning algorithms", NeurIPS 2012: Matern 5/2 with a length for each dimension, expected improvement.
namespace tune {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::int64_t kFirstTrials = 10;  // points of a Sobol sequence
constexpr std::size_t kMostTrials = 300;   // the best and the newest ones, if there are more
constexpr int kCandidates = 1000;
constexpr int kBestCandidates = 5, kNeighbours = 40;
constexpr double kNeighbourWidths[] = {0.1, 0.03, 0.01, 0.003};
constexpr double kInactive = -1;  // the place of a dimension without a value
constexpr double kLeastNoise = 1e-6;

// Squared distance of two places in one dimension, without its length.
double distance2(const Dimension& dimension, double a, double b) {
  if (a == kInactive || b == kInactive || dimension.is_categorical()) return a == b ? 0 : 1;
  return (a - b) * (a - b);
}

double matern(double r2) {
  const double r = std::sqrt(5 * r2);
  return (1 + r + r * r / 3) * std::exp(-r);
}
// Its derivative by r2.
double matern_slope(double r2) {
  const double r = std::sqrt(5 * r2);
  return -5.0 / 6 * (1 + r) * std::exp(-r);
}

// Minimises a function with its gradient: BFGS with a backtracking line search. The problems here have a
// dozen dimensions.
template <class Function>
VectorXd minimise(const Function& function, VectorXd x) {
  MatrixXd inverse = MatrixXd::Identity(x.size(), x.size());
  VectorXd gradient(x.size());
  double value = function(x, gradient);
  for (int i = 0; i < 60 && gradient.norm() > 1e-4; ++i) {
    VectorXd direction = -inverse * gradient;
    if (direction.dot(gradient) >= 0) {
      inverse.setIdentity();
      direction = -gradient;
    }
    if (direction.norm() > 2) direction *= 2 / direction.norm();
    double step = 1;
    VectorXd next, next_gradient(x.size());
    double next_value = 0;
    for (;; step /= 2) {
      if (step < 1e-6) return x;
      next = x + step * direction;
      next_value = function(next, next_gradient);
      if (std::isfinite(next_value) && next_value <= value + 1e-4 * step * direction.dot(gradient)) break;
    }
    const VectorXd moved = next - x, turned = next_gradient - gradient;
    if (const double curvature = moved.dot(turned); curvature > 1e-12) {
      const MatrixXd factor = MatrixXd::Identity(x.size(), x.size()) - moved * turned.transpose() / curvature;
      inverse = factor * inverse * factor.transpose() + moved * moved.transpose() / curvature;
    }
    const bool is_flat = std::abs(value - next_value) < 1e-7 * (1 + std::abs(value));
    x = next;
    value = next_value;
    gradient = next_gradient;
    if (is_flat) break;
  }
  return x;
}

class Process {
 public:
  Process(const Space& space, std::vector<std::vector<double>> points, const std::vector<double>& values)
      : space_(space), points_(std::move(points)) {
    values_ = Eigen::Map<const VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
    const auto d = static_cast<Eigen::Index>(space.size());
    for (Eigen::Index k = 0; k < d; ++k) {
      MatrixXd& square = squares_.emplace_back(values_.size(), values_.size());
      for (Eigen::Index i = 0; i < values_.size(); ++i)
        for (Eigen::Index j = 0; j < values_.size(); ++j) square(i, j) = distance(k, point(i), point(j));
    }
    VectorXd first = VectorXd::Constant(d + 2, 0.0);
    first.head(d).setConstant(kLogPrecision);
    first[d + 1] = kLogNoise;
    logs_ = minimise([&](const VectorXd& logs, VectorXd& gradient) { return cost(logs, gradient); }, first);
    factor(logs_);
  }

  /// Adds a point whose value is not known yet as if it were the mean.
  void believe(const std::vector<double>& place) {
    const double mean = predict(place).first;
    points_.push_back(place);
    values_.conservativeResize(values_.size() + 1);
    values_[values_.size() - 1] = mean;
    for (Eigen::Index k = 0; k < static_cast<Eigen::Index>(squares_.size()); ++k) {
      MatrixXd& square = squares_[static_cast<std::size_t>(k)];
      square.conservativeResize(values_.size(), values_.size());
      for (Eigen::Index i = 0; i < values_.size(); ++i)
        square(i, values_.size() - 1) = square(values_.size() - 1, i) = distance(k, point(i), place);
    }
    factor(logs_);
  }

  /// Mean and standard deviation.
  std::pair<double, double> predict(const std::vector<double>& place) const {
    VectorXd near(values_.size());
    for (Eigen::Index i = 0; i < values_.size(); ++i) {
      double r2 = 0;
      for (Eigen::Index k = 0; k < static_cast<Eigen::Index>(squares_.size()); ++k)
        r2 += std::exp(logs_[k]) * distance(k, point(i), place);
      near[i] = scale_ * matern(r2);
    }
    const VectorXd solved = cholesky_.matrixL().solve(near);
    return {near.dot(solution_), std::sqrt(std::max(1e-18, scale_ - solved.squaredNorm()))};
  }

 private:
  // Centres and widths of the priors of the logarithms: of 1/length², scale, noise.
  static constexpr double kLogPrecision = 1.0, kLogNoise = -9.0;
  static constexpr double kWidthPrecision = 2.0, kWidthScale = 1.0, kWidthNoise = 2.0;

  const std::vector<double>& point(Eigen::Index i) const { return points_[static_cast<std::size_t>(i)]; }
  double distance(Eigen::Index k, const std::vector<double>& a, const std::vector<double>& b) const {
    const auto at = static_cast<std::size_t>(k);
    return distance2(space_.dimensions()[at], a[at], b[at]);
  }

  MatrixXd radii(const VectorXd& logs) const {
    MatrixXd r2 = MatrixXd::Zero(values_.size(), values_.size());
    for (std::size_t k = 0; k < squares_.size(); ++k)
      r2 += std::exp(logs[static_cast<Eigen::Index>(k)]) * squares_[k];
    return r2;
  }

  void factor(const VectorXd& logs) {
    const auto d = static_cast<Eigen::Index>(squares_.size());
    scale_ = std::exp(logs[d]);
    MatrixXd kernel = scale_ * radii(logs).unaryExpr(&matern);
    kernel.diagonal().array() += std::exp(logs[d + 1]) + kLeastNoise;
    cholesky_.compute(kernel);
    solution_ = cholesky_.solve(values_);
  }

  // Minus the logarithm of the posterior, and its gradient.
  double cost(const VectorXd& logs, VectorXd& gradient) const {
    const auto d = static_cast<Eigen::Index>(squares_.size());
    const double scale = std::exp(logs[d]), noise = std::exp(logs[d + 1]);
    const MatrixXd r2 = radii(logs);
    MatrixXd kernel = scale * r2.unaryExpr(&matern);
    const MatrixXd smooth = kernel;
    kernel.diagonal().array() += noise + kLeastNoise;
    const Eigen::LLT<MatrixXd> cholesky(kernel);
    if (cholesky.info() != Eigen::Success) return std::numeric_limits<double>::infinity();
    const VectorXd solution = cholesky.solve(values_);
    const MatrixXd inverse = cholesky.solve(MatrixXd::Identity(values_.size(), values_.size()));
    const MatrixXd weight = inverse - solution * solution.transpose();
    const MatrixXd slope = scale * r2.unaryExpr(&matern_slope);
    double value = 0.5 * values_.dot(solution) + cholesky.matrixLLT().diagonal().array().log().sum();
    for (Eigen::Index k = 0; k < d; ++k)
      gradient[k] = 0.5 * std::exp(logs[k]) *
                    weight.cwiseProduct(slope).cwiseProduct(squares_[static_cast<std::size_t>(k)]).sum();
    gradient[d] = 0.5 * weight.cwiseProduct(smooth).sum();
    gradient[d + 1] = 0.5 * noise * weight.trace();
    for (Eigen::Index k = 0; k < d + 2; ++k) {
      const double centre = k < d ? kLogPrecision : k == d ? 0 : kLogNoise;
      const double width = k < d ? kWidthPrecision : k == d ? kWidthScale : kWidthNoise;
      value += 0.5 * (logs[k] - centre) * (logs[k] - centre) / (width * width);
      gradient[k] += (logs[k] - centre) / (width * width);
    }
    return value;
  }

  const Space& space_;
  std::vector<std::vector<double>> points_;
  VectorXd values_, logs_, solution_;
  std::vector<MatrixXd> squares_;  // of each dimension
  Eigen::LLT<MatrixXd> cholesky_;
  double scale_ = 1;
};

// The logarithm of the expected improvement, also where that is tiny.
double log_improvement(double mean, double deviation, double best) {
  const double z = (best - mean) / deviation;
  const double log_density = -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi);
  if (z > -5) {
    const double density = std::exp(log_density);
    return std::log(deviation) + std::log(density + z * 0.5 * std::erfc(-z / std::numbers::sqrt2));
  }
  return std::log(deviation) + log_density - 2 * std::log(-z);
}

class GaussianProcess final : public Algorithm {
 public:
  GaussianProcess(const Space& space, std::uint64_t seed) : space_(space), seed_(seed) {}

  std::optional<Proposal> ask(const History& history, std::int64_t number) const override {
    std::vector<std::vector<double>> points, running;
    std::vector<double> values;
    double worst = -std::numeric_limits<double>::infinity();
    for (const Observation& one : history)
      if (one.state == Observation::State::kDone) worst = std::max(worst, one.losses[0]);
    for (const Observation& one : history) {
      if (one.state == Observation::State::kRunning) {
        running.push_back(places_of(one.parameters));
        continue;
      }
      points.push_back(places_of(one.parameters));
      // A trial that failed or was stopped is as bad as the worst.
      values.push_back(one.state == Observation::State::kDone ? one.losses[0] : worst);
    }
    if (static_cast<std::int64_t>(points.size()) < kFirstTrials || !std::isfinite(worst))
      return Proposal{.parameters = space_.values(sobol_point(space_.size(), seed_, number))};
    limit(points, values);
    standardise(values);
    const double best = *std::min_element(values.begin(), values.end());
    const std::vector<double> incumbent =
        points[static_cast<std::size_t>(std::min_element(values.begin(), values.end()) - values.begin())];
    Process process(space_, points, values);
    for (const auto& place : running) process.believe(place);
    core::Philox random = generator(seed_, number, Stream::kGaussianProcess);
    return Proposal{.parameters = search(process, best, incumbent, random)};
  }

 private:
  std::vector<double> places_of(const Parameters& parameters) const {
    std::vector<double> places;
    for (const Dimension& dimension : space_.dimensions()) {
      const auto found = parameters.find(dimension.name);
      places.push_back(found == parameters.end() ? kInactive : dimension.interval(*found).middle());
    }
    return places;
  }

  static void limit(std::vector<std::vector<double>>& points, std::vector<double>& values) {
    if (points.size() <= kMostTrials) return;
    std::vector<std::size_t> order(points.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<std::vector<double>> kept_points;
    std::vector<double> kept_values;
    const std::size_t half = kMostTrials / 2;
    for (std::size_t rank = 0; rank < order.size(); ++rank)
      if (rank < half || order[rank] + half >= points.size()) {
        kept_points.push_back(points[order[rank]]);
        kept_values.push_back(values[order[rank]]);
      }
    points = std::move(kept_points);
    values = std::move(kept_values);
  }

  static void standardise(std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double square = 0;
    for (const double value : values) square += (value - mean) * (value - mean);
    const double deviation = square > 0 ? std::sqrt(square / n) : 1;
    for (double& value : values) value = (value - mean) / deviation;
  }

  // The point with the largest expected improvement: the best of random points, then of their neighbours.
  Parameters search(const Process& process, double best, const std::vector<double>& incumbent,
                    core::Philox& random) const {
    struct Candidate {
      double gain;
      std::vector<double> raw;
      Parameters values;
    };
    const auto make = [&](std::vector<double> raw) {
      Parameters values = space_.values(raw);
      const auto [mean, deviation] = process.predict(places_of(values));
      return Candidate{log_improvement(mean, deviation, best), std::move(raw), std::move(values)};
    };
    const auto keep_best = [](std::vector<Candidate>& candidates) {
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.gain > b.gain; });
      candidates.resize(std::min<std::size_t>(candidates.size(), kBestCandidates));
    };
    std::vector<double> start = incumbent;
    for (double& place : start)
      if (place == kInactive) place = uniform(random);
    std::vector<Candidate> candidates = {make(start)};
    for (int i = 0; i < kCandidates; ++i) candidates.push_back(make(uniform_point(space_.size(), random)));
    std::vector<Candidate> tops = candidates;
    keep_best(tops);
    tops.push_back(candidates.front());
    for (const double width : kNeighbourWidths) {
      std::vector<Candidate> next = tops;
      for (const Candidate& top : tops)
        for (int i = 0; i < kNeighbours; ++i) next.push_back(make(neighbour(top.raw, width, random)));
      keep_best(next);
      tops = std::move(next);
    }
    return tops.front().values;
  }

  std::vector<double> neighbour(std::vector<double> raw, double width, core::Philox& random) const {
    // Either all dimensions move, or one.
    const std::uint32_t only =
        random.below(2) == 0 ? random.below(static_cast<std::uint32_t>(raw.size())) : UINT32_MAX;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (only != UINT32_MAX && only != i) continue;
      const bool jumps = space_.dimensions()[i].is_categorical() && random.below(4) == 0;
      raw[i] = jumps ? uniform(random) : std::clamp(raw[i] + width * random.normal(), 0.0, 1.0);
    }
    return raw;
  }

  Space space_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Algorithm> make_gaussian_process(const Space& space, const AlgorithmOptions& options) {
  return std::make_unique<GaussianProcess>(space, options.seed);
}

}  // namespace tune
