#include "calo/infer/external_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "calo/infer/detail/mapped_file.h"
#include "calo/infer/detail/printable.h"
#include "calo/infer/onnx_reader.h"
#include "core/error.h"

namespace calo::infer {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongestName = 200;  // in messages
constexpr const char* kTogether =
    "the model and its weights file belong together: copy both, or store the "
    "model in one file (onnx.save without external data)";

[[noreturn]] void refuse_location(std::string message, std::string field = {}, const char* hint = kTogether) {
  throw core::InputError({.message = std::move(message), .field = std::move(field), .hint = hint});
}

// Why a location is none that is followed; empty if it is one.
std::string fault_of(const std::string& location) {
  constexpr std::size_t kLongest = 4096;
  if (location.empty()) return "is empty";
  if (location.size() > kLongest) return "is too long";
  if (location.front() == '/' || (location.size() > 1 && location[1] == ':')) return "is an absolute path";
  for (const char c : location) {
    if (c == '\\') return "has a backslash";
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "has a control character";
  }
  for (const fs::path& part : fs::path(location))
    if (part == "..") return "has \"..\"";
  if (const fs::path name = fs::path(location).filename(); name.empty() || name == ".")
    return "is a folder's";
  return "";
}

// Whether `path` lies in `folder`; both without links.
bool is_inside(const fs::path& path, const fs::path& folder) {
  const auto [left, right] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return left == folder.end() && right != path.end();
}

// SHA-1 (RFC 3174), the checksum that ONNX has for such files; the engine needs no cryptographic library.
std::string sha1(std::span<const std::byte> bytes) {
  std::array<std::uint32_t, 5> h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const auto block = [&](const unsigned char* at) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 16; ++i)
      w[i] = static_cast<std::uint32_t>(at[4 * i]) << 24 | static_cast<std::uint32_t>(at[4 * i + 1]) << 16 |
             static_cast<std::uint32_t>(at[4 * i + 2]) << 8 | at[4 * i + 3];
    for (std::size_t i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < 80; ++i) {
      const std::uint32_t f = i < 20   ? (b & c) | (~b & d)
                              : i < 40 ? b ^ c ^ d
                              : i < 60 ? (b & c) | (b & d) | (c & d)
                                       : b ^ c ^ d;
      constexpr std::array<std::uint32_t, 4> kRound = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
      const std::uint32_t next = std::rotl(a, 5) + f + e + kRound[i / 20] + w[i];
      e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  };
  constexpr std::size_t kBlock = 64;
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  const std::size_t whole = bytes.size() / kBlock * kBlock, left = bytes.size() - whole;
  for (std::size_t at = 0; at < whole; at += kBlock) block(data + at);
  std::array<unsigned char, 2 * kBlock> end{};
  if (left > 0) std::memcpy(end.data(), data + whole, left);
  end[left] = 0x80;
  const std::size_t size = left + 9 <= kBlock ? kBlock : 2 * kBlock;
  for (std::size_t i = 0; i < 8; ++i)
    end[size - 1 - i] = static_cast<unsigned char>(std::uint64_t{bytes.size()} * 8 >> 8 * i);
  for (std::size_t at = 0; at < size; at += kBlock) block(end.data() + at);
  return fmt::format("{:08x}{:08x}{:08x}{:08x}{:08x}", h[0], h[1], h[2], h[3], h[4]);
}

// A number of bytes, written in decimal.
std::uint64_t bytes_in(const ExternalPlace& place, const char* key, std::uint64_t otherwise,
                       const std::string& where) {
  const auto found = place.find(key);
  if (found == place.end()) return otherwise;
  const std::string& text = found->second;
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size())
    refuse_location(fmt::format("has the {} \"{}\" in its weights file, which is no number of bytes", key,
                                printable(text)),
                    where);
  return value;
}

}  // namespace

ExternalFiles::ExternalFiles(const fs::path& model) : folder_(model.parent_path()) {
  if (folder_.empty()) folder_ = ".";
}

