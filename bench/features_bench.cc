// Computes high-level features of 10 000 showers of 40 500 cells with calopipe and with numpy, from one file,
// and shows the memory.
// usage: features_bench [SHOWERS] [FILE]   (CALOPIPE_PYTHON is a Python with numpy and h5py)
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "bench/bench.h"
#include "calo/io/shower_writer.h"
#include "calo/validate/sample.h"

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::stoul(argv[1]) : 10'000;
  const std::string source = argc > 2 ? argv[2] : "data/mlfastsim";
  core::ThreadPool pool;
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("calopipe-features-{}.hdf5", getpid());
  calo::VoxelMesh mesh;
  {
    // Repeats the showers of the source until there are enough.
    const auto reader = calo::ShowerReader::open(source, {}, pool);
    const calo::Showers showers = calo::read_all(*reader);
    mesh = reader->info().mesh;
    const auto writer =
        calo::ShowerWriter::create(file, {.layout = calo::Layout::kCaloChallenge, .mesh = mesh}, pool);
    for (std::size_t done = 0; done < count;) {
      const std::size_t step = std::min(showers.size(), count - done);
      calo::Showers part(showers.num_cells(), showers.geometries);
      part.append(showers, 0, step);
      writer->append(part);
      done += step;
    }
    writer->commit();
  }
  const auto open = [&] { return calo::ShowerReader::open(file, {.mesh = mesh, .geometry = "SiW"}, pool); };
  const double from_file =
      bench::best_seconds([&] { calo::read_sample(*open(), {}, "features", nullptr, pool); }, 0, 3);
  const double reading = bench::best_seconds(
      [&] {
        const auto reader = open();
        const std::int64_t step = reader->batch_within(std::size_t{64} << 20);
        for (std::int64_t begin = 0; begin < reader->info().num_showers; begin += step)
          reader->read(begin, step);
      },
      0, 3);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  double peer_reading = 0, peer_computing = 0, sum = 0;
  if (const char* python = std::getenv("CALOPIPE_PYTHON"); python != nullptr) {
    std::FILE* pipe =
        popen(fmt::format("'{}' '{}/bench/features_peer.py' '{}'", python, CALOPIPE_SOURCE_DIR, file.string())
                  .c_str(),
              "r");
    if (pipe == nullptr || std::fscanf(pipe, "%lf %lf %lf", &peer_reading, &peer_computing, &sum) != 3)
      peer_reading = peer_computing = 0;
    if (pipe != nullptr) pclose(pipe);
  }
  std::filesystem::remove(file);
  const double computing = from_file - reading;
  fmt::print("{} showers of {} cells, {} threads, peak memory {:.0f} MiB\n", count, mesh.num_cells(),
             pool.size(), static_cast<double>(usage.ru_maxrss) / 1024);
  fmt::print("  {:<34} ours {:7.2f} s   numpy {:7.2f} s   numpy / ours {:6.1f}\n", "reading and features",
             from_file, peer_reading + peer_computing, (peer_reading + peer_computing) / from_file);
  fmt::print("  {:<34} ours {:7.2f} s   numpy {:7.2f} s   numpy / ours {:6.1f}\n", "features without reading",
             computing, peer_computing, peer_computing / computing);
  fmt::print("  {:<34} ours {:7.2f} s   h5py  {:7.2f} s   h5py / ours  {:6.1f}\n",
             "reading alone (our limit)", reading, peer_reading, peer_reading / reading);
}
