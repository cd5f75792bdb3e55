#include "calo/validate/classification.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/philox.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr std::uint32_t kSplitStream = 0x53504c54;

}  // namespace

Split split_rows(std::size_t rows, std::uint64_t seed, double train_share) {
  std::vector<std::size_t> order(rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  core::Philox(seed, 0, kSplitStream).shuffle(order);
  const auto begin = order.begin();
  const auto validation = begin + static_cast<std::ptrdiff_t>(rows * 6 / 10);
  const auto test = begin + static_cast<std::ptrdiff_t>(rows * 8 / 10);
  const auto kept = [&](auto from, auto to) {
    return from + static_cast<std::ptrdiff_t>(std::ceil(train_share * static_cast<double>(to - from)));
  };
  return {.train = {begin, kept(begin, validation)},
          .validation = {validation, kept(validation, test)},
          .test = {test, order.end()}};
}

std::vector<EnergyAuc> auc_by_energy(std::span<const double> full_scores,
                                     std::span<const double> full_energies_mev,
                                     std::span<const double> fast_scores,
                                     std::span<const double> fast_energies_mev, int most) {
  std::vector<double> sorted(full_energies_mev.begin(), full_energies_mev.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t ranges =
      std::min<std::size_t>(static_cast<std::size_t>(most), sorted.size() / kFewestByEnergy);
  std::vector<double> begins;  // of the ranges; equal energies are in one
  for (std::size_t i = 0; i < ranges; ++i) {
    const double begin = sorted[i * sorted.size() / ranges];
    if (begins.empty() || begin > begins.back()) begins.push_back(begin);
  }
  const auto range_of = [&](double energy_mev) {
    const auto above = std::upper_bound(begins.begin(), begins.end(), energy_mev);
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(above - begins.begin() - 1, 0));
  };
  std::vector<std::vector<double>> full(begins.size()), fast(begins.size());
  std::vector<EnergyAuc> result(begins.size());
  const auto share_out = [&](std::span<const double> scores, std::span<const double> energies_mev, auto& to) {
    for (std::size_t i = 0; i < scores.size() && !begins.empty(); ++i) {
      const std::size_t range = range_of(energies_mev[i]);
      EnergyAuc& of = result[range];
      const bool is_first = full[range].empty() && fast[range].empty();
      of.min_energy_mev = is_first ? energies_mev[i] : std::min(of.min_energy_mev, energies_mev[i]);
      of.max_energy_mev = is_first ? energies_mev[i] : std::max(of.max_energy_mev, energies_mev[i]);
      to[range].push_back(scores[i]);
    }
  };
  share_out(full_scores, full_energies_mev, full);
  share_out(fast_scores, fast_energies_mev, fast);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i].showers = static_cast<std::int64_t>(std::min(full[i].size(), fast[i].size()));
    if (result[i].showers > 0) result[i].auc = roc_auc(full[i], fast[i]);
  }
  std::erase_if(result,
                [](const EnergyAuc& of) { return of.showers < static_cast<std::int64_t>(kFewestByEnergy); });
  return result;
}

std::optional<Auc> Classification::growth_of_auc() const {
  if (by_sample_size.size() < 2) return {};
  const Auc &before = by_sample_size[by_sample_size.size() - 2].auc, &after = by_sample_size.back().auc;
  return Auc{.value = after.value - before.value, .error = std::hypot(before.error, after.error)};
}

LogitDivergence logit_divergence(const std::vector<double>& full_logits,
                                 const std::vector<double>& fast_logits) {
  double cross_entropy = 0, variance = 0;
  for (const bool fast : {false, true}) {
    const std::vector<double>& logits = fast ? fast_logits : full_logits;
    const auto count = static_cast<double>(logits.size());
    double mean = 0, squares = 0;
    const auto entropy = [&](double logit) {
      const double z = fast ? -logit : logit;
      return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
    };
    for (const double logit : logits) mean += entropy(logit) / count;
    for (const double logit : logits) squares += (entropy(logit) - mean) * (entropy(logit) - mean);
    cross_entropy += mean / 2;
    if (logits.size() > 1) variance += squares / (count - 1) / count / 4;
  }
  return {.value = 1 - cross_entropy / std::numbers::ln2, .error = std::sqrt(variance) / std::numbers::ln2};
}

std::vector<CalibrationBin> calibration_curve(const std::vector<double>& full_scores,
                                              const std::vector<double>& fast_scores, int bins) {
  std::vector<CalibrationBin> curve(static_cast<std::size_t>(bins));
  for (const bool fast : {false, true})
    for (const double score : fast ? fast_scores : full_scores) {
      const int place = std::clamp(static_cast<int>(score * bins), 0, bins - 1);
      CalibrationBin& bin = curve[static_cast<std::size_t>(place)];
      bin.predicted += score;
      bin.observed += fast ? 1 : 0;
      ++bin.showers;
    }
  std::erase_if(curve, [](const CalibrationBin& bin) { return bin.showers == 0; });
  for (CalibrationBin& bin : curve) {
    const auto count = static_cast<double>(bin.showers);
    const double share = (bin.observed + 1) / (count + 2);
    bin.error = std::sqrt(share * (1 - share) / count);
    bin.predicted /= count;
    bin.observed /= count;
  }
  return curve;
}

