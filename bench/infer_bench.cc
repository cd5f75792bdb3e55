// Runs the VAE of 40 500 cells on one thread with the inference engine and with onnxruntime (all its
// optimisations), and measures the limits of the machine. Rounds alternate, and times are CPU times of the
// thread, so that other load disturbs less.
#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>

#include "calo/benchmark/peer_process.h"
#include "calo/infer/amx_kernels.h"
#include "calo/infer/generator.h"
#include "core/staged_output.h"
#include "test/support/onnx_writer.h"
#include "test/support/temp_folder.h"

namespace {

using calo::infer::Precision;

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

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

double reading_rate(std::size_t bytes) {
  const std::vector<float> numbers(bytes / sizeof(float), 1.0f);
  Times times;
  measure(times, 0.5, [&] {
    float sums[64] = {};
    for (std::size_t i = 0; i + 64 <= numbers.size(); i += 64)
      for (std::size_t j = 0; j < 64; ++j) sums[j] += numbers[i + j];
    volatile float sink = std::accumulate(std::begin(sums), std::end(sums), 0.0f);
    static_cast<void>(sink);
  });
  return static_cast<double>(bytes) / times.least;
}

#if defined(__x86_64__)
// In registers only; a template, so that there is no branch between the instructions.
template <Precision kPrecision>
[[gnu::target("avx512f")]] void only_products(int rounds) {
  __m512 s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{}, s8{}, s9{}, s10{}, s11{};
  const __m512 a = _mm512_set1_ps(1e-20f), b = _mm512_set1_ps(1e-10f);
  const auto product = [&](__m512 & sum) __attribute__((always_inline, target("avx512f"))) {
    if constexpr (kPrecision == Precision::kFp32)
      asm volatile("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    else if constexpr (kPrecision == Precision::kBf16)
      asm volatile("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    else
      asm volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  };
  for (int round = 0; round < rounds; ++round) {
    product(s0), product(s1), product(s2), product(s3), product(s4), product(s5);
    product(s6), product(s7), product(s8), product(s9), product(s10), product(s11);
  }
}

// The same with tiles of 16 x 16 sums and 16 words.
template <Precision kPrecision>
void only_tile_products(int rounds) {
  for (int round = 0; round < rounds; ++round)
    if constexpr (kPrecision == Precision::kBf16)
      asm volatile(
          "tdpbf16ps %tmm5, %tmm4, %tmm0\n tdpbf16ps %tmm5, %tmm4, %tmm1\n"
          "tdpbf16ps %tmm5, %tmm4, %tmm2\n tdpbf16ps %tmm5, %tmm4, %tmm3");
    else
      asm volatile(
          "tdpbusd %tmm5, %tmm4, %tmm0\n tdpbusd %tmm5, %tmm4, %tmm1\n"
          "tdpbusd %tmm5, %tmm4, %tmm2\n tdpbusd %tmm5, %tmm4, %tmm3");
}
#endif

// Largest number of multiplications and additions per second with the instruction of a precision.
double arithmetic_rate([[maybe_unused]] Precision precision) {
#if defined(__x86_64__)
  constexpr int kRounds = 100'000;
  Times times;
  if (calo::infer::best_isa() >= calo::infer::Isa::kAmx && precision != Precision::kFp32) {
    namespace amx = calo::infer::amx;
    amx::configure(amx::config_for(amx::kStepWords));
    measure(times, 0.3, [&] {
      precision == Precision::kBf16 ? only_tile_products<Precision::kBf16>(kRounds)
                                    : only_tile_products<Precision::kInt8>(kRounds);
    });
    amx::release();
    const double products = 16.0 * 16 * 16 * (precision == Precision::kBf16 ? 2 : 4);
    return 2 * products * 4 * kRounds / times.least / (precision == Precision::kInt8 ? 2 : 1);
  }
  measure(times, 0.3, [&] {
    precision == Precision::kFp32   ? only_products<Precision::kFp32>(kRounds)
    : precision == Precision::kBf16 ? only_products<Precision::kBf16>(kRounds)
                                    : only_products<Precision::kInt8>(kRounds);
  });
  const double products = precision == Precision::kFp32 ? 16 : precision == Precision::kBf16 ? 32 : 64;
  // An input of 16 bits is two products of bytes.
  return 2 * products * 12 * kRounds / times.least / (precision == Precision::kInt8 ? 2 : 1);
#else
  return NAN;
#endif
}

long resident_kib() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE) / 1024;
}

}  // namespace

