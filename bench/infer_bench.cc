// The inference engine, on every instruction set that the machine has, beside onnxruntime (all its
// optimisations) on one thread, and the limits of the machine: the VAE of 40 500 cells, and a cascade. Rounds
// of each in turn, CPU time of the thread: other load disturbs less. usage: infer_bench [CASCADE.onnx]   (of
// calopipe convert)
#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>

#include "bench/limits.h"
#include "calo/benchmark/detail/peer_process.h"
#include "calo/infer/generator.h"
#include "core/simd.h"
#include "core/staged_output.h"
#include "test/support/onnx_writer.h"
#include "test/support/temp_folder.h"

namespace {

using bench::cpu_seconds;
using calo::infer::Generator;
using calo::infer::Isa;
using calo::infer::Particle;
using calo::infer::Precision;

struct Times {
  double least = 1e300, median = 1e300;  // of one call, in the best round
  void take(double round_least, double round_median) {
    least = std::min(least, round_least);
    median = std::min(median, round_median);
  }
};

template <class Body>
void measure(Times& into, double seconds, const Body& body) {
  std::vector<double> times;
  const double end = cpu_seconds() + seconds;
  while (times.empty() || cpu_seconds() < end) {
    const double start = cpu_seconds();
    body();
    times.push_back(cpu_seconds() - start);
  }
  std::sort(times.begin(), times.end());
  into.take(times.front(), times[times.size() / 2]);
}

CALOPIPE_SIMD_CLONES float sum_of(const float* numbers, std::size_t count) {
  float sums[64] = {};
  for (std::size_t i = 0; i + 64 <= count; i += 64)
    for (std::size_t j = 0; j < 64; ++j) sums[j] += numbers[i + j];
  return std::accumulate(std::begin(sums), std::end(sums), 0.0f);
}

double reading_rate(std::size_t bytes) {
  const std::vector<float> numbers(bytes / sizeof(float), 1.0f);
  Times times;
  measure(times, 0.5, [&] {
    volatile float sink = sum_of(numbers.data(), numbers.size());
    static_cast<void>(sink);
  });
  return static_cast<double>(bytes) / times.least;
}

long resident_kib() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE) / 1024;
}

// Cells of a shower, products of its last layer, and the model's files: with the sigmoid as one node and as
// several.
constexpr double kCells = 40500, kHidden = 100;

std::map<std::string, std::string> write_vae(const test::TempFolder& folder) {
  std::map<std::string, std::string> files;
  for (const std::string out : {"sigmoid", "Sigmoid"}) {
    const test::GeneratorModel model{.latent = 10,
                                     .hidden = {14, 20, 50, 100},
                                     .n_r = 18,
                                     .n_phi = 50,
                                     .n_z = 45,
                                     .out_activation = out,
                                     .weight_deviation = 0.1f,
                                     .reads_as_real = true};
    files[out] = (folder / (out + ".onnx")).string();
    std::ofstream(files[out], std::ios::binary) << model.bytes();
  }
  return files;
}

using Key = std::pair<Isa, Precision>;
struct Both {
  Times sparse, dense;
};

std::vector<Particle> particles_of(std::size_t batch) {
  std::vector<Particle> particles(batch);
  for (std::size_t i = 0; i < batch; ++i)
    particles[i] = {.energy_mev = 64000, .theta_rad = 1.57f, .geometry = 0, .event = i};
  return particles;
}

void measure_vae(std::size_t batch, const std::map<Key, std::unique_ptr<Generator>>& generators,
                 const std::map<std::string, std::string>& files, double cached, calo::PeerProcess* peer) {
  const std::vector<Particle> particles = particles_of(batch);
  std::map<Key, Both> ours;
  Times sgemm, peers;
  std::vector<float> dense(batch * 40500), h(batch * 100, 0.1f), weights(40500 * 100, 0.01f),
      z(batch * 40500);
  double filled = 0;
  omp_set_num_threads(1);
  for (int round = 0; round < 6; ++round) {
    for (const auto& [key, generator] : generators) {
      calo::infer::Workspace workspace;
      calo::infer::SparseShowers showers;
      generator->generate(particles, 1, 0.0005f, workspace, showers);
      filled = static_cast<double>(showers.num_hits()) / (static_cast<double>(batch) * kCells);
      measure(ours[key].sparse, 0.15,
              [&] { generator->generate(particles, 1, 0.0005f, workspace, showers); });
      measure(ours[key].dense, 0.15, [&] { generator->generate_dense(particles, 1, workspace, dense); });
    }
    measure(sgemm, 0.3, [&] {
      dnnl_sgemm('N', 'T', static_cast<dnnl_dim_t>(batch), 40500, 100, 1, h.data(), 100, weights.data(), 100,
                 0, z.data(), 40500);
    });
    if (peer != nullptr)
      for (const auto& [name, file] : files) {
        const nlohmann::json answer = peer->ask({{"file", file}, {"batch", batch}, {"seconds", 0.4}});
        peers.take(answer.at("least"), answer.at("median"));
      }
  }
  const double b = static_cast<double>(batch);
  fmt::print("batch {}, one thread, {:.0f} % of the cells above threshold\n", batch, 100 * filled);
  fmt::print("  {:<40} {:8.3f} ms\n", "sgemm of the last layer (oneDNN)", 1e3 * sgemm.median);
  if (peer != nullptr)
    fmt::print("  {:<40} {:8.3f} ms  (with the best instructions that the machine has)\n", "onnxruntime",
               1e3 * peers.median);
  for (const auto& [key, times] : ours) {
    const auto [isa, precision] = key;
    fmt::print("  {:<34} {:<5} {:8.3f} ms to sparse hits, {:8.3f} ms to dense cells", to_string(isa),
               to_string(precision), 1e3 * times.sparse.median, 1e3 * times.dense.median);
    if (peer != nullptr)
      fmt::print("; onnxruntime / this: {:5.2f}, {:5.2f}", peers.median / times.sparse.median,
                 peers.median / times.dense.median);
    if (batch > 1) {  // arithmetic is the limit
      const double rate = bench::arithmetic_rate(isa, precision);
      fmt::print("; products at {:3.0f} % of {:4.0f} GFLOP/s",
                 100 * 2 * kCells * kHidden * b / rate / times.dense.median, rate / 1e9);
    } else {
      const double bytes = static_cast<double>(generators.at(key)->model().weight_bytes());
      fmt::print("; weights at {:3.0f} % of the rate of 16.2 MB", 100 * bytes / times.sparse.median / cached);
    }
    fmt::print("\n");
  }
}