ExternalFiles::~ExternalFiles() = default;

std::span<const std::byte> ExternalFiles::bytes_of(const std::string& location) {
  std::unique_ptr<MappedFile>& file = files_[location];
  if (file == nullptr) {
    const std::string name = printable(location, kLongestName);
    if (const std::string fault = fault_of(location); !fault.empty())
      refuse_location(fmt::format("names the weights file \"{}\", which {}", name, fault), {},
                      "only a plain relative name inside the model's folder is followed");
    std::error_code error;
    const fs::path folder = fs::canonical(folder_, error);
    const fs::path path = error ? fs::path() : fs::canonical(folder_ / location, error);
    if (error)
      refuse_location(fmt::format("the weights file \"{}\" beside the model {}", name,
                                  error == std::errc::no_such_file_or_directory
                                      ? "is missing"
                                      : "cannot be read: " + error.message()));
    if (!is_inside(path, folder))
      refuse_location(
          fmt::format("names the weights file \"{}\", which a link leads out of the model's folder", name),
          {}, "put the file itself beside the model");
    try {
      file = std::make_unique<MappedFile>(path, MappedFile::Kind::kData);
    } catch (const core::InputError& fault) {
      refuse_location(
          fmt::format("the weights file \"{}\" beside the model {}", name, fault.details().message));
    }
  }
  return file->bytes();
}

std::vector<std::string> ExternalFiles::locations() const {
  std::vector<std::string> out;
  for (const auto& [location, file] : files_) out.push_back(location);
  return out;
}

std::span<const std::byte> external_bytes(ExternalData* data, const ExternalPlace& place, std::size_t size,
                                          const std::string& where) {
  for (const auto& [key, value] : place)
    if (key != "location" && key != "offset" && key != "length" && key != "checksum")
      refuse_location(
          fmt::format("lies outside of the file, at a place with \"{}\", which is not known", printable(key)),
          where);
  const auto location = place.find("location");
  if (location == place.end()) refuse_location("lies outside of the file, and no location says where", where);
  const std::string name = printable(location->second, kLongestName);
  if (data == nullptr)
    refuse_location(
        fmt::format(
            "lies outside of the file, in \"{}\", and the model came from memory, without files beside "
            "it",
            name),
        where, "load it from its file, or store it in one file (onnx.save without external data)");
  std::span<const std::byte> bytes;
  try {
    bytes = data->bytes_of(location->second);
  } catch (const core::InputError& error) {
    core::ErrorDetails details = error.details();
    details.field = where;
    throw core::InputError(details);
  }
  const std::uint64_t offset = bytes_in(place, "offset", 0, where);
  const std::uint64_t length = bytes_in(place, "length", size, where);
  if (length != size)
    refuse_location(fmt::format("has {} bytes in \"{}\", and its shape asks for {}", length, name, size),
                    where);
  if (offset > bytes.size() || length > bytes.size() - offset)
    refuse_location(
        fmt::format(
            "lies at bytes {} to {} of \"{}\", which has {}: it was cut off, or belongs to another model",
            offset, offset + length, name, bytes.size()),
        where);
  if (const auto checksum = place.find("checksum"); checksum != place.end()) {
    std::string wanted = checksum->second;
    std::transform(wanted.begin(), wanted.end(), wanted.begin(), [](unsigned char c) {
      return static_cast<char>(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
    });
    if (sha1(bytes) != wanted)
      refuse_location(
          fmt::format(
              "has the checksum {} (SHA-1) for \"{}\", which is another one: the file was changed, or "
              "belongs to another model",
              printable(wanted), name),
          where);
  }
  return bytes.subspan(offset, length);
}

std::vector<std::string> external_files(const fs::path& model) {
  const MappedFile mapped(model);
  ExternalFiles files(model);
  try {
    read_onnx(mapped.bytes(), {}, &files);
  } catch (const core::InputError& error) {
    throw core::InputError(error, model);
  }
  return files.locations();
}

}  // namespace calo::infer
