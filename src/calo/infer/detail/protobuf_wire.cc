#include "calo/infer/detail/protobuf_wire.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"

namespace calo::infer {

static_assert(std::endian::native == std::endian::little, "numbers are taken from the file as they lie");

void WireReader::fail(const std::string& message) const {
  throw core::InputError(
      {.message = message, .field = std::string(where_), .hint = "the file is no ONNX model, or damaged"});
}

std::uint64_t WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) fail("ends in the middle of a number");
    const auto byte = std::to_integer<std::uint64_t>(rest_.front());
    rest_ = rest_.subspan(1);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail("holds a number of more than 64 bits");
}

bool WireReader::next(Field& field) {
  if (rest_.empty()) return false;
  const std::uint64_t tag = varint();
  if (tag >> 3 == 0 || tag >> 32 != 0) fail("holds a field without a number");
  field = {.number = static_cast<std::uint32_t>(tag >> 3), .type = static_cast<Type>(tag & 7)};
  const auto fixed = [&](std::size_t size) {
    if (rest_.size() < size) fail("ends in the middle of a number");
    std::memcpy(&field.value, rest_.data(), size);
    rest_ = rest_.subspan(size);
  };
  switch (field.type) {
    case Type::kVarint:
      field.value = varint();
      return true;
    case Type::kFixed64:
      fixed(8);
      return true;
    case Type::kFixed32:
      fixed(4);
      return true;
    case Type::kBytes: {
      const std::uint64_t size = varint();
      if (size > rest_.size()) fail("ends before the length that it says");
      field.bytes = rest_.first(static_cast<std::size_t>(size));
      rest_ = rest_.subspan(static_cast<std::size_t>(size));
      return true;
    }
  }
  fail("holds a field of an unknown wire type");
}

std::int64_t WireReader::integer(const Field& field) const {
  if (field.type != Type::kVarint) fail("holds another type where an integer belongs");
  return static_cast<std::int64_t>(field.value);
}

float WireReader::real(const Field& field) const {
  if (field.type != Type::kFixed32) fail("holds another type where a float belongs");
  return std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
}

std::span<const std::byte> WireReader::bytes(const Field& field) const {
  if (field.type != Type::kBytes) fail("holds a number where bytes belong");
  return field.bytes;
}

std::string WireReader::text(const Field& field) const {
  const std::span<const std::byte> at = bytes(field);
  return {reinterpret_cast<const char*>(at.data()), at.size()};
}

void WireReader::integers(const Field& field, std::vector<std::int64_t>& out, std::size_t limit) const {
  if (field.type == Type::kVarint) {
    if (out.size() >= limit) fail("holds more numbers than it may");
    out.push_back(integer(field));
    return;
  }
  WireReader packed(bytes(field), where_);
  while (!packed.rest_.empty()) {
    if (out.size() >= limit) fail("holds more numbers than it may");
    out.push_back(static_cast<std::int64_t>(packed.varint()));
  }
}

void WireReader::reals(const Field& field, std::vector<float>& out, std::size_t limit) const {
  if (field.type == Type::kFixed32) {
    if (out.size() >= limit) fail("holds more numbers than it may");
    out.push_back(real(field));
    return;
  }
  const std::span<const std::byte> packed = bytes(field);
  const std::size_t count = packed.size() / sizeof(float);
  if (packed.size() % sizeof(float) != 0) fail("ends in the middle of a number");
  if (count > limit - std::min(limit, out.size())) fail("holds more numbers than it may");
  if (count == 0) return;
  out.resize(out.size() + count);
  std::memcpy(out.data() + out.size() - count, packed.data(), packed.size());
}

void WireReader::doubles(const Field& field, std::vector<double>& out, std::size_t limit) const {
  if (field.type == Type::kFixed64) {
    if (out.size() >= limit) fail("holds more numbers than it may");
    out.push_back(std::bit_cast<double>(field.value));
    return;
  }
  const std::span<const std::byte> packed = bytes(field);
  const std::size_t count = packed.size() / sizeof(double);
  if (packed.size() % sizeof(double) != 0) fail("ends in the middle of a number");
  if (count > limit - std::min(limit, out.size())) fail("holds more numbers than it may");
  if (count == 0) return;
  out.resize(out.size() + count);
  std::memcpy(out.data() + out.size() - count, packed.data(), packed.size());
}

}  // namespace calo::infer
