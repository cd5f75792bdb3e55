#include "calo/validate/distances.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "core/philox.h"

namespace calo {
namespace {

constexpr std::uint32_t kPoissonStream = 0x504F4953, kHalfStream = 0x48414C46;

// Walks over two sorted samples at once, each value with a weight.
class TwoSamples {
 public:
  TwoSamples(std::span<const double> a, std::span<const double> b, const BinRange& bins) : bins_(bins) {
    entries_.reserve(a.size() + b.size());
    add(a, 0);
    add(b, 1);
    // Equal values in the order of the samples, so that sums are the same in each run.
    std::sort(entries_.begin(), entries_.end(), [](const Entry& x, const Entry& y) {
      return std::tie(x.value, x.side, x.index) < std::tie(y.value, y.side, y.index);
    });
  }

  using Numbers = std::array<double, std::size(kDistances)>;  // the distances
  // @param weight of an entry, from its side and index
  template <typename Weight>
  Numbers compare(const Weight& weight) const {
    double total[2] = {0, 0};
    std::vector<double> histogram[2] = {std::vector<double>(bins_.bins), std::vector<double>(bins_.bins)};
    for (const Entry& entry : entries_) {
      const double w = weight(entry.side, entry.index);
      total[entry.side] += w;
      histogram[entry.side][entry.bin] += w;
    }
    Numbers result{};
    for (std::size_t k = 0; k < result.size(); ++k)
      if (kDistances[k].add_stretch == nullptr)
        result[k] = kDistances[k].of_histograms(histogram[0], histogram[1], bins_.width());
    if (total[0] <= 0 || total[1] <= 0) return result;
    const double unit[2] = {1 / total[0], -1 / total[1]};
    double difference = 0, last = entries_.front().value;
    for (const Entry& entry : entries_) {
      if (entry.value > last) {
        add_stretch(result, std::abs(difference), entry.value - last, kAll);
        last = entry.value;
      }
      difference += unit[entry.side] * weight(entry.side, entry.index);
    }
    return result;
  }

 private:
  // Unrolled, so that the functions of the rows are inlined: this is what a validation mostly does.
  static constexpr auto kAll = std::make_index_sequence<std::size(kDistances)>();
  template <std::size_t... K>
  static void add_stretch(Numbers& numbers, double difference, double width, std::index_sequence<K...>) {
    const auto add = [&](double& number, const Distance& distance) {
      if (distance.add_stretch != nullptr) number = distance.add_stretch(number, difference, width);
    };
    (add(numbers[K], kDistances[K]), ...);
  }

  struct Entry {
    double value;
    std::uint32_t index;
    std::uint16_t bin;
    std::uint8_t side;
  };
  void add(std::span<const double> values, std::uint8_t side) {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isnan(values[i]))
        entries_.push_back({.value = values[i],
                            .index = static_cast<std::uint32_t>(i),
                            .bin = static_cast<std::uint16_t>(bins_.bin(values[i])),
                            .side = side});
  }
  BinRange bins_;
  std::vector<Entry> entries_;
};

// How many of some values are numbers.
double numbers_of(std::span<const double> values) {
  return static_cast<double>(
      std::count_if(values.begin(), values.end(), [](double v) { return !std::isnan(v); }));
}

// Upper tail of the gamma distribution, Q(a, x): series below a + 1, continued fraction (Lentz) above.
double upper_gamma(double a, double x) {
  if (!(x > 0)) return 1;
  const double front = std::exp(-x + a * std::log(x) - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (double k = a + 1; term > sum * 1e-16; ++k) sum += term *= x / k;
    return std::clamp(1 - front * sum, 0.0, 1.0);
  }
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a, c = 1 / kTiny, d = 1 / b, h = d;
  for (int i = 1; i < 1000; ++i) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    d = 1 / (std::abs(d) < kTiny ? kTiny : d);
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return std::clamp(front * h, 0.0, 1.0);
}

}  // namespace

double jensen_shannon(std::span<const double> p, std::span<const double> q) {
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0);
  const double q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  if (p_sum <= 0 || q_sum <= 0) return p_sum <= 0 && q_sum <= 0 ? 0 : 1;
  double divergence = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double a = p[i] / p_sum, b = q[i] / q_sum, middle = (a + b) / 2;
    if (a > 0) divergence += 0.5 * a * std::log2(a / middle);
    if (b > 0) divergence += 0.5 * b * std::log2(b / middle);
  }
  return std::clamp(divergence, 0.0, 1.0);
}

