#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "tune/detail/algorithms.h"
#include "tune/detail/point.h"

// Evolution strategy with an adapted covariance matrix: Hansen, "The CMA evolution strategy: a tutorial",
// arXiv:1604.00772, with its default parameters.
namespace tune {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kFirstWidth = 1.0 / 6;
constexpr int kTries = 100;  // to find a point inside the cube

// The normal distribution from which a generation is drawn.
class Distribution {
 public:
  explicit Distribution(std::size_t dimensions)
      : size_(static_cast<Eigen::Index>(dimensions)),
        n_(static_cast<double>(dimensions)),
        population_(4 + static_cast<std::size_t>(std::floor(3 * std::log(n_)))),
        mean_(VectorXd::Constant(size_, 0.5)),
        covariance_(MatrixXd::Identity(size_, size_)),
        path_(VectorXd::Zero(size_)),
        width_path_(VectorXd::Zero(size_)) {
    const std::size_t parents = population_ / 2;
    weights_ = VectorXd(static_cast<Eigen::Index>(parents));
    for (std::size_t i = 0; i < parents; ++i)
      weights_[static_cast<Eigen::Index>(i)] =
          std::log((static_cast<double>(population_) + 1) / 2) - std::log(static_cast<double>(i) + 1);
    weights_ /= weights_.sum();
    effective_ = 1 / weights_.squaredNorm();
    width_rate_ = (effective_ + 2) / (n_ + effective_ + 5);
    damping_ = 1 + 2 * std::max(0.0, std::sqrt((effective_ - 1) / (n_ + 1)) - 1) + width_rate_;
    path_rate_ = (4 + effective_ / n_) / (n_ + 4 + 2 * effective_ / n_);
    rank_one_ = 2 / ((n_ + 1.3) * (n_ + 1.3) + effective_);
    rank_mu_ =
        std::min(1 - rank_one_, 2 * (effective_ - 2 + 1 / effective_) / ((n_ + 2) * (n_ + 2) + effective_));
    decompose();
  }

  std::size_t population() const { return population_; }

  std::vector<double> sample(core::Philox& random) const {
    VectorXd point = mean_;
    for (int i = 0; i < kTries; ++i) {
      VectorXd normal(size_);
      for (double& one : normal) one = random.normal();
      point = mean_ + width_ * (axes_ * scales_.cwiseProduct(normal));
      if ((point.array() >= 0).all() && (point.array() <= 1).all()) break;
    }
    std::vector<double> places(point.begin(), point.end());
    for (double& place : places) place = std::clamp(place, 0.0, 1.0);
    return places;
  }

  /// @param places of a generation, best first
  void update(const std::vector<std::vector<double>>& places) {
    ++generation_;
    MatrixXd steps(size_, weights_.size());
    for (Eigen::Index i = 0; i < weights_.size(); ++i)
      steps.col(i) =
          (Eigen::Map<const VectorXd>(places[static_cast<std::size_t>(i)].data(), size_) - mean_) / width_;
    const VectorXd step = steps * weights_;
    mean_ += width_ * step;
    const VectorXd whitened = axes_ * scales_.cwiseInverse().cwiseProduct(axes_.transpose() * step);
    width_path_ =
        (1 - width_rate_) * width_path_ + std::sqrt(width_rate_ * (2 - width_rate_) * effective_) * whitened;
    const double expected = std::sqrt(n_) * (1 - 1 / (4 * n_) + 1 / (21 * n_ * n_));
    const double length = width_path_.norm();
    const bool is_short =
        length / std::sqrt(1 - std::pow(1 - width_rate_, 2.0 * generation_)) / expected < 1.4 + 2 / (n_ + 1);
    path_ = (1 - path_rate_) * path_;
    if (is_short) path_ += std::sqrt(path_rate_ * (2 - path_rate_) * effective_) * step;
    const double lost = is_short ? 0 : path_rate_ * (2 - path_rate_);
    covariance_ = (1 - rank_one_ - rank_mu_ + rank_one_ * lost) * covariance_ +
                  rank_one_ * path_ * path_.transpose() +
                  rank_mu_ * steps * weights_.asDiagonal() * steps.transpose();
    width_ = std::clamp(width_ * std::exp(width_rate_ / damping_ * (length / expected - 1)), 1e-12, 1.0);
    decompose();
  }

 private:
  void decompose() {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver((covariance_ + covariance_.transpose()) / 2);
    axes_ = solver.eigenvectors();
    scales_ = solver.eigenvalues().cwiseMax(1e-20).cwiseSqrt();
  }

  Eigen::Index size_;
  double n_;
  std::size_t population_;
  VectorXd mean_;
  MatrixXd covariance_, axes_;
  VectorXd scales_, path_, width_path_, weights_;
  double width_ = kFirstWidth;
  double effective_ = 0, width_rate_ = 0, damping_ = 0, path_rate_ = 0, rank_one_ = 0, rank_mu_ = 0;
  int generation_ = 0;
};

class CmaEs final : public Algorithm {
 public:
  CmaEs(const Space& space, std::uint64_t seed) : space_(space), seed_(seed) {}

  std::optional<Proposal> ask(const History& history, std::int64_t number) const override {
    // The state is that after all complete generations of the history.
    Distribution distribution(space_.size());
    int generation = 0;
    while (const auto places = complete(history, generation, distribution.population())) {
      distribution.update(*places);
      ++generation;
    }
    core::Philox random = generator(seed_, number, Stream::kCmaEs);
    const std::vector<double> places = distribution.sample(random);
    return Proposal{.parameters = space_.values(places),
                    .note = {{"generation", generation}, {"places", places}}};
  }

 private:
  // The first trials of a generation that ended, as many as its population, best first; nullopt if there are
  // not enough yet.
  static std::optional<std::vector<std::vector<double>>> complete(const History& history, int generation,
                                                                  std::size_t population) {
    std::vector<std::pair<double, const Observation*>> trials;
    for (const Observation& one : history) {
      if (one.state == Observation::State::kRunning || one.note.value("generation", -1) != generation)
        continue;
      const bool is_done = one.state == Observation::State::kDone;
      trials.emplace_back(is_done ? one.losses[0] : std::numeric_limits<double>::infinity(), &one);
      if (trials.size() == population) break;
    }
    if (trials.size() < population) return std::nullopt;
    std::stable_sort(trials.begin(), trials.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::vector<double>> places;
    places.reserve(population);
    for (const auto& [loss, trial] : trials)
      places.push_back(trial->note.at("places").get<std::vector<double>>());
    return places;
  }

  Space space_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Algorithm> make_cma_es(const Space& space, const AlgorithmOptions& options) {
  if (space.has_categories() || space.has_conditions())
    throw core::UsageError({.message = "cma-es takes only ranges of numbers, without conditions",
                            .field = "algorithm",
                            .hint = "choose tpe or gp"});
  return std::make_unique<CmaEs>(space, options.seed);
}

}  // namespace tune
