#include "calo/benchmark/benchmark.h"

#include <fmt/format.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "calo/benchmark/detail/onnxruntime_peer.h"
#include "calo/generate/shower_source.h"
#include "calo/infer/external_data.h"
#include "calo/infer/generator.h"
#include "calo/infer/noise.h"
#include "calo/models/architectures.h"
#include "calo/models/stored_model.h"
#include "calo/shower/energy.h"
#include "calo/torch/module.h"
#include "core/error.h"
#include "core/process_memory.h"
#include "core/progress.h"

namespace calo {
namespace {

using infer::Generator;
using infer::Particle;
using nlohmann::json;

// Largest growth of resident memory while body runs.
template <class Body>
std::int64_t memory_growth(const Body& body) {
  core::reset_peak_memory();
  const std::int64_t before = core::resident_memory_bytes();
  body();
  return std::max<std::int64_t>(0, core::peak_memory_bytes() - before);
}

std::string machine_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

double machine_load() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

// Size of the model and the weights files beside it.
std::int64_t all_bytes(const std::filesystem::path& onnx) {
  auto bytes = std::filesystem::file_size(onnx);
  for (const std::string& file : infer::external_files(onnx))
    bytes += std::filesystem::file_size(onnx.parent_path() / file);
  return static_cast<std::int64_t>(bytes);
}

std::vector<Particle> batch_of(const Particle& particle, std::int64_t size) {
  std::vector<Particle> particles(static_cast<std::size_t>(size), particle);
  for (std::size_t i = 0; i < particles.size(); ++i) particles[i].event = i;
  return particles;
}

double median_start(const std::filesystem::path& onnx, infer::Precision precision,
                    const infer::ForeignContract& contract) {
  std::vector<double> starts;
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Generator generator = Generator::load(onnx, {.precision = precision}, contract);
    starts.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(starts.begin(), starts.end());
  return starts[starts.size() / 2];
}

std::vector<EngineFigures> measure_ours(const std::filesystem::path& onnx, const Particle& particle,
                                        const BenchmarkOptions& options, core::Progress& progress) {
  std::vector<EngineFigures> all;
  for (const std::string& name : options.precisions) {
    const infer::Precision precision = infer::parse_precision(name);
    EngineFigures sparse{.name = "calopipe-infer", .variant = name + ", sparse"};
    sparse.start_s = median_start(onnx, precision, options.contract);
    std::optional<Generator> generator;
    const auto threshold = static_cast<float>(options.threshold_mev);
    sparse.memory_bytes = memory_growth([&] {
      generator.emplace(Generator::load(onnx, {.precision = precision}, options.contract));
      infer::Workspace workspace;
      infer::SparseShowers showers;
      for (int i = 0; i < 10; ++i)
        generator->generate({&particle, 1}, options.seed, threshold, workspace, showers);
    });
    sparse.weight_bytes = static_cast<std::int64_t>(generator->model().weight_bytes());
    EngineFigures dense = sparse;
    dense.variant = name + ", dense";
    for (const std::int64_t threads : options.threads) {
      core::ThreadPool pool(static_cast<int>(threads));
      infer::Workspace workspace(&pool);
      for (const std::int64_t size : options.batch_sizes) {
        const std::vector<Particle> particles = batch_of(particle, size);
        infer::SparseShowers showers;
        sparse.batches.push_back(
            {.batch = size, .threads = threads, .timing = time_calls(options.seconds, [&] {
                                                  generator->generate(particles, options.seed, threshold,
                                                                      workspace, showers);
                                                })});
        std::vector<float> cells(static_cast<std::size_t>(size * generator->num_cells()));
        dense.batches.push_back(
            {.batch = size, .threads = threads, .timing = time_calls(options.seconds, [&] {
                                                  generator->generate_dense(particles, options.seed,
                                                                            workspace, cells);
                                                })});
        progress.add(2);
      }
    }
    all.push_back(std::move(sparse));
    all.push_back(std::move(dense));
  }
  return all;
}

EngineFigures measure_libtorch(const ModelFolder& folder, const Particle& particle,
                               const std::string& geometry, const BenchmarkOptions& options) {
  EngineFigures figures{
      .name = "LibTorch", .version = torch_module().torch_version(), .variant = "fp32, dense, eager"};
  const Transform& transform = folder.transform;
  std::vector<float> condition(static_cast<std::size_t>(transform.condition_dim()));
  transform.encode({.incident_energy_mev = particle.energy_mev, .theta_rad = particle.theta_rad}, geometry,
                   condition);
  for (const std::int64_t threads : options.threads) {
    std::unique_ptr<TorchDecoder> decoder;
    const std::int64_t memory = memory_growth([&] {
      const auto begin = std::chrono::steady_clock::now();
      decoder = torch_module().decoder(folder, static_cast<int>(threads));
      if (figures.start_s == 0)
        figures.start_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const std::vector<float> latent(static_cast<std::size_t>(folder.description.latent_dim), 0.0f);
      decoder->run(latent, condition, std::vector<float>{particle.energy_mev});
    });
    if (figures.memory_bytes == 0) figures.memory_bytes = memory;
    for (const std::int64_t size : options.batch_sizes) {
      const auto rows = static_cast<std::size_t>(size);
      std::vector<float> latents, conditions, energies(rows, particle.energy_mev);
      for (std::size_t i = 0; i < rows; ++i) {
        core::Philox random = infer::noise_of({.seed = options.seed, .event = i});
        for (std::int64_t j = 0; j < folder.description.latent_dim; ++j) latents.push_back(random.normal());
        conditions.insert(conditions.end(), condition.begin(), condition.end());
      }
      figures.batches.push_back(
          {.batch = size, .threads = threads, .timing = time_calls(options.seconds, [&] {
                                                decoder->run(latents, conditions, energies);
                                              })});
    }
  }
  return figures;
}

void check(const BenchmarkOptions& options) {
  for (const std::string& peer : options.against)
    if (peer != "onnxruntime" && peer != "libtorch")
      throw core::UsageError({.message = fmt::format("\"{}\" is not an engine to compare with", peer),
                              .field = "against",
                              .hint = "onnxruntime, libtorch"});
  if (std::find(options.against.begin(), options.against.end(), "libtorch") != options.against.end() &&
      options.model.empty())
    throw core::UsageError({.message = "is required for a comparison with libtorch",
                            .field = "model",
                            .hint = "give --model the folder that the ONNX file was converted from"});
}

// Checked before anything is measured.
ModelFolder libtorch_model(const std::filesystem::path& folder) {
  ModelFolder model = read_model(folder);
  if (!architecture_of(model).runs_in_libtorch())
    throw core::InputError({.message = fmt::format("a model of the architecture {} does not run in LibTorch",
                                                   model.description.architecture),
                            .file = folder,
                            .field = "against",
                            .hint = "remove libtorch from --against"});
  return model;
}

}  // namespace

BenchmarkReport run_benchmark(const std::filesystem::path& onnx, const BenchmarkOptions& wanted) {
  BenchmarkOptions options = wanted;
  check(options);
  std::optional<ModelFolder> torch_model;
  if (std::find(options.against.begin(), options.against.end(), "libtorch") != options.against.end())
    torch_model = libtorch_model(options.model);
  if (options.threads.empty()) {
    std::set<std::int64_t> counts = {1, core::available_threads()};
    options.threads.assign(counts.begin(), counts.end());
  }
  BenchmarkReport report{.file = onnx.filename().string(),
                         .machine = machine_name(),
                         .instructions = to_string(infer::best_isa()),
                         .file_bytes = all_bytes(onnx),
                         .cores = core::available_threads(),
                         .load = machine_load()};
  const auto source = ShowerSource::open(onnx, infer::Precision::kFp32, options.contract);
  const Generator& generator = source.generator();
  report.contract = generator.contract();
  report.mesh = to_string(source.geometry_meshes(), source.mesh());
  report.cells = generator.num_cells();
  Particle particle = typical_particle(source.trained());
  if (options.energy_gev > 0) particle.energy_mev = static_cast<float>(options.energy_gev * 1000);
  report.energy_gev = energy_gev(particle.energy_mev);
  const auto& names = generator.geometries();
  const auto place =
      options.geometry.empty() ? names.begin() : std::find(names.begin(), names.end(), options.geometry);
  if (place == names.end())
    throw core::UsageError(
        {.message = fmt::format("the model does not know \"{}\"", options.geometry), .field = "geometry"});
  particle.geometry = static_cast<std::uint32_t>(place - names.begin());
  {
    infer::Workspace workspace;
    infer::SparseShowers showers;
    constexpr std::int64_t kFirst = 64;
    const auto particles = batch_of(particle, kFirst);
    const auto begin = std::chrono::steady_clock::now();
    generator.generate(particles, options.seed, static_cast<float>(options.threshold_mev), workspace,
                       showers);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    report.filled_share = static_cast<double>(showers.num_hits()) /
                          (static_cast<double>(kFirst) * static_cast<double>(report.cells));
    // The default sizes leave out those that take long; sizes that the user gave all run.
    constexpr double kLongestBatch = 1;  // s
    if (options.batch_sizes == BenchmarkOptions{}.batch_sizes) {
      std::erase_if(options.batch_sizes, [&](std::int64_t size) {
        return seconds / static_cast<double>(kFirst) * static_cast<double>(size) > kLongestBatch;
      });
      if (options.batch_sizes.empty()) options.batch_sizes = {1};
      if (options.batch_sizes.size() < BenchmarkOptions{}.batch_sizes.size())
        spdlog::info(
            "batches of more than {} take more than a second with this model and are skipped "
            "(--batch-sizes chooses other sizes)",
            options.batch_sizes.back());
    }
  }
  core::Progress progress("benchmark",
                          static_cast<std::int64_t>(options.precisions.size() * options.threads.size() *
                                                    options.batch_sizes.size() * 2),
                          "measurements");
  report.engines = measure_ours(onnx, particle, options, progress);
  for (const std::string& peer : options.against) {
    if (peer == "libtorch") {
      report.engines.push_back(measure_libtorch(*torch_model, particle, *place, options));
    } else {
      for (EngineFigures& figures : measure_onnxruntime(onnx, generator, particle, options))
        report.engines.push_back(std::move(figures));
    }
  }
  return report;
}

json BenchmarkReport::to_json() const {
  json list = json::array();
  for (const EngineFigures& engine : engines) {
    json batches = json::array();
    for (const BatchTiming& b : engine.batches)
      batches.push_back({{"batch", b.batch},
                         {"threads", b.threads},
                         {"least_s", b.timing.least_s},
                         {"median_s", b.timing.median_s},
                         {"p99_s", b.timing.p99_s},
                         {"calls", b.timing.calls},
                         {"showers_per_s", b.showers_per_s()}});
    json entry = {{"name", engine.name},
                  {"variant", engine.variant},
                  {"start_s", engine.start_s},
                  {"memory_bytes", engine.memory_bytes},
                  {"weight_bytes", engine.weight_bytes},
                  {"batches", std::move(batches)}};
    if (!engine.version.empty()) entry["version"] = engine.version;
    list.push_back(std::move(entry));
  }
  return {
      {"model",
       {{"file", file}, {"bytes", file_bytes}, {"contract", contract}, {"mesh", mesh}, {"cells", cells}}},
      {"machine", {{"processor", machine}, {"cores", cores}, {"instructions", instructions}, {"load", load}}},
      {"showers", {{"energy_gev", energy_gev}, {"share_of_cells_above_threshold", filled_share}}},
      {"engines", std::move(list)}};
}

json BenchmarkReport::summary() const {
  json numbers = {{"file_bytes", file_bytes}};
  const auto key = [](std::string text) {
    std::string out;
    for (const char c : text)
      if (std::isalnum(static_cast<unsigned char>(c)) != 0)
        out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      else if (!out.empty() && out.back() != '_')
        out += '_';
    return out;
  };
  for (const EngineFigures& engine : engines) {
    const std::string name = key(engine.name + " " + engine.variant);
    for (const BatchTiming& b : engine.batches) {
      if (b.threads != engine.batches.front().threads) continue;
      if (b.batch == 1) numbers[name + "_latency_ms"] = 1e3 * b.timing.median_s;
      if (b.batch == 128) numbers[name + "_showers_per_s_batch_128"] = b.showers_per_s();
    }
  }
  return numbers;
}

std::string BenchmarkReport::to_table() const {
  std::string text = fmt::format(
      "{}: contract {}, {}, {:.1f} MB\n{} ({} cores, {}), load {:.2f}; {:.3g} GeV, {:.1f} % of the cells "
      "above "
      "threshold\n\n",
      file, contract, mesh, static_cast<double>(file_bytes) / 1e6, machine, cores, instructions, load,
      energy_gev, 100 * filled_share);
  const auto full_name = [](const EngineFigures& engine) {
    return fmt::format("{}{} {}", engine.name, engine.version.empty() ? "" : " " + engine.version,
                       engine.variant);
  };
  std::size_t width = 6;
  for (const EngineFigures& engine : engines) width = std::max(width, full_name(engine).size());
  text +=
      fmt::format("{:<{}}  {:>9} {:>10} {:>10}\n", "engine", width, "start ms", "memory MB", "weights MB");
  const auto megabytes = [](std::int64_t bytes) {
    return bytes > 0 ? fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6) : std::string("–");
  };
  for (const EngineFigures& engine : engines)
    text += fmt::format("{:<{}}  {:>9.1f} {:>10} {:>10}\n", full_name(engine), width, 1e3 * engine.start_s,
                        megabytes(engine.memory_bytes), megabytes(engine.weight_bytes));
  std::set<std::pair<std::int64_t, std::int64_t>> settings;
  for (const EngineFigures& engine : engines)
    for (const BatchTiming& b : engine.batches) settings.emplace(b.threads, b.batch);
  for (const auto& [threads, batch] : settings) {
    text += fmt::format("\nbatch {}, {} thread{}\n{:<{}}  {:>9} {:>9} {:>12}\n", batch, threads,
                        threads == 1 ? "" : "s", "", width, "median ms", "99 % ms", "showers/s");
    for (const EngineFigures& engine : engines)
      for (const BatchTiming& b : engine.batches)
        if (b.threads == threads && b.batch == batch)
          text += fmt::format("{:<{}}  {:>9.3f} {:>9.3f} {:>12.0f}\n", full_name(engine), width,
                              1e3 * b.timing.median_s, 1e3 * b.timing.p99_s, b.showers_per_s());
  }
  return text;
}

}  // namespace calo
