#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "calo/io/detail/hdf5_types.h"
#include "calo/io/hdf5.h"

namespace calo::hdf5 {
namespace {

// Longer strings are neither names nor meshes.
constexpr std::size_t kMostTextBytes = std::size_t{16} << 20;
constexpr hssize_t kMostNumbers = hssize_t{1} << 28;

bool is_utf8(const std::string& text) {
  try {
    nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

bool is_null(hid_t space) {
  return H5Sget_simple_extent_type(space) == H5S_NULL;
}

std::string describe(hid_t type, hssize_t count) {
  return count == 1 ? fmt::format("contains {}", describe_type(type))
                    : fmt::format("is an array of {} {}", count, describe_type(type));
}

}  // namespace

void File::warn_unused(const std::string& attribute, const std::string& what) const {
  if (warned_.insert(attribute).second)
    spdlog::warn("{}: the attribute {} {}: it is ignored", path_.string(), attribute, what);
}

Handle File::attribute(hid_t object, const std::string& name) const {
  const htri_t exists = H5Aexists(object, name.c_str());
  if (exists == 0) return {};
  Handle attribute(exists > 0 ? H5Aopen(object, name.c_str(), H5P_DEFAULT) : -1, H5Aclose);
  if (!attribute.valid()) fail_hdf5(name, "attribute cannot be opened");
  return attribute;
}

std::optional<std::string> File::text_attribute(const std::string& name) const {
  const Handle found = attribute(id_, name);
  if (!found.valid()) return std::nullopt;
  const Handle type(H5Aget_type(found), H5Tclose);
  const Handle space(H5Aget_space(found), H5Sclose);
  if (is_null(space)) return std::nullopt;
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Tget_class(type) != H5T_STRING || count != 1) {
    warn_unused(name, describe(type, count) + " instead of a string");
    return std::nullopt;
  }
  std::string text;
  if (H5Tis_variable_str(type) > 0) {
    char* read = nullptr;
    if (H5Aread(found, type, &read) < 0) fail_hdf5(name, "attribute cannot be read");
    if (read != nullptr) text = read;
    H5free_memory(read);
  } else {
    const std::size_t size = H5Tget_size(type);
    if (size > kMostTextBytes) {
      warn_unused(name, fmt::format("is a string of {} bytes", size));
      return std::nullopt;
    }
    text.resize(size);
    if (H5Aread(found, type, text.data()) < 0) fail_hdf5(name, "attribute cannot be read");
    text.resize(std::min(text.find('\0'), text.size()));
    if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) text.resize(text.find_last_not_of(' ') + 1);
  }
  if (!is_utf8(text)) {
    warn_unused(name, "is a string that is not UTF-8");
    return std::nullopt;
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<double> File::number_attribute(const std::string& name) const {
  const Handle found = attribute(id_, name);
  if (!found.valid()) return std::nullopt;
  const Handle type(H5Aget_type(found), H5Tclose);
  const Handle space(H5Aget_space(found), H5Sclose);
  if (is_null(space)) return std::nullopt;
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (!is_number(type) || count != 1) {
    warn_unused(name, describe(type, count) + " instead of a number");
    return std::nullopt;
  }
  double number = 0;
  if (H5Aread(found, H5T_NATIVE_DOUBLE, &number) < 0) fail_hdf5(name, "attribute cannot be read");
  return number;
}

std::vector<float> File::attribute_floats(const std::string& name, const std::string& dataset_name) const {
  const Handle object = dataset(dataset_name);
  const Handle found = attribute(object, name);
  if (!found.valid()) return {};
  const Handle type(H5Aget_type(found), H5Tclose);
  const Handle space(H5Aget_space(found), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (is_null(space) || count <= 0) return {};
  if (!is_number(type) || count > kMostNumbers) {
    warn_unused(fmt::format("{} of {}", name, dataset_name), describe(type, count) + " instead of numbers");
    return {};
  }
  std::vector<float> numbers(static_cast<std::size_t>(count));
  if (H5Aread(found, H5T_NATIVE_FLOAT, numbers.data()) < 0) fail_hdf5(name, "attribute cannot be read");
  return numbers;
}

namespace {

// Type of a string of fixed length. HDF5 has none of length 0: an empty string is one NUL.
Handle fixed_text(const std::string& text) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, std::max<std::size_t>(1, text.size()));
  H5Tset_cset(type, H5T_CSET_UTF8);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

}  // namespace

void File::set_attribute(const std::string& name, const std::string& text) {
  const Handle type = fixed_text(text);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(id_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute, type, text.c_str()) < 0)
    fail_writing(name, "attribute cannot be written: " + last_error());
}

void File::write_text(const std::string& name, const std::string& text) {
  const Handle type = fixed_text(text);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties, false);
  const Handle target(H5Dcreate2(id_, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT),
                      H5Dclose);
  if (!target.valid() || H5Dwrite(target, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.c_str()) < 0)
    fail_writing(name, "cannot be written: " + last_error());
}

std::string File::read_text(const std::string& name) const {
  const Handle source = dataset(name);
  const Handle type(H5Dget_type(source), H5Tclose), space(H5Dget_space(source), H5Sclose);
  constexpr std::size_t kLongest = std::size_t{1} << 30;
  const std::size_t size = type.valid() ? H5Tget_size(type) : 0;
  if (!space.valid() || H5Sget_simple_extent_npoints(space) != 1 || H5Tget_class(type) != H5T_STRING ||
      H5Tis_variable_str(type) != 0 || size == 0 || size > kLongest)
    fail_reading(name, "is not a string");
  std::string text(size, '\0');
  if (H5Dread(source, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()) < 0)
    fail_hdf5(name, "cannot be read");
  text.resize(std::min(size, text.find_last_not_of('\0') + 1));
  return text;
}

void File::set_attribute(const std::string& name, double number) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(id_, name.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute, H5T_NATIVE_DOUBLE, &number) < 0)
    fail_writing(name, "attribute cannot be written: " + last_error());
}

void File::set_attribute(const std::string& name, std::span<const float> numbers,
                         const std::string& dataset_name) {
  const Handle object = dataset(dataset_name);
  const hsize_t extent = numbers.size();
  const Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose);
  const Handle attribute(H5Acreate2(object, name.c_str(), H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute, H5T_NATIVE_FLOAT, numbers.data()) < 0)
    fail_writing(dataset_name, "attribute " + name + " cannot be written: " + last_error());
}

}  // namespace calo::hdf5
