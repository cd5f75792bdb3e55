#include "calo/validate/feature_distances.h"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/philox.h"

// LAPACK, which OpenBLAS carries but does not declare.
extern "C" {
void dpstrf_(const char* uplo, const int* n, double* a, const int* lda, int* pivots, int* rank,
             const double* tolerance, double* work, int* info);
void dsyevd_(const char* job, const char* uplo, const int* n, double* a, const int* lda, double* eigenvalues,
             double* work, const int* work_size, int* integers, const int* integers_size, int* info);
}

namespace calo {
namespace {

constexpr std::uint32_t kFrechetStream = 0x46504400, kKernelStream = 0x4B504400;
constexpr std::int64_t kPublishedSamples = 50'000;
constexpr std::size_t kBlock = 512;  // rows of pairs in memory at once

// Our threads call BLAS, so BLAS starts none; and sums do not depend on their number.
class OneBlasThread {
 public:
  OneBlasThread() : before_(openblas_get_num_threads()) { openblas_set_num_threads(1); }
  ~OneBlasThread() { openblas_set_num_threads(before_); }
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  int before_;
};

using Matrix = std::vector<double>;  // [rows, columns]

void check(const FeatureTable& full, const FeatureTable& fast) {
  if (full.names != fast.names) throw std::logic_error("tables of different features");
  if (std::min(full.rows(), fast.rows()) < kFewestForDistances)
    throw core::UsageError(
        {.message = fmt::format("distances need {} showers or more of each side; there are {} and {}",
                                kFewestForDistances, full.rows(), fast.rows())});
}

// Features of both over the largest absolute value in `full`.
struct Normalised {
  Normalised(const FeatureTable& full_table, const FeatureTable& fast_table) : columns(full_table.columns()) {
    check(full_table, fast_table);
    std::vector<double> largest(columns, 0.0);
    for (std::size_t i = 0; i < full_table.values.size(); ++i)
      largest[i % columns] = std::max(largest[i % columns], std::abs(double{full_table.values[i]}));
    for (double& value : largest)
      if (value == 0) value = 1;
    for (const auto& [table, matrix] : {std::pair{&full_table, &full}, std::pair{&fast_table, &fast}}) {
      matrix->resize(table->values.size());
      for (std::size_t i = 0; i < matrix->size(); ++i) (*matrix)[i] = table->values[i] / largest[i % columns];
    }
  }

  Matrix full, fast;
  std::size_t columns;
};

struct Gaussian {
  std::vector<double> mean;
  Matrix covariance;
};

// Of rows drawn with replacement: each drawn row once, with its number.
Gaussian resampled_gaussian(const Matrix& x, std::size_t d, std::int64_t draws, core::Philox& random) {
  const std::size_t rows = x.size() / d;
  std::vector<std::uint32_t> times(rows, 0);
  for (std::int64_t i = 0; i < draws; ++i) ++times[random.below(static_cast<std::uint32_t>(rows))];
  Gaussian result{.mean = std::vector<double>(d, 0.0), .covariance = Matrix(d * d, 0.0)};
  const auto n = static_cast<double>(draws);
  for (std::size_t i = 0; i < rows; ++i)
    if (times[i] > 0)
      cblas_daxpy(static_cast<int>(d), times[i] / n, x.data() + i * d, 1, result.mean.data(), 1);
  Matrix block;
  const auto add_block = [&] {
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, static_cast<int>(d),
                static_cast<int>(block.size() / d), 1 / (n - 1), block.data(), static_cast<int>(d), 1,
                result.covariance.data(), static_cast<int>(d));
    block.clear();
  };
  for (std::size_t i = 0; i < rows; ++i) {
    if (times[i] == 0) continue;
    const double weight = std::sqrt(static_cast<double>(times[i]));
    for (std::size_t k = 0; k < d; ++k) block.push_back(weight * (x[i * d + k] - result.mean[k]));
    if (block.size() >= kBlock * d) add_block();
  }
  if (!block.empty()) add_block();
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t k = 0; k < i; ++k) result.covariance[i * d + k] = result.covariance[k * d + i];
  return result;
}

