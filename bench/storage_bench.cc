// Reads a file at a URL in order with calopipe and with xrdcp, which discards it.
// usage: storage_bench root://SERVER//FILE
#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "core/remote.h"
#include "storage/storage.h"

namespace {

std::uint64_t read_in_order(const std::string& url, std::size_t piece_bytes) {
  const auto file = core::remote_storage().open(url);
  std::vector<std::byte> bytes(piece_bytes);
  for (std::uint64_t at = 0; at < file->size_bytes(); at += piece_bytes) {
    const std::size_t size = std::min<std::uint64_t>(piece_bytes, file->size_bytes() - at);
    const core::RemotePiece piece{.offset = at, .into = std::span(bytes).first(size)};
    file->read({&piece, 1});
  }
  return file->size_bytes();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string url = argv[1];
  storage::provide();
  std::uint64_t size = 0;
  const auto report = [&](const std::string& name, double seconds) {
    fmt::print("{:28} {:8.0f} MB/s\n", name, static_cast<double>(size) / 1e6 / seconds);
  };
  read_in_order(url, std::size_t{1} << 20);  // into the server's memory
  for (const std::size_t piece : {std::size_t{64} << 10, std::size_t{1} << 20, std::size_t{8} << 20}) {
    const double seconds = bench::best_seconds([&] { size = read_in_order(url, piece); });
    report(fmt::format("calopipe, {} KiB pieces", piece >> 10), seconds);
  }
  // By default, xrdcp asks for a checksum of each page; calopipe does not: HDF5's compressed chunks have
  // their own.
  for (const char* pages : {"1", "0"}) {
    const std::string peer = fmt::format("XRD_CPUSEPGWRTRD={} xrdcp -f -s '{}' /dev/null", pages, url);
    const double seconds = bench::best_seconds([&] {
      if (std::system(peer.c_str()) != 0) std::exit(4);
    });
    report(*pages == '1' ? "xrdcp to /dev/null" : "xrdcp without checksums", seconds);
  }
  return 0;
}
