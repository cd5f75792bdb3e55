// Reads an epoch of showers from a file with limited memory, and compares it with reading the file from start
// to end.
// usage: stream_bench [showers = 10000,100000,1000000] [limit in MB = 256]
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <numeric>
#include <sstream>
#include <string>

#include "calo/io/shower_writer.h"
#include "calo/train/training_data.h"
#include "core/process_memory.h"
#include "core/temp_folder.h"
#include "support/random_showers.h"

namespace {

constexpr std::size_t kPiece = 2000;

// Writes a large file that repeats the same showers, with 330 hits each.
void write(const std::filesystem::path& file, std::size_t count, core::ThreadPool& pool) {
  const calo::VoxelMesh mesh(calo::VoxelMesh::Cylinder{.n_r = 5, .n_phi = 10, .n_z = 20});
  const calo::Showers piece = test::random_showers(mesh, kPiece, 1);
  const auto writer = calo::ShowerWriter::create(
      file, {.layout = calo::Layout::kCalopipe, .mesh = mesh, .geometries = {"SiW"}}, pool);
  for (std::size_t done = 0; done < count; done += kPiece) writer->append(piece);
  writer->commit();
}

template <class Body>
double seconds_of(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  std::istringstream sizes(argc > 1 ? argv[1] : "10000,100000,1000000");
  const std::size_t limit_mb = argc > 2 ? std::stoul(argv[2]) : 256;
  core::ThreadPool pool;
  const core::TempFolder folder("stream-bench");
  fmt::print("an epoch of training data within {} MB, {} threads\n", limit_mb, pool.size());
  for (std::string text; std::getline(sizes, text, ',');) {
    const std::size_t count = std::stoul(text);
    const std::filesystem::path file = folder.path() / (text + ".h5");
    write(file, count, pool);
    const auto reader = calo::ShowerReader::open(file, {}, pool);
    std::size_t hits = 0;
    const double sequential_s = seconds_of([&] {
      for (std::size_t begin = 0; begin < count; begin += kPiece)
        hits += reader->read(static_cast<std::int64_t>(begin), kPiece).num_hits();
    });
    calo::TrainingData::Numbers all(count);
    std::iota(all.begin(), all.end(), 0u);
    core::reset_peak_memory();
    std::size_t parts = 0, seen = 0;
    const double epoch_s = seconds_of([&] {
      const calo::TrainingData data(*reader, limit_mb << 20);
      const calo::TrainingData::Epoch epoch = data.epoch(all, 1, 0);
      for (; parts < epoch.num_parts(); ++parts) seen += epoch.part(parts).size();
    });
    fmt::print(
        "  {:>8} showers, {:>5.0f} MB of hits: {:>3} parts, {:5.2f} us per shower (in the file's order "
        "{:5.2f}: "
        "{:.2f} of its time), peak memory {:.0f} MB{}\n",
        count, static_cast<double>(hits) * 8e-6, parts, 1e6 * epoch_s / static_cast<double>(count),
        1e6 * sequential_s / static_cast<double>(count), epoch_s / sequential_s,
        static_cast<double>(core::peak_memory_bytes()) / 1e6, seen == count ? "" : ", SHOWERS ARE MISSING");
    std::filesystem::remove(file);
  }
}
