// The sampler of a cascade on one thread: time per shower, the mean over log-uniform energies of 1 to 100
// GeV, for every instruction set of the machine and every precision, beside the time that the products of the
// networks alone would take at the rate of the instructions. Rounds alternate between all of them.
//
// usage: cascade_bench [MODEL FOLDER] …    (default: the models in models/)
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "bench/limits.h"
#include "calo/infer/cascade/sampler.h"
#include "calo/infer/cascade/stored.h"
#include "calo/infer/onnx_reader.h"
#include "calo/models/stored_model.h"

using calo::cascade::Sampler;
using calo::infer::Isa;
using calo::infer::Precision;

namespace {

std::vector<calo::cascade::WantedShower> showers_of(std::size_t count, std::uint32_t geometry) {
  std::vector<calo::cascade::WantedShower> wanted(count);
  for (std::size_t i = 0; i < count; ++i)
    wanted[i] = {.energy_mev = 1000 * std::pow(100.0f, (static_cast<float>(i * 101 % count) + 0.5f) /
                                                           static_cast<float>(count)),
                 .theta_rad = 1.5707964f,
                 .geometry = geometry,
                 .key = {.seed = 1, .event = i, .particle = 0}};
  return wanted;
}

struct Measured {
  std::unique_ptr<Sampler> sampler;
  Sampler::Work work;
  calo::infer::SparseShowers showers;
  std::size_t hits = 0;
  std::vector<double> seconds;  // of each round, for all showers
};

void measure(const std::filesystem::path& folder) {
  const std::string file = calo::generator_of(calo::read_model(folder));
  const auto model = calo::cascade::stored_cascade(
      calo::infer::read_onnx({reinterpret_cast<const std::byte*>(file.data()), file.size()}));
  if (!model) {
    fmt::print("{} is no cascade\n", folder.string());
    return;
  }
  const auto trained = std::find(model->geometries.begin(), model->geometries.end(), "SiW");
  if (trained == model->geometries.end()) {
    fmt::print("{} has no geometry SiW\n", folder.string());
    return;
  }
  constexpr std::size_t kShowers = 100;
  constexpr int kRounds = 3;
  const std::vector<calo::cascade::WantedShower> wanted =
      showers_of(kShowers, static_cast<std::uint32_t>(trained - model->geometries.begin()));
  fmt::print("{}: {} cells\n", folder.filename().string(), model->shape.mesh.num_cells());
  std::map<std::pair<Isa, Precision>, double> rates;
  for (const Isa isa : bench::instruction_sets())
    for (const Precision precision : calo::infer::kPrecisions)
      rates[{isa, precision}] = bench::arithmetic_rate(isa, precision);
  for (const std::size_t batch : {std::size_t{1}, std::size_t{10}, std::size_t{100}}) {
    std::map<std::pair<Isa, Precision>, Measured> all;
    for (const auto& [key, rate] : rates)
      all[key].sampler = std::make_unique<Sampler>(
          *model, calo::infer::PackedLayer::Options{.precision = key.second, .isa = key.first});
    for (int round = 0; round <= kRounds; ++round)
      for (auto& [key, measured] : all) {
        const double start = bench::cpu_seconds();
        for (std::size_t i = 0; i < kShowers; i += batch) {
          measured.sampler->sample(std::span(wanted).subspan(i, batch), 0, nullptr, measured.work,
                                   measured.showers);
          measured.hits += measured.showers.num_hits();
        }
        if (round > 0) measured.seconds.push_back(bench::cpu_seconds() - start);  // after a round to get warm
      }
    fmt::print("  batch {}\n", batch);
    for (auto& [key, measured] : all) {
      const double least = *std::min_element(measured.seconds.begin(), measured.seconds.end()) / kShowers;
      const auto effort = measured.work.effort();
      const double made = static_cast<double>(kShowers) * (kRounds + 1);
      const double limit = 2 * static_cast<double>(effort.products) / made / rates.at(key);
      fmt::print(
          "    {:<34} {:<5} {:6.3f} ms per shower of {:3.0f} hits; {:5.0f} splits, {:5.1f} million products: "
          "{:.3f} ms at "
          "{:4.0f} "
          "GFLOP/s, {:3.0f} %\n",
          to_string(key.first), to_string(key.second), 1e3 * least, static_cast<double>(measured.hits) / made,
          static_cast<double>(effort.splits) / made, static_cast<double>(effort.products) / made / 1e6,
          1e3 * limit, rates.at(key) / 1e9, 100 * limit / least);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  fmt::print("{}, load {}\n", bench::processor(), bench::load_average());
  if (argc > 1)
    for (int i = 1; i < argc; ++i) measure(argv[i]);
  else
    for (const char* name : {"siw-lowgran", "par04"})
      measure(std::filesystem::path(CALOPIPE_SOURCE_DIR) / "models" / name);
}
