#include "calo/optimise/optimise.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include "calo/generate/generate.h"
#include "calo/infer/generator.h"
#include "calo/io/shower_reader.h"
#include "calo/model/model_folder.h"
#include "calo/optimise/detail/narrow_weights.h"
#include "calo/optimise/detail/self_contained.h"
#include "calo/validate/validation.h"
#include "core/error.h"
#include "core/staged_output.h"

namespace calo {
namespace {

using infer::Generator;
using infer::Precision;
using nlohmann::json;

Validation compare(const std::filesystem::path& full, const ReadOptions& reading,
                   const std::filesystem::path& fast, double threshold_mev, core::ThreadPool& pool) {
  const auto full_reader = ShowerReader::open(full, reading, pool);
  const auto fast_reader = ShowerReader::open(fast, {}, pool);
  return validate(
      *full_reader, *fast_reader,
      {.threshold_mev = threshold_mev, .comparison = {.replicas = 0, .halves = 0}, .only_observables = true},
      pool);
}

// Calls body for each observable and layer of each condition; layers have their own names ("layer_energy
// 12").
template <class Body>
void for_each_observable(const Validation& validation, const Body& body) {
  for (const ConditionComparison& group : validation.groups) {
    for (const Comparison& c : group.observables) body(group.name, c.name, c);
    const std::vector<Comparison>& layers = group.layers();
    for (std::size_t i = 0; i < layers.size(); ++i)
      body(group.name, fmt::format("{} {}", layers[i].name, i), layers[i]);
  }
}

std::vector<ObservableShift> find_shifts(const Validation& fp32, const Validation& narrow,
                                         const Validation& between) {
  using Key = std::pair<std::string, std::string>;
  std::map<Key, double> means;
  for_each_observable(fp32, [&](const std::string& condition, const std::string& name, const Comparison& c) {
    means[{condition, name}] = c.fast_mean;
  });
  std::map<Key, const Comparison*> distances;
  for_each_observable(between,
                      [&](const std::string& condition, const std::string& name, const Comparison& c) {
                        distances[{condition, name}] = &c;
                      });
  std::vector<ObservableShift> shifts;
  for_each_observable(narrow,
                      [&](const std::string& condition, const std::string& name, const Comparison& c) {
                        // No comparison without a statistical error, or without such a mean with fp32.
                        if (!(c.full_mean_error > 0) || !std::isfinite(means.at({condition, name}))) return;
                        ObservableShift shift{.condition = condition,
                                              .observable = name,
                                              .unit = c.unit,
                                              .full_mean = c.full_mean,
                                              .full_error = c.full_mean_error,
                                              .fp32_mean = means.at({condition, name}),
                                              .mean = c.fast_mean};
                        if (const auto found = distances.find({condition, name}); found != distances.end()) {
                          shift.ks = found->second->distances.of("ks").value;
                          shift.jensen_shannon = found->second->distances.of("jsd").value;
                        }
                        shifts.push_back(std::move(shift));
                      });
  return shifts;
}

void measure_speed(const std::filesystem::path& file, const infer::Particle& particle,
                   const OptimiseOptions& options, Candidate& candidate) {
  const auto begin = std::chrono::steady_clock::now();
  const Generator generator = Generator::load(file, {.precision = candidate.precision}, options.contract);
  candidate.start_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  candidate.weight_bytes = static_cast<std::int64_t>(generator.model().weight_bytes());
  std::vector<infer::Particle> particles(static_cast<std::size_t>(options.batch_size), particle);
  for (std::size_t i = 0; i < particles.size(); ++i) particles[i].event = i;
  infer::Workspace workspace;
  infer::SparseShowers showers;
  const auto threshold = static_cast<float>(options.threshold_mev);
  candidate.one = time_calls(options.seconds, [&] {
    generator.generate({particles.data(), 1}, options.seed, threshold, workspace, showers);
  });
  candidate.batch = time_calls(
      options.seconds, [&] { generator.generate(particles, options.seed, threshold, workspace, showers); });
}

std::size_t choose(const std::vector<Candidate>& candidates, Objective objective) {
  const auto cost = [&](const Candidate& c) {
    switch (objective) {
      case Objective::kLatency:
        return c.one.median_s;
      case Objective::kThroughput:
        return c.batch.median_s;
      case Objective::kSize:
        break;
    }
    return static_cast<double>(c.weight_bytes);
  };
  std::size_t best = 0;  // fp32 is always accepted
  for (std::size_t i = 1; i < candidates.size(); ++i)
    if (candidates[i].accepted && cost(candidates[i]) < cost(candidates[best])) best = i;
  return best;
}

void write(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw core::UnavailableError({.message = "cannot be written", .file = file});
}

// Checks that the written file makes the same showers as the evaluated model.
void check_written(const std::filesystem::path& file, const std::filesystem::path& onnx, Precision precision,
                   const infer::ForeignContract& contract) {
  const Generator written = Generator::load(file),
                  judged = Generator::load(onnx, {.precision = precision}, contract);
  if (written.model().precision() != judged.model().precision())
    throw core::Error(core::ExitCode::kInternal,
                      {.message = "the optimised file does not load in the chosen precision", .file = file});
  infer::Workspace workspace;
  const auto cells = static_cast<std::size_t>(written.num_cells());
  std::vector<float> a(cells), b(cells);
  for (std::uint64_t event = 0; event < 4; ++event) {
    const infer::Particle particle{.energy_mev = 10000, .theta_rad = 1.5f, .event = event};
    written.generate_dense({&particle, 1}, 1, workspace, a);
    judged.generate_dense({&particle, 1}, 1, workspace, b);
    if (a != b)
      throw core::Error(
          core::ExitCode::kInternal,
          {.message = "the optimised file does not make the showers that were evaluated", .file = file});
  }
}

}  // namespace

Objective parse_objective(const std::string& name) {
  if (name == "latency") return Objective::kLatency;
  if (name == "throughput") return Objective::kThroughput;
  if (name == "size") return Objective::kSize;
  throw core::UsageError({.message = fmt::format("\"{}\" is not an objective", name),
                          .field = "objective",
                          .hint = "one of latency, throughput, size"});
}

OptimiseReport optimise(const std::filesystem::path& onnx, const std::filesystem::path& full,
                        const OptimiseOptions& options, const std::filesystem::path& out,
                        core::ThreadPool& pool) {
  std::string contract_name, bytes;
  {
    const Generator generator = Generator::load(onnx, {}, options.contract);
    contract_name = generator.contract();
    bytes = self_contained(onnx, generator.properties());
  }
  core::StagedOutput staged(out, core::StagedOutput::Kind::kFile);
  // Showers of each precision; removed at the end in all cases.
  std::filesystem::path beside = out;
  beside += ".showers";
  core::StagedOutput showers(beside, core::StagedOutput::Kind::kFolder);

  OptimiseReport report{.batch_size = options.batch_size, .max_shift_sigma = options.max_shift_sigma};
  std::vector<Precision> precisions = {Precision::kFp32};
  for (const std::string& name : options.precisions) {
    const Precision precision = infer::parse_precision(name);
    if (std::find(precisions.begin(), precisions.end(), precision) == precisions.end())
      precisions.push_back(precision);
  }
  Validation fp32;
  std::filesystem::path fp32_file;
  for (const Precision precision : precisions) {
    Candidate candidate{.precision = precision, .accepted = precision == Precision::kFp32};
    spdlog::info("{}: showers under the conditions of the full simulation", to_string(precision));
    auto source = ShowerSource::open(onnx, precision, options.contract);
    const std::filesystem::path file = showers.path() / (std::string(to_string(precision)) + ".h5");
    report.showers = generate(source,
                              {.like = full,
                               .reading = options.reading,
                               .seed = options.seed,
                               .threshold_mev = options.threshold_mev,
                               .layout = Layout::kCalopipe},
                              file, pool)
                         .showers;
    report.mesh = to_string(source.geometry_meshes(), source.mesh());
    Validation validation = compare(full, options.reading, file, options.threshold_mev, pool);
    if (precision == Precision::kFp32) {
      fp32 = std::move(validation);
      fp32_file = file;
    } else {
      candidate.shifts =
          find_shifts(fp32, validation, compare(fp32_file, {}, file, options.threshold_mev, pool));
      for (const ObservableShift& shift : candidate.shifts) {
        // A mean that is NaN counts as an infinite shift; std::max would ignore it.
        const double size = std::abs(shift.shift_sigma());
        candidate.largest_shift_sigma = std::max(
            candidate.largest_shift_sigma, std::isnan(size) ? std::numeric_limits<double>::infinity() : size);
      }
      if (candidate.shifts.empty())
        throw core::InputError({.message = "has too few showers of each condition: no observable has a "
                                           "statistical error",
                                .file = full,
                                .hint = "give a sample with at least two showers of each condition"});
      candidate.accepted = std::isfinite(candidate.largest_shift_sigma) &&
                           candidate.largest_shift_sigma <= options.max_shift_sigma;
    }
    measure_speed(onnx, typical_particle(source.trained()), options, candidate);
    candidate.file_bytes =
        static_cast<std::int64_t>(for_precision(bytes, precision, options.narrow_weights).size());
    spdlog::info(
        "{}: {:.3f} ms per shower, {:.0f} showers/s in batches of {}{}", to_string(precision),
        1e3 * candidate.one.median_s, static_cast<double>(options.batch_size) / candidate.batch.median_s,
        options.batch_size,
        precision == Precision::kFp32
            ? std::string()
            : fmt::format("; largest shift {:.3f} of the statistical error, {}",
                          candidate.largest_shift_sigma, candidate.accepted ? "accepted" : "rejected"));
    report.candidates.push_back(std::move(candidate));
  }
  report.chosen = choose(report.candidates, options.objective);
  const Precision chosen = report.candidates[report.chosen].precision;
  report.contract = contract_name;
  write(staged.path(), for_precision(bytes, chosen, options.narrow_weights));
  check_written(staged.path(), onnx, chosen, options.contract);
  staged.commit();
  return report;
}

json OptimiseReport::to_json() const {
  json list = json::array();
  for (const Candidate& candidate : candidates) {
    json shifts = json::array();
    for (const ObservableShift& s : candidate.shifts)
      shifts.push_back({{"condition", s.condition},
                        {"observable", s.observable},
                        {"unit", s.unit},
                        {"full_mean", s.full_mean},
                        {"full_error", s.full_error},
                        {"fp32_mean", s.fp32_mean},
                        {"mean", s.mean},
                        {"shift_sigma", s.shift_sigma()},
                        {"ks", s.ks},
                        {"jensen_shannon", s.jensen_shannon}});
    list.push_back({{"precision", to_string(candidate.precision)},
                    {"accepted", candidate.accepted},
                    {"largest_shift_sigma", candidate.largest_shift_sigma},
                    {"start_ms", 1e3 * candidate.start_s},
                    {"latency_ms", 1e3 * candidate.one.median_s},
                    {"latency_p99_ms", 1e3 * candidate.one.p99_s},
                    {"showers_per_s", static_cast<double>(batch_size) / candidate.batch.median_s},
                    {"weight_bytes", candidate.weight_bytes},
                    {"file_bytes", candidate.file_bytes},
                    {"shifts", std::move(shifts)}});
  }
  return {{"chosen", to_string(candidates[chosen].precision)},
          {"contract", contract},
          {"mesh", mesh},
          {"showers", showers},
          {"batch_size", batch_size},
          {"max_shift_sigma", max_shift_sigma},
          {"candidates", std::move(list)}};
}

json OptimiseReport::summary() const {
  const Candidate& best = candidates[chosen];
  const Candidate& fp32 = candidates.front();
  return {{"precision", to_string(best.precision)},
          {"largest_shift_sigma", best.largest_shift_sigma},
          {"latency_ms", 1e3 * best.one.median_s},
          {"latency_gain", fp32.one.median_s / best.one.median_s},
          {"throughput_gain", fp32.batch.median_s / best.batch.median_s},
          {"file_bytes", best.file_bytes}};
}

}  // namespace calo
