#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace calo::infer {

class MappedFile;

/// Where tensors lie that a model keeps outside of its own bytes (ONNX "external data").
class ExternalData {
 public:
  virtual ~ExternalData() = default;
  /// All bytes of a file. @param location  as the tensor names it  @throws core::InputError
  virtual std::span<const std::byte> bytes_of(const std::string& location) = 0;
};

/// The files beside a model, memory-mapped where they are looked at. They come from anywhere, so that only a
/// plain relative name inside the model's folder is followed.
class ExternalFiles : public ExternalData {
 public:
  /// @param model  the model file; `location`s are relative to its folder
  explicit ExternalFiles(const std::filesystem::path& model);
  ~ExternalFiles() override;

  /// @throws core::InputError if the location is empty, absolute, has "..", a backslash or a control
  ///         character, leads out of the folder by a link, or is missing or no plain file
  std::span<const std::byte> bytes_of(const std::string& location) override;

  /// Locations that were asked for, sorted.
  std::vector<std::string> locations() const;

 private:
  std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<MappedFile>> files_;
};

/// What a tensor says of its place: key → value, as text.
using ExternalPlace = std::map<std::string, std::string>;

/// The bytes of one tensor.
/// @param data  null = the model has no files beside it (it came from memory)
/// @param size  bytes that the tensor's shape asks for
/// @param where for messages
/// @throws core::InputError if the place is not inside of the file, has another length than the shape, an
///         unknown key, or a checksum (SHA-1 of the whole file) that does not hold
std::span<const std::byte> external_bytes(ExternalData* data, const ExternalPlace& place, std::size_t size,
                                          const std::string& where);

/// Locations of the files that belong to a model, sorted; empty if it is one file.
/// @throws core::InputError as read_onnx
std::vector<std::string> external_files(const std::filesystem::path& model);

}  // namespace calo::infer
