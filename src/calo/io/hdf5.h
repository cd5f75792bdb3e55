#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "calo/io/hdf5_failure.h"

namespace calo::hdf5 {

/// An HDF5 handle that closes itself.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }

  operator hid_t() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// A file, open for reading or new. All calls must come from one thread at a time (Debian builds HDF5 without
/// thread safety). Every failure is a core::InputError (reading) or core::UnavailableError (writing, or a
/// server that fails) with file, object and HDF5's own innermost message or the server's reason.
class File {
 public:
  /// @param path  a local file, or one at a URL, of which only what is needed is transferred
  static File open(const std::filesystem::path& path);
  static File create(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  hid_t id() const { return id_; }

  /// True if the root group has a link of this name.
  bool has(const std::string& name) const;
  /// Names in the root group, sorted.
  std::vector<std::string> names() const;
  /// @throws core::InputError if it is missing, not a dataset, or a broken link
  Handle dataset(const std::string& name) const;
  /// The same, after check_storage(); the sources of virtual datasets stay open as long as this file.
  /// @param constant  accept a dataset that was never written if the file sets its fill value
  Handle checked_dataset(const std::string& name, bool constant = false) const;
  /// Checks that a dataset that will be read in pieces contains numbers of this class, as checked_dataset()
  /// does.
  void require(const std::string& name, H5T_class_t number_class) const;
  std::vector<hsize_t> shape(const std::string& name) const;

  /// Whole dataset, converted to float or 64-bit integers. Its size is limited by what the file can contain,
  /// so that a small file cannot exhaust the memory.
  /// @throws core::InputError if it contains no numbers or, for integers, a negative or too large one
  std::vector<float> read_floats(const std::string& name) const;
  std::vector<std::uint64_t> read_integers(const std::string& name) const;
  /// Writes a whole dataset, uncompressed.
  void write(const std::string& name, std::span<const float> values, const std::vector<hsize_t>& shape);

  /// A dataset that is one string, without the size limit of attributes (64 KiB).
  /// @throws core::InputError if it is missing or not such a string
  std::string read_text(const std::string& name) const;
  void write_text(const std::string& name, const std::string& text);

  /// Attribute of the root group that is one string or one number. None if it is missing or empty. If it is
  /// something else (an array, another type), warns once and does not use it.
  std::optional<std::string> text_attribute(const std::string& name) const;
  std::optional<double> number_attribute(const std::string& name) const;
  /// Numbers of a dataset's attribute; empty if it is missing or, with a warning, if it contains no numbers.
  std::vector<float> attribute_floats(const std::string& name, const std::string& dataset) const;
  void set_attribute(const std::string& name, const std::string& text);
  void set_attribute(const std::string& name, double number);
  /// Sets an attribute of a dataset.
  void set_attribute(const std::string& name, std::span<const float> numbers, const std::string& dataset);

  /// Writes everything to disk and closes. @throws core::UnavailableError (disk full)
  void close();

  [[noreturn]] void fail_reading(const std::string& object, const std::string& message) const;
  /// Like fail_reading(), with HDF5's own reason after the message, and a hint.
  [[noreturn]] void fail_hdf5(const std::string& object, const std::string& message) const;
  [[noreturn]] void fail_writing(const std::string& object, const std::string& message) const;

 private:
  Handle attribute(hid_t object, const std::string& name) const;
  void warn_unused(const std::string& attribute, const std::string& what) const;

  std::filesystem::path path_;
  Handle id_;
  mutable std::vector<Handle> sources_;   // sources of virtual datasets
  mutable std::set<std::string> warned_;  // attributes that were warned of
};

/// Properties for reading integers that make a number that does not fit the target type an error; by default,
/// HDF5 uses the nearest number.
hid_t exact_integers();

}  // namespace calo::hdf5