double separation_power(std::span<const double> p, std::span<const double> q) {
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0);
  const double q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  if (p_sum <= 0 || q_sum <= 0) return p_sum <= 0 && q_sum <= 0 ? 0 : 1;
  double power = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double a = p[i] / p_sum, b = q[i] / q_sum;
    if (a + b > 0) power += 0.5 * (a - b) * (a - b) / (a + b);
  }
  return power;
}

KolmogorovSmirnov kolmogorov_smirnov(std::vector<double> a, std::vector<double> b) {
  if (a.empty() || b.empty()) return {};
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  KolmogorovSmirnov result;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double x = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= x) ++i;
    while (j < b.size() && b[j] <= x) ++j;
    result.statistic =
        std::max(result.statistic, std::abs(static_cast<double>(i) / n - static_cast<double>(j) / m));
  }
  result.p_value = kolmogorov_smirnov_p(result.statistic, n, m);
  return result;
}

double kolmogorov_smirnov_p(double statistic, double n, double m) {
  const double root = std::sqrt(n * m / (n + m));
  const double lambda = (root + 0.12 + 0.11 / root) * statistic;
  if (lambda < 0.2) return 1;  // the series needs many terms there and is 1 within 1e-12
  double sum = 0;
  for (int k = 1; k <= 100; ++k) {
    const double term = std::exp(-2.0 * k * k * lambda * lambda);
    sum += k % 2 == 1 ? term : -term;
    if (term < 1e-16) break;
  }
  return std::clamp(2 * sum, 0.0, 1.0);
}

double wasserstein(std::vector<double> a, std::vector<double> b) {
  if (a.empty() || b.empty()) return 0;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  double distance = 0, previous = std::min(a[0], b[0]);
  for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const double x = j >= b.size() || (i < a.size() && a[i] <= b[j]) ? a[i] : b[j];
    distance += std::abs(static_cast<double>(i) / n - static_cast<double>(j) / m) * (x - previous);
    previous = x;
    while (i < a.size() && a[i] <= x) ++i;
    while (j < b.size() && b[j] <= x) ++j;
  }
  return distance;
}

double wasserstein_of_histograms(std::span<const double> p, std::span<const double> q, double bin_width) {
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0),
               q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  if (p_sum <= 0 || q_sum <= 0) return 0;
  double distance = 0, difference = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    difference += p[i] / p_sum - q[i] / q_sum;
    distance += std::abs(difference) * bin_width;
  }
  return distance;
}

double chi_squared_p(double value, int degrees) {
  return degrees < 1 ? 1 : upper_gamma(degrees / 2.0, value / 2);
}

ChiSquared chi_squared(std::span<const double> n, std::span<const double> m) {
  constexpr double kFewest = 10;
  const double n_sum = std::accumulate(n.begin(), n.end(), 0.0),
               m_sum = std::accumulate(m.begin(), m.end(), 0.0);
  ChiSquared result;
  if (n_sum <= 0 || m_sum <= 0) return result;
  const double up = std::sqrt(m_sum / n_sum);
  std::vector<std::pair<double, double>> merged;
  double a = 0, b = 0;
  for (std::size_t i = 0; i < n.size(); ++i) {
    a += n[i];
    b += m[i];
    if (a + b < kFewest) continue;
    merged.emplace_back(a, b);
    a = b = 0;
  }
  if (!merged.empty()) {
    merged.back().first += a;
    merged.back().second += b;
  }
  for (const auto& [first, second] : merged) {
    const double difference = up * first - second / up;
    result.value += difference * difference / (first + second);
  }
  result.degrees = std::max(0, static_cast<int>(merged.size()) - 1);
  result.p_value = chi_squared_p(result.value, result.degrees);
  return result;
}