// tr √(A B) of positive semi-definite matrices: with A = F Fᵀ (Cholesky with pivots, for A may be singular),
// the eigenvalues of A B are those of Fᵀ B F.
double trace_of_root_of_product(Matrix a, const Matrix& b, std::size_t d) {
  const int n = static_cast<int>(d);
  std::vector<int> pivots(d);
  std::vector<double> work(2 * d);
  int rank = 0, info = 0;
  const double tolerance = -1;
  // Column-major lower = row-major upper.
  dpstrf_("L", &n, a.data(), &n, pivots.data(), &rank, &tolerance, work.data(), &info);
  if (rank == 0) return 0;
  const auto r = static_cast<std::size_t>(rank);
  Matrix factor(d * r, 0.0);  // [d, rank], rows in the order of the features
  for (std::size_t column = 0; column < r; ++column)
    for (std::size_t i = column; i < d; ++i)
      factor[static_cast<std::size_t>(pivots[i] - 1) * r + column] = a[column * d + i];
  Matrix product(d * r), inner(r * r);
  cblas_dsymm(CblasRowMajor, CblasLeft, CblasUpper, n, rank, 1, b.data(), n, factor.data(), rank, 0,
              product.data(), rank);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rank, rank, n, 1, factor.data(), rank, product.data(),
              rank, 0, inner.data(), rank);
  std::vector<double> eigenvalues(r);
  int size = -1, integers_size = -1, wanted_integers = 0;
  double wanted = 0;
  dsyevd_("N", "U", &rank, inner.data(), &rank, eigenvalues.data(), &wanted, &size, &wanted_integers,
          &integers_size, &info);
  size = static_cast<int>(wanted);
  integers_size = wanted_integers;
  std::vector<double> space(static_cast<std::size_t>(size));
  std::vector<int> integers(static_cast<std::size_t>(integers_size));
  dsyevd_("N", "U", &rank, inner.data(), &rank, eigenvalues.data(), space.data(), &size, integers.data(),
          &integers_size, &info);
  if (info != 0) throw std::runtime_error("LAPACK found no eigenvalues");
  double trace = 0;
  for (const double value : eigenvalues) trace += std::sqrt(std::max(0.0, value));
  return trace;
}

double frechet(const Gaussian& p, const Gaussian& q) {
  const std::size_t d = p.mean.size();
  double distance = 0;
  for (std::size_t i = 0; i < d; ++i) {
    distance += (p.mean[i] - q.mean[i]) * (p.mean[i] - q.mean[i]);
    distance += p.covariance[i * d + i] + q.covariance[i * d + i];
  }
  return distance - 2 * trace_of_root_of_product(p.covariance, q.covariance, d);
}

// Intercept, not negative, of a line whose slope is not negative, by least squares; error from the residuals.
Estimate intercept(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sx += x[i];
    sy += y[i];
    sxx += x[i] * x[i];
    sxy += x[i] * y[i];
  }
  const double determinant = n * sxx - sx * sx;
  double slope = determinant > 0 ? (n * sxy - sx * sy) / determinant : 0;
  double value = (sy - slope * sx) / n;
  if (slope < 0) {
    slope = 0;
    value = std::max(0.0, sy / n);
  } else if (value < 0) {
    value = 0;
    slope = std::max(0.0, sxy / sxx);
  }
  double residuals = 0;
  for (std::size_t i = 0; i < x.size(); ++i) residuals += std::pow(y[i] - value - slope * x[i], 2);
  const double error =
      x.size() > 2 && determinant > 0 ? std::sqrt(residuals / (n - 2) * sxx / determinant) : 0;
  return {.value = value, .error = error};
}

// Rows of a matrix, drawn at random.
Matrix drawn(const Matrix& x, std::size_t d, std::size_t count, bool with_replacement, core::Philox& random) {
  const std::size_t rows = x.size() / d;
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0u);
  Matrix result;
  result.reserve(count * d);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t chosen = 0;
    if (with_replacement) {
      chosen = random.below(static_cast<std::uint32_t>(rows));
    } else {
      std::swap(order[i], order[i + random.below(static_cast<std::uint32_t>(rows - i))]);
      chosen = order[i];
    }
    result.insert(result.end(), x.begin() + static_cast<std::ptrdiff_t>(chosen * d),
                  x.begin() + static_cast<std::ptrdiff_t>((chosen + 1) * d));
  }
  return result;
}

// Sum of the kernel over all pairs; over a sample with itself without the pairs of a row with itself.
double kernel_sum(const Matrix& x, const Matrix& y, std::size_t d, bool same) {
  const std::size_t rows = x.size() / d, columns = y.size() / d;
  Matrix block(std::min(kBlock, rows) * columns);
  double sum = 0;
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t count = std::min(kBlock, rows - begin);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(count), static_cast<int>(columns),
                static_cast<int>(d), 1 / static_cast<double>(d), x.data() + begin * d, static_cast<int>(d),
                y.data(), static_cast<int>(d), 0, block.data(), static_cast<int>(columns));
    for (std::size_t i = 0; i < count; ++i) {
      double row = 0;
      for (std::size_t k = 0; k < columns; ++k) {
        const double square = (block[i * columns + k] + 1) * (block[i * columns + k] + 1);
        row += square * square;
      }
      if (same) {
        const double square = (block[i * columns + begin + i] + 1) * (block[i * columns + begin + i] + 1);
        row -= square * square;
      }
      sum += row;
    }
  }
  return sum;
}