Classification judge(std::string name, std::string title, const std::vector<double>& full_logits,
                     const std::vector<double>& fast_logits) {
  Classification result{.name = std::move(name), .title = std::move(title)};
  for (const bool fast : {false, true}) {
    const std::vector<double>& logits = fast ? fast_logits : full_logits;
    const auto count = static_cast<double>(logits.size());
    for (const double logit : logits) {
      (fast ? result.fast_scores : result.full_scores).push_back(1 / (1 + std::exp(-logit)));
      ++result.confusion[fast ? 1 : 0][logit >= 0 ? 1 : 0];
    }
    result.accuracy += static_cast<double>(result.confusion[fast ? 1 : 0][fast ? 1 : 0]) / (2 * count);
  }
  const LogitDivergence divergence = logit_divergence(full_logits, fast_logits);
  result.jensen_shannon = divergence.value;
  result.jensen_shannon_error = divergence.error;
  result.auc = roc_auc(full_logits, fast_logits);
  result.roc = roc_curve(result.full_scores, result.fast_scores);
  result.calibration = calibration_curve(result.full_scores, result.fast_scores);
  result.test_showers = static_cast<std::int64_t>(full_logits.size());
  return result;
}

json Classification::to_json() const {
  json object = {{"name", name},
                 {"title", title},
                 {"auc", auc.value},
                 {"auc_error", auc.error},
                 {"accuracy", accuracy},
                 {"jsd", jensen_shannon},
                 {"jsd_error", jensen_shannon_error},
                 {"showers_of_each_side",
                  {{"train", train_showers}, {"validation", validation_showers}, {"test", test_showers}}},
                 {"features", features}};
  if (floor) {
    object["auc_floor"] = floor->auc.value;
    object["auc_floor_error"] = floor->auc.error;
    object["jsd_floor"] = floor->jensen_shannon.value;
    object["jsd_floor_error"] = floor->jensen_shannon.error;
  }
  for (const CalibrationBin& bin : calibration)
    object["calibration"].push_back({{"predicted", bin.predicted},
                                     {"observed", bin.observed},
                                     {"error", bin.error},
                                     {"showers", bin.showers}});
  for (const EnergyAuc& of : by_energy)
    object["auc_by_energy"].push_back({{"min_energy_mev", of.min_energy_mev},
                                       {"max_energy_mev", of.max_energy_mev},
                                       {"auc", of.auc.value},
                                       {"auc_error", of.auc.error},
                                       {"showers", of.showers}});
  for (const SampleSizeAuc& of : by_sample_size)
    object["auc_by_sample_size"].push_back(
        {{"train_showers", of.train_showers}, {"auc", of.auc.value}, {"auc_error", of.auc.error}});
  if (const auto growth = growth_of_auc()) {
    object["auc_growth"] = growth->value;
    object["auc_growth_error"] = growth->error;
  }
  if (trainings.empty()) {
    object["l2"] = l2;
    return object;
  }
  if (calibrated_jensen_shannon) {
    object["calibrated_jsd"] = calibrated_jensen_shannon->value;
    object["calibrated_jsd_error"] = calibrated_jensen_shannon->error;
  }
  for (const TrainingResult& training : trainings)
    object["trainings"].push_back({{"auc", training.auc.value},
                                   {"auc_error", training.auc.error},
                                   {"accuracy", training.accuracy},
                                   {"jsd", training.jensen_shannon.value},
                                   {"calibrated_jsd", training.calibrated_jensen_shannon.value},
                                   {"best_epoch", training.best_epoch},
                                   {"epochs", training.epochs}});
  object["trainings_end"] = trainings_end == TrainingsEnd::kAll         ? "all"
                            : trainings_end == TrainingsEnd::kSeparated ? "separated"
                                                                        : "decided";
  return object;
}

json Classification::kubeflow_metadata() const {
  json points = json::array(), rows = json::array();
  for (const RocPoint& point : roc)
    points.push_back({{"confidenceThreshold", point.threshold},
                      {"recall", point.recall},
                      {"falsePositiveRate", point.false_positive_rate}});
  for (const auto& row : confusion) rows.push_back({{"row", row}});
  return {{"confidenceMetrics", std::move(points)},
          {"confusionMatrix",
           {{"annotationSpecs", json::array({{{"displayName", "Geant4"}}, {{"displayName", "fast"}}})},
            {"rows", std::move(rows)}}}};
}

}  // namespace calo
