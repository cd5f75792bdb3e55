#include "calo/validate/detail/logistic.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace calo {
namespace {

constexpr double kLargestFeature = 5;  // in standard deviations: squares of outliers would rule the fit
constexpr double kPenalties[] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6};
constexpr int kNewtonSteps = 25, kHalvings = 20;
constexpr double kConverged = 1e-9;  // relative change of the objective
constexpr std::size_t kBlock = 4096, kTile = 64;

// Cross-entropy of a logit.
double entropy(double logit, bool positive) {
  const double z = positive ? -logit : logit;
  return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
}

// hessian += sum over the tile of weight * terms terms^T, lower triangle.
void add_outer(const double* terms, const double* weight, std::size_t rows, std::size_t count,
               double* hessian) {
  std::size_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    const double *a = terms + row * count, *b = a + count, *c = b + count, *d = c + count;
    for (std::size_t i = 0; i < count; ++i) {
      const double wa = weight[row] * a[i], wb = weight[row + 1] * b[i], wc = weight[row + 2] * c[i],
                   wd = weight[row + 3] * d[i];
      double* __restrict out = hessian + i * count;
      for (std::size_t j = 0; j <= i; ++j) out[j] += wa * a[j] + wb * b[j] + wc * c[j] + wd * d[j];
    }
  }
  for (; row < rows; ++row)
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j <= i; ++j)
        hessian[i * count + j] += weight[row] * terms[row * count + i] * terms[row * count + j];
}

// Solves A x = b for a symmetric positive definite A (lower triangle, overwritten) by Cholesky; b becomes x.
bool solve(std::vector<double>& a, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i != j) {
        a[i * n + j] = sum / a[j * n + j];
        continue;
      }
      if (!(sum > 0)) return false;
      a[i * n + i] = std::sqrt(sum);
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return true;
}

double mean_and_deviation(double sum, double squares, double count, double& mean) {
  mean = sum / count;
  const double variance = squares / count - mean * mean;
  // What does not vary carries nothing; rounding may leave a rest of variance.
  return variance > 1e-12 * std::max(1.0, mean * mean) ? std::sqrt(variance) : 0;
}

}  // namespace

// Rows of both classes, those of a pair next to each other.
struct LogisticRegression::Standardised {
  std::vector<float> features;
  std::size_t rows = 0;
  bool positive(std::size_t row) const { return row % 2 == 1; }
};

namespace {

// Sums of one pass over the rows.
struct Sums {
  double loss = 0;
  std::vector<double> gradient, hessian;

  void add(const Sums& other) {
    loss += other.loss;
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += other.gradient[i];
    for (std::size_t i = 0; i < hessian.size(); ++i) hessian[i] += other.hessian[i];
  }
};

}  // namespace

void LogisticRegression::standardise(const float* row, float* out) const {
  for (std::size_t i = 0; i < mean_.size(); ++i)
    out[i] = scale_[i] > 0 ? static_cast<float>(std::clamp((row[i] - mean_[i]) / scale_[i], -kLargestFeature,
                                                           kLargestFeature))
                           : 0.0f;
}

LogisticRegression::Standardised LogisticRegression::standardised(const TwoClasses& classes) const {
  Standardised result{.features = std::vector<float>(classes.rows.size() * 2 * mean_.size()),
                      .rows = classes.rows.size() * 2};
  float* out = result.features.data();
  for (const std::size_t row : classes.rows)
    for (const FeatureTable* table : {&classes.negative, &classes.positive}) {
      standardise(table->row(row), out);
      out += mean_.size();
    }
  return result;
}

void LogisticRegression::expand(const float* x, double* terms) const {
  const std::size_t n = mean_.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double value = x[i];
    terms[i] = value;
    terms[n + i] = (value * value - term_mean_[i]) * term_scale_[i];
    terms[2 * n + i] = (value * x[0] - term_mean_[n + i]) * term_scale_[n + i];
  }
  terms[3 * n] = 1;
}

double LogisticRegression::logit(const float* row) const {
  std::vector<float> x(mean_.size());
  std::vector<double> terms(num_terms());
  standardise(row, x.data());
  expand(x.data(), terms.data());
  double sum = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) sum += coefficients_[i] * terms[i];
  return sum;
}