double quantile(std::vector<double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

// Squared distances of some rows of x to all rows of y.
void squared_distances(const Matrix& x, std::size_t begin, std::size_t count, const Matrix& y,
                       const std::vector<double>& x_norms, const std::vector<double>& y_norms, std::size_t d,
                       Matrix& out) {
  const std::size_t columns = y_norms.size();
  out.resize(count * columns);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(count), static_cast<int>(columns),
              static_cast<int>(d), -2, x.data() + begin * d, static_cast<int>(d), y.data(),
              static_cast<int>(d), 0, out.data(), static_cast<int>(columns));
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t k = 0; k < columns; ++k)
      out[i * columns + k] = std::max(0.0, out[i * columns + k] + x_norms[begin + i] + y_norms[k]);
}

std::vector<double> norms(const Matrix& x, std::size_t d) {
  std::vector<double> result;
  for (std::size_t i = 0; i < x.size(); i += d)
    result.push_back(cblas_ddot(static_cast<int>(d), x.data() + i, 1, x.data() + i, 1));
  return result;
}

// Squared distance of each row to its k-th nearest other row.
std::vector<double> radii(const Matrix& x, const std::vector<double>& x_norms, std::size_t d,
                          std::size_t neighbour, core::ThreadPool& pool) {
  const std::size_t rows = x_norms.size();
  std::vector<double> result(rows);
  pool.for_each((rows + kBlock - 1) / kBlock, [&](std::size_t block) {
    const std::size_t begin = block * kBlock, count = std::min(kBlock, rows - begin);
    Matrix distances;
    squared_distances(x, begin, count, x, x_norms, x_norms, d, distances);
    for (std::size_t i = 0; i < count; ++i) {
      double* const row = distances.data() + i * rows;
      row[begin + i] = std::numeric_limits<double>::infinity();
      std::nth_element(row, row + (neighbour - 1), row + rows);
      result[begin + i] = row[neighbour - 1];
    }
  });
  return result;
}

Estimate share(const std::vector<std::uint8_t>& hits) {
  const auto n = static_cast<double>(hits.size());
  const double p = std::accumulate(hits.begin(), hits.end(), 0.0) / n;
  return {.value = p, .error = std::sqrt(p * (1 - p) / n)};
}

}  // namespace

Estimate frechet_physics_distance(const FeatureTable& full, const FeatureTable& fast,
                                  const PhysicsDistanceOptions& options, core::ThreadPool& pool) {
  const Normalised samples(full, fast);
  const OneBlasThread one;
  const auto smaller = static_cast<std::int64_t>(std::min(full.rows(), fast.rows()));
  const bool published = smaller >= kPublishedSamples;
  const std::int64_t least = options.min_samples > 0 ? options.min_samples
                             : published             ? 20'000
                                                     : smaller * 2 / 5;
  const std::int64_t most = options.max_samples > 0 ? options.max_samples
                            : published             ? kPublishedSamples
                                                    : smaller;
  if (least < 2 || least >= most || options.fpd_points < 2 || options.fpd_batches < 1)
    throw core::UsageError(
        {.message =
             fmt::format("the Fréchet distance needs batches of growing size, not {} to {}", least, most)});
  std::vector<double> inverse_sizes, means;
  std::vector<std::int64_t> sizes;
  for (int point = 0; point < options.fpd_points; ++point) {
    const double inverse = 1.0 / static_cast<double>(least) +
                           (1.0 / static_cast<double>(most) - 1.0 / static_cast<double>(least)) * point /
                               (options.fpd_points - 1);
    sizes.push_back(static_cast<std::int64_t>(1 / inverse));
    inverse_sizes.push_back(1.0 / static_cast<double>(sizes.back()));
  }
  const auto batches = static_cast<std::size_t>(options.fpd_batches);
  std::vector<double> values(sizes.size() * batches);
  pool.for_each(values.size(), [&](std::size_t i) {
    core::Philox random(options.seed, i, kFrechetStream);
    const Gaussian p = resampled_gaussian(samples.full, samples.columns, sizes[i / batches], random);
    values[i] = frechet(p, resampled_gaussian(samples.fast, samples.columns, sizes[i / batches], random));
  });
  for (std::size_t point = 0; point < sizes.size(); ++point)
    means.push_back(std::accumulate(values.begin() + static_cast<std::ptrdiff_t>(point * batches),
                                    values.begin() + static_cast<std::ptrdiff_t>((point + 1) * batches),
                                    0.0) /
                    static_cast<double>(batches));
  return intercept(inverse_sizes, means);
}