int main() {
  const test::TempFolder folder;
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
  const char* python = std::getenv("CALOPIPE_PYTHON");
  std::unique_ptr<calo::PeerProcess> peer;
  if (python != nullptr)
    peer = std::make_unique<calo::PeerProcess>(python,
                                               core::read_file(CALOPIPE_SOURCE_DIR "/bench/infer_peer.py"));
  fmt::print("{}; {}\n", to_string(calo::infer::best_isa()),
             peer ? "onnxruntime " + peer->ask(nlohmann::json::object()).at("version").get<std::string>()
                  : "no onnxruntime (CALOPIPE_PYTHON is not set)");

  std::map<Precision, std::unique_ptr<calo::infer::Generator>> generators;
  for (const Precision precision : calo::infer::kPrecisions) {
    const long before = resident_kib();
    const double start = cpu_seconds();
    generators[precision] = std::make_unique<calo::infer::Generator>(
        calo::infer::Generator::load(files["sigmoid"], {.precision = precision}));
    fmt::print("start {}: {:.1f} ms, {:.1f} MB resident for {:.1f} MB of weights\n", to_string(precision),
               1e3 * (cpu_seconds() - start), static_cast<double>(resident_kib() - before) / 1024,
               static_cast<double>(generators[precision]->model().weight_bytes()) / 1e6);
  }
  if (peer)
    fmt::print("start onnxruntime: {:.1f} ms\n",
               1e3 * peer->ask({{"start", files["sigmoid"]}}).at("seconds").get<double>());
  const double cells = 40500, hidden = 100, cached = reading_rate(16'200'000),
               memory = reading_rate(std::size_t{256} << 20);
  fmt::print("reading: {:.1f} GB/s of 16.2 MB repeatedly, {:.1f} GB/s of 256 MB\n", cached / 1e9,
             memory / 1e9);

  for (const std::size_t batch : {1, 128}) {
    std::vector<calo::infer::Particle> particles(batch);
    for (std::size_t i = 0; i < batch; ++i)
      particles[i] = {.energy_mev = 64000, .theta_rad = 1.57f, .geometry = 1, .event = i};
    std::map<std::string, Times> times;
    std::vector<float> dense(batch * 40500), h(batch * 100, 0.1f), weights(40500 * 100, 0.01f),
        z(batch * 40500);
    double filled = 0;
    omp_set_num_threads(1);
    for (int round = 0; round < 6; ++round) {
      for (auto& [precision, generator] : generators) {
        calo::infer::Workspace workspace;
        calo::infer::SparseShowers showers;
        generator->generate(particles, 1, 0.0005f, workspace, showers);
        filled = static_cast<double>(showers.num_hits()) / (static_cast<double>(batch) * cells);
        measure(times[std::string(to_string(precision)) + ", sparse"], 0.3,
                [&] { generator->generate(particles, 1, 0.0005f, workspace, showers); });
        measure(times[std::string(to_string(precision)) + ", dense"], 0.3,
                [&] { generator->generate_dense(particles, 1, workspace, dense); });
      }
      measure(times["limit: sgemm of the last layer"], 0.3, [&] {
        dnnl_sgemm('N', 'T', static_cast<dnnl_dim_t>(batch), 40500, 100, 1, h.data(), 100, weights.data(),
                   100, 0, z.data(), 40500);
      });
      if (peer)
        for (const auto& [name, file] : files) {
          const nlohmann::json answer = peer->ask({{"file", file}, {"batch", batch}, {"seconds", 0.4}});
          times["onnxruntime, " + std::string(name == "Sigmoid" ? "Sigmoid" : "1/(1+exp)")].take(
              answer.at("least"), answer.at("median"));
        }
    }
    const double best_peer =
        std::min(times["onnxruntime, Sigmoid"].median, times["onnxruntime, 1/(1+exp)"].median);
    fmt::print("batch {}, one thread, {:.0f} % of the cells above threshold\n", batch, 100 * filled);
    for (const auto& [name, time] : times) {
      if (time.median > 1e9) continue;
      const double b = static_cast<double>(batch), rate = 2 * cells * hidden * b / time.median;
      fmt::print("  {:<32} {:9.3f} ms (least {:.3f})  {:8.0f} showers/s  {:6.1f} GFLOP/s", name,
                 1e3 * time.median, 1e3 * time.least, b / time.median, rate / 1e9);
      if (peer) fmt::print("  onnxruntime / this: {:5.2f}", best_peer / time.median);
      fmt::print("\n");
    }
    if (batch > 1) {  // arithmetic is the limit
      if (calo::infer::best_isa() < calo::infer::Isa::kAvx512Narrow) continue;
      for (const auto& [precision, generator] : generators) {
        const double rate = arithmetic_rate(precision);
        const double least = 2 * cells * hidden * static_cast<double>(batch) / rate;
        fmt::print("  {}: products of the last layer at {:.0f} % of the {:.0f} GFLOP/s of the machine",
                   to_string(precision),
                   100 * least / times[std::string(to_string(precision)) + ", dense"].median, rate / 1e9);
        if (peer) fmt::print("; alone they are {:.2f} x onnxruntime", best_peer / least);
        fmt::print("\n");
      }
      continue;
    }
    for (const auto& [precision, generator] : generators) {
      const double bytes = static_cast<double>(generator->model().weight_bytes());
      fmt::print("  {}: weights read at {:.0f} % of the rate of 16.2 MB\n", to_string(precision),
                 100 * bytes / times[std::string(to_string(precision)) + ", sparse"].median / cached);
    }
  }
}