LogisticRegression LogisticRegression::fit(const TwoClasses& train, const TwoClasses& validation,
                                           core::ThreadPool& pool) {
  LogisticRegression model;
  const std::size_t features = train.negative.columns();
  const auto rows = static_cast<double>(train.rows.size() * 2);
  for (std::size_t i = 0; i < features; ++i) {
    double sum = 0, squares = 0;
    const double origin = train.negative.row(train.rows.front())[i];  // large means lose no digits
    for (const std::size_t row : train.rows)
      for (const FeatureTable* table : {&train.negative, &train.positive}) {
        const double value = table->row(row)[i] - origin;
        sum += value;
        squares += value * value;
      }
    double mean = 0;
    model.scale_.push_back(mean_and_deviation(sum, squares, rows, mean));
    model.mean_.push_back(mean + origin);
  }
  const Standardised data = model.standardised(train), check = model.standardised(validation);
  for (const bool products : {false, true})
    for (std::size_t i = 0; i < features; ++i) {
      double sum = 0, squares = 0;
      for (std::size_t row = 0; row < data.rows; ++row) {
        const float* x = data.features.data() + row * features;
        const double value = static_cast<double>(x[i]) * x[products ? 0 : i];
        sum += value;
        squares += value * value;
      }
      double mean = 0;
      const double deviation = mean_and_deviation(sum, squares, rows, mean);
      model.term_mean_.push_back(mean);
      model.term_scale_.push_back(deviation > 0 ? 1 / deviation : 0);
    }

  const std::size_t count = model.num_terms();
  enum class Need { kLoss, kDerivatives };
  // Mean cross-entropy, and where needed its derivatives.
  const auto pass = [&](const Standardised& sample, const std::vector<double>& coefficients, Need need) {
    std::vector<Sums> blocks((sample.rows + kBlock - 1) / kBlock);
    pool.for_each(blocks.size(), [&](std::size_t block) {
      Sums& sums = blocks[block];
      if (need == Need::kDerivatives) {
        sums.gradient.assign(count, 0.0);
        sums.hessian.assign(count * count, 0.0);
      }
      std::vector<double> terms(kTile * count), weight(kTile);
      const std::size_t end = std::min(sample.rows, (block + 1) * kBlock);
      for (std::size_t begin = block * kBlock; begin < end; begin += kTile) {
        const std::size_t tile = std::min(kTile, end - begin);
        for (std::size_t r = 0; r < tile; ++r) {
          double* x = terms.data() + r * count;
          model.expand(sample.features.data() + (begin + r) * features, x);
          double logit = 0;
          for (std::size_t i = 0; i < count; ++i) logit += coefficients[i] * x[i];
          const bool positive = sample.positive(begin + r);
          sums.loss += entropy(logit, positive);
          if (need == Need::kLoss) continue;
          const double p = 1 / (1 + std::exp(-logit)), rest = p - (positive ? 1.0 : 0.0);
          weight[r] = p * (1 - p);
          for (std::size_t i = 0; i < count; ++i) sums.gradient[i] += rest * x[i];
        }
        if (need == Need::kDerivatives)
          add_outer(terms.data(), weight.data(), tile, count, sums.hessian.data());
      }
    });
    Sums total = std::move(blocks.front());
    for (std::size_t i = 1; i < blocks.size(); ++i) total.add(blocks[i]);
    const auto n = static_cast<double>(sample.rows);
    total.loss /= n;
    for (double& value : total.gradient) value /= n;
    for (double& value : total.hessian) value /= n;
    return total;
  };
  const auto penalty = [&](const std::vector<double>& coefficients, double l2) {
    double squares = 0;  // the intercept is free
    for (std::size_t i = 0; i + 1 < count; ++i) squares += coefficients[i] * coefficients[i];
    return l2 / 2 * squares;
  };

  std::vector<double> coefficients(count, 0.0);
  double best = std::numeric_limits<double>::infinity();
  for (const double l2 : kPenalties) {
    for (int step = 0; step < kNewtonSteps; ++step) {
      Sums sums = pass(data, coefficients, Need::kDerivatives);
      const double objective = sums.loss + penalty(coefficients, l2);
      for (std::size_t i = 0; i + 1 < count; ++i) {
        sums.gradient[i] += l2 * coefficients[i];
        sums.hessian[i * count + i] += l2;
      }
      if (!solve(sums.hessian, sums.gradient)) break;
      std::vector<double> next;
      double length = 1, reached = objective;
      for (int halving = 0; halving < kHalvings; ++halving, length /= 2) {
        next = coefficients;
        for (std::size_t i = 0; i < count; ++i) next[i] -= length * sums.gradient[i];
        reached = pass(data, next, Need::kLoss).loss + penalty(next, l2);
        if (reached < objective) break;
      }
      if (!(reached < objective)) break;
      coefficients = std::move(next);
      if (objective - reached < kConverged * objective) break;
    }
    const double loss = pass(check, coefficients, Need::kLoss).loss;
    if (!(loss < best)) break;  // weaker penalties only fit the noise
    best = loss;
    model.coefficients_ = coefficients;
    model.l2_ = l2;
  }
  return model;
}

}  // namespace calo