Estimate kernel_physics_distance(const FeatureTable& full, const FeatureTable& fast,
                                 const PhysicsDistanceOptions& options, core::ThreadPool& pool) {
  const Normalised samples(full, fast);
  const OneBlasThread one;
  const std::size_t smaller = std::min(full.rows(), fast.rows());
  constexpr std::size_t kPublishedBatch = 5000;
  const std::size_t size = options.kpd_batch_size > 0 ? static_cast<std::size_t>(options.kpd_batch_size)
                                                      : std::min(kPublishedBatch, smaller / 2);
  const bool with_replacement = smaller >= 10 * size;
  if (size < 2 || (!with_replacement && size > smaller))
    throw core::UsageError(
        {.message =
             fmt::format("the kernel distance cannot draw batches of {} of {} showers", size, smaller)});
  std::vector<double> values(static_cast<std::size_t>(options.kpd_batches));
  pool.for_each(values.size(), [&](std::size_t batch) {
    core::Philox random(options.seed, batch, kKernelStream);
    const std::size_t d = samples.columns;
    const Matrix a = drawn(samples.full, d, size, with_replacement, random),
                 b = drawn(samples.fast, d, size, with_replacement, random);
    const auto n = static_cast<double>(size);
    values[batch] = (kernel_sum(a, a, d, true) + kernel_sum(b, b, d, true)) / (n * (n - 1)) -
                    2 * kernel_sum(a, b, d, false) / (n * n);
  });
  std::sort(values.begin(), values.end());
  return {.value = quantile(values, 0.5),
          .error = (quantile(values, 0.83725) - quantile(values, 0.16275)) / 2};
}

Neighbourhoods neighbourhoods(const FeatureTable& full, const FeatureTable& fast, core::ThreadPool& pool,
                              int neighbours) {
  check(full, fast);
  if (neighbours < 1 || static_cast<std::size_t>(neighbours) >= std::min(full.rows(), fast.rows()))
    throw core::UsageError({.message = fmt::format("a shower cannot have {} neighbours", neighbours)});
  const OneBlasThread one;
  const std::size_t d = full.columns(), n = full.rows(), m = fast.rows();
  Matrix x(n * d), y(m * d);
  for (std::size_t k = 0; k < d; ++k) {
    std::vector<double> column(n);
    for (std::size_t i = 0; i < n; ++i) column[i] = full.values[i * d + k];
    const Spread s = spread(column);
    const double unit = s.deviation > 0 ? 1 / s.deviation : 1;
    for (std::size_t i = 0; i < n; ++i) x[i * d + k] = (full.values[i * d + k] - s.mean) * unit;
    for (std::size_t i = 0; i < m; ++i) y[i * d + k] = (fast.values[i * d + k] - s.mean) * unit;
  }
  const std::vector<double> x_norms = norms(x, d), y_norms = norms(y, d);
  const auto k = static_cast<std::size_t>(neighbours);
  const std::vector<double> full_radii = radii(x, x_norms, d, k, pool),
                            fast_radii = radii(y, y_norms, d, k, pool);
  const std::size_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<std::uint8_t> recalled(n), covered(n), precise(m);
  std::vector<std::vector<std::uint32_t>> within(
      blocks);  // by block, fast shower: full neighbourhoods around it
  pool.for_each(blocks, [&](std::size_t block) {
    const std::size_t begin = block * kBlock, count = std::min(kBlock, n - begin);
    Matrix distances;
    squared_distances(x, begin, count, y, x_norms, y_norms, d, distances);
    within[block].assign(m, 0);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < m; ++j) {
        const double distance = distances[i * m + j];
        if (distance < full_radii[begin + i]) {
          ++within[block][j];
          covered[begin + i] = 1;
        }
        if (distance < fast_radii[j]) recalled[begin + i] = 1;
      }
  });
  std::vector<double> densities(m, 0.0);
  for (std::size_t j = 0; j < m; ++j) {
    for (const auto& counts : within) densities[j] += static_cast<double>(counts[j]) / neighbours;
    precise[j] = densities[j] > 0 ? 1 : 0;
  }
  const Spread density = spread(densities);
  return {.precision = share(precise),
          .recall = share(recalled),
          .density = {.value = density.mean, .error = density.deviation / std::sqrt(static_cast<double>(m))},
          .coverage = share(covered)};
}

}  // namespace calo