ChiSquared chi_squared(std::span<const double> p, std::span<const double> p_variance,
                       std::span<const double> q, std::span<const double> q_variance) {
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0),
               q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  ChiSquared result;
  if (p_sum <= 0 || q_sum <= 0) return result;
  int bins = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double variance = p_variance[i] / (p_sum * p_sum) + q_variance[i] / (q_sum * q_sum);
    if (variance <= 0) continue;
    const double difference = p[i] / p_sum - q[i] / q_sum;
    result.value += difference * difference / variance;
    ++bins;
  }
  result.degrees = std::max(0, bins - 1);
  result.p_value = chi_squared_p(result.value, result.degrees);
  return result;
}

Replicas poisson_replicas(std::size_t showers, std::size_t replicas, std::uint64_t seed) {
  // 2^32 times the cumulative probabilities e^-1 Σ 1/k!
  constexpr std::uint32_t kBelow[] = {1580030168u, 3160060337u, 3950075421u, 4213413783u, 4279248373u,
                                      4292415291u, 4294609777u, 4294923276u, 4294962463u};
  Replicas result(replicas, std::vector<std::uint8_t>(showers));
  for (std::size_t replica = 0; replica < replicas; ++replica) {
    core::Philox random(seed, replica, kPoissonStream);
    for (std::uint8_t& weight : result[replica]) {
      const std::uint32_t draw = random.next_u32();
      while (weight < std::size(kBelow) && draw >= kBelow[weight]) ++weight;
    }
  }
  return result;
}

Replicas half_replicas(std::size_t showers, std::size_t replicas, std::uint64_t seed) {
  Replicas result(replicas, std::vector<std::uint8_t>(showers));
  for (std::size_t replica = 0; replica < replicas; ++replica) {
    std::vector<std::uint8_t>& chosen = result[replica];
    std::fill_n(chosen.begin(), showers / 2, std::uint8_t{1});
    core::Philox(seed, replica, kHalfStream).shuffle(chosen);
  }
  return result;
}

Spread spread(std::span<const double> values) {
  Spread result;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) result.mean += value / n;
  for (const double value : values) result.deviation += (value - result.mean) * (value - result.mean);
  result.deviation = values.size() > 1 ? std::sqrt(result.deviation / (n - 1)) : 0;
  return result;
}

void Estimate::set_floor(std::span<const double> between_halves) {
  if (between_halves.empty()) return;
  const Spread s = spread(between_halves);
  floor = s.mean;
  floor_error = s.deviation;
  has_floor = true;
}

SampleDistances sample_distances(std::span<const double> full, std::span<const double> fast,
                                 const BinRange& bins, const Replicas& full_replicas,
                                 const Replicas& fast_replicas, const Replicas& halves) {
  using Numbers = TwoSamples::Numbers;
  const TwoSamples both(full, fast, bins);
  const Numbers exact = both.compare([](auto, auto) { return 1.0; });
  std::vector<Numbers> resampled, between_halves;
  for (std::size_t r = 0; r < full_replicas.size(); ++r) {
    const std::vector<std::uint8_t>* weights[2] = {&full_replicas[r], &fast_replicas[r]};
    resampled.push_back(
        both.compare([&](std::size_t side, std::size_t index) { return double((*weights[side])[index]); }));
  }
  if (!halves.empty()) {
    // The full sample on both sides, half of it each.
    const TwoSamples twice(full, full, bins);
    for (const std::vector<std::uint8_t>& chosen : halves)
      between_halves.push_back(
          twice.compare([&](std::size_t side, std::size_t index) { return double(chosen[index] ^ side); }));
  }
  SampleDistances result;
  for (std::size_t k = 0; k < std::size(kDistances); ++k) {
    const auto of = [k](const std::vector<Numbers>& list) {
      std::vector<double> values(list.size());
      std::transform(list.begin(), list.end(), values.begin(), [k](const Numbers& n) { return n[k]; });
      return values;
    };
    Estimate& estimate = result.estimates[k];
    estimate.value = exact[k];
    estimate.error = spread(of(resampled)).deviation;
    estimate.set_floor(of(between_halves));
  }
  result.ks_p_value =
      kolmogorov_smirnov_p(result.estimates.of("ks").value, numbers_of(full), numbers_of(fast));
  return result;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> result(p_values.size());
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    largest = std::max(largest, std::min(1.0, p_values[order[k]] * static_cast<double>(order.size() - k)));
    result[order[k]] = largest;
  }
  return result;
}

}  // namespace calo
