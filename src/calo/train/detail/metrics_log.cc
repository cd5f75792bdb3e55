#include "calo/train/detail/metrics_log.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.h"

namespace calo {
namespace {

// Protobuf's wire format, as much as an Event needs (tensorflow/core/util/event.proto).
void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}
void put_tag(std::string& out, unsigned field, unsigned wire) {
  put_varint(out, field << 3 | wire);
}
template <class T>
void put_fixed(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}
void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  put_tag(out, field, 2);
  put_varint(out, bytes.size());
  out.append(bytes);
}

std::string event_head(std::int64_t step, double time_unix_s) {
  std::string event;
  put_tag(event, 1, 1);
  put_fixed(event, time_unix_s);
  put_tag(event, 2, 0);
  put_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
      entries[i] = crc;
    }
    return entries;
  }();
  std::uint32_t crc = 0xffffffffu;
  for (const char byte : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder, double time_unix_s)
    : stream_(folder / "events.out.tfevents.0.calopipe", std::ios::binary) {
  std::string event = event_head(0, time_unix_s);
  put_bytes(event, 3, "brain.Event:2");
  write_record(event);
  if (!stream_) throw core::UnavailableError({.message = "cannot be written", .file = folder});
}

void EventFile::add(std::int64_t step, double time_unix_s, const std::map<std::string, double>& scalars) {
  std::string summary;
  for (const auto& [tag, scalar] : scalars) {
    if (!std::isfinite(scalar)) continue;
    std::string value;
    put_bytes(value, 1, tag);
    put_tag(value, 2, 5);
    put_fixed(value, static_cast<float>(scalar));
    put_bytes(summary, 1, value);
  }
  std::string event = event_head(step, time_unix_s);
  put_bytes(event, 5, summary);
  write_record(event);
  stream_.flush();
}

void EventFile::write_record(std::string_view event) {
  const auto masked = [](std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8u; };
  std::string length;
  put_fixed(length, static_cast<std::uint64_t>(event.size()));
  std::string record = length;
  put_fixed(record, masked(length));
  record.append(event);
  put_fixed(record, masked(event));
  stream_ << record;
}

}  // namespace calo