// A cascade by its sampler; onnxruntime makes every split of the same graph.
void measure_cascade(const std::string& file, const std::vector<Isa>& isas, calo::PeerProcess* peer) {
  std::map<Isa, std::unique_ptr<Generator>> generators;
  for (const Isa isa : isas)
    generators[isa] = std::make_unique<Generator>(Generator::load(file, {.isa = isa}));
  for (const std::size_t batch : {1, 128}) {
    const std::vector<Particle> particles = particles_of(batch);
    std::map<Isa, Times> ours;
    Times peers;
    for (int round = 0; round < 4; ++round) {
      for (const auto& [isa, generator] : generators) {
        calo::infer::Workspace workspace;
        calo::infer::SparseShowers showers;
        generator->generate(particles, 1, 0.0005f, workspace, showers);
        measure(ours[isa], 0.4, [&] { generator->generate(particles, 1, 0.0005f, workspace, showers); });
      }
      if (peer != nullptr) {
        const nlohmann::json answer = peer->ask({{"file", file}, {"batch", batch}, {"seconds", 0.4}});
        peers.take(answer.at("least"), answer.at("median"));
      }
    }
    fmt::print("{}, batch {}, one thread, fp32\n", file, batch);
    if (peer != nullptr) fmt::print("  {:<40} {:8.3f} ms\n", "onnxruntime", 1e3 * peers.median);
    for (const auto& [isa, times] : ours) {
      fmt::print("  {:<40} {:8.3f} ms  {:6.0f} showers/s", to_string(isa), 1e3 * times.median,
                 static_cast<double>(batch) / times.median);
      if (peer != nullptr) fmt::print("; onnxruntime / this: {:5.2f}", peers.median / times.median);
      fmt::print("\n");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const test::TempFolder folder;
  const std::map<std::string, std::string> files = write_vae(folder);
  const char* python = std::getenv("CALOPIPE_PYTHON");
  std::unique_ptr<calo::PeerProcess> peer;
  if (python != nullptr)
    peer = std::make_unique<calo::PeerProcess>(python,
                                               core::read_file(CALOPIPE_SOURCE_DIR "/bench/infer_peer.py"));
  const std::vector<Isa> isas = bench::instruction_sets();
  fmt::print("{}, best {}; {}; load {}\n", bench::processor(), to_string(isas.back()),
             peer ? "onnxruntime " + peer->ask(nlohmann::json::object()).at("version").get<std::string>()
                  : "no onnxruntime (CALOPIPE_PYTHON is not set)",
             bench::load_average());

  std::map<Key, std::unique_ptr<Generator>> generators;
  for (const Precision precision : calo::infer::kPrecisions) {
    const long before = resident_kib();
    const double start = cpu_seconds();
    auto& best = generators[{isas.back(), precision}];
    best = std::make_unique<Generator>(
        Generator::load(files.at("sigmoid"), {.precision = precision, .isa = isas.back()}));
    fmt::print("start {}: {:.1f} ms, {:.1f} MB resident for {:.1f} MB of weights\n", to_string(precision),
               1e3 * (cpu_seconds() - start), static_cast<double>(resident_kib() - before) / 1024,
               static_cast<double>(best->model().weight_bytes()) / 1e6);
  }
  for (const Isa isa : isas)
    for (const Precision precision : calo::infer::kPrecisions)
      if (auto& generator = generators[{isa, precision}]; !generator)
        generator = std::make_unique<Generator>(
            Generator::load(files.at("sigmoid"), {.precision = precision, .isa = isa}));
  if (peer)
    fmt::print("start onnxruntime: {:.1f} ms\n",
               1e3 * peer->ask({{"start", files.at("sigmoid")}}).at("seconds").get<double>());
  const double cached = reading_rate(16'200'000), memory = reading_rate(std::size_t{256} << 20);
  fmt::print("reading: {:.1f} GB/s of 16.2 MB again and again, {:.1f} GB/s of 256 MB\n", cached / 1e9,
             memory / 1e9);
  for (const std::size_t batch : {1, 128}) measure_vae(batch, generators, files, cached, peer.get());
  if (argc > 1) measure_cascade(argv[1], isas, peer.get());
}
