#include "calo/io/hdf5_failure.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "calo/io/detail/hdf5_remote.h"

namespace calo::hdf5 {
namespace {

herr_t add_description(unsigned, const H5E_error2_t* error, void* list) {
  static_cast<std::vector<std::string>*>(list)->emplace_back(error->desc != nullptr ? error->desc : "");
  return 0;
}

// Error stack, from the outermost call to the innermost. Throws the error of a server that failed.
std::vector<std::string> take_stack() {
  rethrow_remote_failure();
  std::vector<std::string> stack;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, add_description, &stack);
  H5Eclear2(H5E_DEFAULT);
  return stack;
}

// True for HDF5's messages about a file that uses features of a later HDF5.
bool says_newer(std::string_view text) {
  constexpr std::array<std::string_view, 8> kUnknown = {"unknown message with 'fail if unknown' flag",
                                                        "unknown datatype class",
                                                        "unknown chunk index type",
                                                        "unknown version",
                                                        "unknown layout type",
                                                        "unknown link type",
                                                        "unknown hyperslab selection version",
                                                        "unknown object header status flag"};
  const auto holds = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
  if (std::any_of(kUnknown.begin(), kUnknown.end(), holds)) return true;
  return holds("version") && (text.starts_with("bad ") || text.starts_with("wrong ") ||
                              text.starts_with("incorrect ") || text.starts_with("invalid layout version"));
}

// Version of the superblock, which follows a signature at byte 0, 512, 1024, 2048 …
std::optional<unsigned> superblock_version(const std::filesystem::path& path) {
  constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
  std::ifstream in(path, std::ios::binary);
  std::array<char, 9> head{};
  for (std::uint64_t place = 0; place < (std::uint64_t{1} << 40); place = place == 0 ? 512 : 2 * place) {
    in.seekg(static_cast<std::streamoff>(place));
    if (!in.read(head.data(), head.size())) return std::nullopt;
    if (std::string_view(head.data(), 8) == kSignature) return static_cast<unsigned char>(head[8]);
  }
  return std::nullopt;
}

}  // namespace

std::string last_error() {
  const std::vector<std::string> stack = take_stack();
  return stack.empty() ? "" : stack.back();
}

Failure last_failure(const std::filesystem::path& path) {
  const std::vector<std::string> stack = take_stack();
  Failure failure{.message = stack.empty() ? "" : stack.back()};
  if (std::none_of(stack.begin(), stack.end(), says_newer)) return failure;
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  const std::string newer =
      fmt::format("written for a newer HDF5 than this program's ({}.{}.{})", major, minor, release);
  // From superblock 2 on, headers have checksums, which reveal damage first.
  const auto superblock = superblock_version(path);
  failure.message +=
      superblock && *superblock >= 2 ? ": the file is " + newer : ": the file is damaged, or " + newer;
  failure.hint =
      "rewrite it with h5repack of that HDF5, or write it with libver=('earliest', 'v110') in h5py";
  return failure;
}

}  // namespace calo::hdf5
