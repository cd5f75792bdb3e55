#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace calo::infer {

/// A file's bytes, read by the kernel where they are looked at.
class MappedFile {
 public:
  enum class Kind {
    kModel,  ///< not empty, and at most 2 GiB (protobuf's limit)
    kData,   ///< of any size
  };

  /// @throws core::InputError: cannot be opened, is no plain file, or of no such size
  explicit MappedFile(const std::filesystem::path& file, Kind kind = Kind::kModel);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// Gives back the memory of bytes that were read; they may be read again.
  static void release(std::span<const std::byte> bytes);

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace calo::infer
