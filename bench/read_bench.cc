// Reads a gzip file with calopipe and with h5py, and only decompresses its chunks.
// usage: read_bench FILE   (MLFastSim or Par04 layout; CALOPIPE_PYTHON is a Python with h5py)
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/bench.h"
#include "calo/io/chunk_codec.h"
#include "calo/io/hdf5.h"
#include "calo/io/shower_reader.h"

namespace {

// Best of five reads of all cells with h5py, in a separate process.
double h5py_seconds(const std::string& file) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) return 0;
  const std::string code =
      "import h5py,sys,time\n"
      "def read():\n"
      "    s=time.perf_counter()\n"
      "    f=h5py.File(sys.argv[1])\n"
      "    for d in f.values():\n"
      "        if d.ndim==4: d[:]\n"
      "    return time.perf_counter()-s\n"
      "print(min(read() for i in range(5)))";
  std::FILE* pipe = popen(fmt::format("'{}' -c '{}' '{}'", python, code, file).c_str(), "r");
  double seconds = 0;
  if (pipe == nullptr || std::fscanf(pipe, "%lf", &seconds) != 1) seconds = 0;
  if (pipe != nullptr) pclose(pipe);
  return seconds;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "data/mlfastsim/SiW/SiW_angle_90.h5";
  core::ThreadPool pool;
  std::int64_t showers = 0;
  const double ours = bench::best_seconds([&] {
    const auto reader = calo::ShowerReader::open(path, {}, pool);
    showers = static_cast<std::int64_t>(calo::read_all(*reader).size());
  });
  // Decompression of all chunks in memory with the same threads: a limit for every reader of this file.
  std::vector<std::vector<std::uint8_t>> chunks;
  std::size_t chunk_bytes = 0;
  calo::ChunkCodec codec;
  const calo::hdf5::File file = calo::hdf5::File::open(path);
  for (const std::string& name : file.names()) {
    const auto shape = file.shape(name);
    if (shape.size() != 4) continue;
    const calo::hdf5::Handle dataset = file.dataset(name);
    const calo::hdf5::Handle properties(H5Dget_create_plist(dataset), H5Pclose);
    hsize_t chunk[4];
    H5Pget_chunk(properties, 4, chunk);
    chunk_bytes = chunk[0] * chunk[1] * chunk[2] * chunk[3] * sizeof(float);
    codec = {.shuffle = H5Pget_nfilters(properties) == 2, .deflate = true};
    for (hsize_t row = 0; row < shape[0]; row += chunk[0]) {
      const hsize_t offset[4] = {row, 0, 0, 0};
      hsize_t size = 0;
      H5Dget_chunk_storage_size(dataset, offset, &size);
      std::uint32_t mask = 0;
      chunks.emplace_back(size);
      H5Dread_chunk(dataset, H5P_DEFAULT, offset, &mask, chunks.back().data());
    }
  }
  const double limit = bench::best_seconds([&] {
    pool.for_each(chunks.size(), [&](std::size_t i) {
      thread_local std::vector<std::uint8_t> raw;
      raw.resize(chunk_bytes);
      codec.decode(chunks[i], raw);
    });
  });
  const double peer = h5py_seconds(path);
  const double mib = static_cast<double>(chunks.size() * chunk_bytes) / 1048576;
  fmt::print("reading {} showers, {:.0f} MiB of cells, {} threads\n", showers, mib, pool.size());
  const auto row = [&](const char* name, double seconds) {
    fmt::print("  {:<34} {:>9.0f} showers/s {:>7.0f} MiB/s   ours / this: {:5.2f}\n", name,
               static_cast<double>(showers) / seconds, mib / seconds, seconds / ours);
  };
  row("calopipe, to sparse showers", ours);
  if (peer > 0)
    row("h5py, to dense arrays", peer);
  else
    fmt::print("  h5py: CALOPIPE_PYTHON is not set\n");
  row("libdeflate and unshuffle alone", limit);
}
