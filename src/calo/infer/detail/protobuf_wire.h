#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calo::infer {

/// Reads one protobuf message field by field, within its bytes (the wire format of
/// protobuf.dev/programming-guides/encoding). Holds no copy of them.
class WireReader {
 public:
  enum class Type : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  struct Field {
    std::uint32_t number = 0;
    Type type = Type::kVarint;
    std::uint64_t value = 0;           ///< of the first two, and of kFixed32
    std::span<const std::byte> bytes;  ///< of kBytes
  };

  /// @param where what is read, for messages
  WireReader(std::span<const std::byte> bytes, std::string_view where) : rest_(bytes), where_(where) {}

  /// False at the end. @throws core::InputError if the bytes are no message
  bool next(Field& field);

  /// @throws core::InputError if the field has another wire type
  std::int64_t integer(const Field& field) const;
  float real(const Field& field) const;
  std::string text(const Field& field) const;
  std::span<const std::byte> bytes(const Field& field) const;
  /// Repeated numbers, packed or one by one; `out` grows to at most `limit`.
  void integers(const Field& field, std::vector<std::int64_t>& out, std::size_t limit) const;
  void reals(const Field& field, std::vector<float>& out, std::size_t limit) const;
  void doubles(const Field& field, std::vector<double>& out, std::size_t limit) const;

  [[noreturn]] void fail(const std::string& message) const;

 private:
  std::uint64_t varint();

  std::span<const std::byte> rest_;
  std::string_view where_;
};

}  // namespace calo::infer
