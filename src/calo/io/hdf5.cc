#include "calo/io/hdf5.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "core/error.h"

namespace calo::hdf5 {
namespace {

// HDF5 prints its error stack to stderr unless told not to.
void silence() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Files that could not be written (a full disk) stay open inside HDF5, and its clean-up at exit crashes
    // over them. Everything else is closed by Handle.
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  });
}

herr_t add_name(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

herr_t innermost(unsigned, const H5E_error2_t* error, void* text) {
  *static_cast<std::string*>(text) = error->desc != nullptr ? error->desc : "";
  return 0;
}

template <class T>
std::vector<T> read_whole(const File& file, const std::string& name, hid_t type, H5T_class_t wanted_class) {
  const Handle dataset = file.dataset(name);
  const Handle stored_type(H5Dget_type(dataset), H5Tclose);
  const H5T_class_t stored_class = H5Tget_class(stored_type);
  if (stored_class != wanted_class && stored_class != H5T_INTEGER)
    file.fail_reading(name, "does not hold numbers of the expected type");
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const auto count = static_cast<std::uint64_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space)));
  check_stored(file, name, dataset, count * H5Tget_size(stored_type));
  std::vector<T> values(count);
  if (count > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    file.fail_reading(name, "cannot be read: " + last_error());
  return values;
}

}  // namespace

std::string last_error() {
  std::string text;
  // Downward starts at the outermost call, so the last one visited is the innermost.
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, &text);
  H5Eclear2(H5E_DEFAULT);
  return text;
}

void check_stored(const File& file, const std::string& name, hid_t dataset, std::uint64_t bytes) {
  constexpr std::uint64_t kMostShrunk = 1100;
  const std::uint64_t stored = H5Dget_storage_size(dataset);
  if (bytes / kMostShrunk > stored)
    file.fail_reading(name,
                      fmt::format("declares {} bytes and stores {}: incomplete or damaged", bytes, stored));
}

File File::open(const std::filesystem::path& path) {
  silence();
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw core::InputError({.message = "does not exist", .file = path});
  if (!std::filesystem::is_regular_file(path, error))
    throw core::InputError({.message = "is not a regular file", .file = path});
  File file;
  file.path_ = path;
  file.id_ = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.id_.valid()) file.fail_reading("", "cannot be opened as HDF5: " + last_error());
  return file;
}

File File::create(const std::filesystem::path& path) {
  silence();
  File file;
  file.path_ = path;
  // HDF5's oldest format: later ones write the time into every group.
  file.id_ = Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  if (!file.id_.valid()) file.fail_writing("", "cannot be made: " + last_error());
  return file;
}

bool File::has(const std::string& name) const {
  return !name.empty() && H5Lexists(id_, name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> File::names() const {
  std::vector<std::string> names;
  hsize_t index = 0;
  if (H5Literate(id_, H5_INDEX_NAME, H5_ITER_INC, &index, add_name, &names) < 0)
    fail_reading("", "its contents cannot be listed: " + last_error());
  std::sort(names.begin(), names.end());
  return names;
}

Handle File::dataset(const std::string& name) const {
  if (!has(name)) fail_reading(name, "is missing");
  Handle object(H5Oopen(id_, name.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object.valid()) fail_reading(name, "cannot be opened: " + last_error());
  if (H5Iget_type(object) != H5I_DATASET) fail_reading(name, "is not a dataset");
  return object;
}

std::vector<hsize_t> File::shape(const std::string& name) const {
  const Handle object = dataset(name);
  const Handle space(H5Dget_space(object), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) fail_reading(name, "has no shape");
  std::vector<hsize_t> shape(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

std::vector<float> File::read_floats(const std::string& name) const {
  return read_whole<float>(*this, name, H5T_NATIVE_FLOAT, H5T_FLOAT);
}

std::vector<std::uint64_t> File::read_integers(const std::string& name) const {
  return read_whole<std::uint64_t>(*this, name, H5T_NATIVE_UINT64, H5T_INTEGER);
}

void File::write(const std::string& name, std::span<const float> values, const std::vector<hsize_t>& shape) {
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties, false);
  const Handle target(
      H5Dcreate2(id_, name.c_str(), H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  if (!target.valid() || H5Dwrite(target, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail_writing(name, "cannot be written: " + last_error());
}

std::optional<std::string> File::text_attribute(const std::string& name) const {
  if (H5Aexists(id_, name.c_str()) <= 0) return std::nullopt;
  const Handle attribute(H5Aopen(id_, name.c_str(), H5P_DEFAULT), H5Aclose);
  const Handle type(H5Aget_type(attribute), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING) return std::nullopt;
  if (H5Tis_variable_str(type) > 0) {
    const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    char* text = nullptr;
    if (H5Aread(attribute, memory, &text) < 0 || text == nullptr) return std::nullopt;
    std::string result = text;
    H5free_memory(text);
    return result;
  }
  std::string text(H5Tget_size(type), '\0');
  if (H5Aread(attribute, type, text.data()) < 0) return std::nullopt;
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

std::optional<double> File::number_attribute(const std::string& name) const {
  if (H5Aexists(id_, name.c_str()) <= 0) return std::nullopt;
  const Handle attribute(H5Aopen(id_, name.c_str(), H5P_DEFAULT), H5Aclose);
  const Handle space(H5Aget_space(attribute), H5Sclose);
  double number = 0;
  if (H5Sget_simple_extent_npoints(space) != 1 || H5Aread(attribute, H5T_NATIVE_DOUBLE, &number) < 0)
    return std::nullopt;
  return number;
}

std::vector<float> File::attribute_floats(const std::string& name, const std::string& dataset_name) const {
  const Handle object = dataset(dataset_name);
  if (H5Aexists(object, name.c_str()) <= 0) return {};
  const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  const Handle space(H5Aget_space(attribute), H5Sclose);
  const hssize_t points = H5Sget_simple_extent_npoints(space);
  std::vector<float> numbers(static_cast<std::size_t>(std::max<hssize_t>(0, points)));
  if (numbers.empty() || H5Aread(attribute, H5T_NATIVE_FLOAT, numbers.data()) < 0) return {};
  return numbers;
}

void File::set_attribute(const std::string& name, const std::string& text) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, std::max<std::size_t>(1, text.size()));
  H5Tset_cset(type, H5T_CSET_UTF8);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(id_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const std::string padded = text.empty() ? std::string(1, '\0') : text;
  if (!attribute.valid() || H5Awrite(attribute, type, padded.data()) < 0)
    fail_writing(name, "attribute cannot be written: " + last_error());
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

void File::close() {
  if (!id_.valid()) return;
  if (H5Fflush(id_, H5F_SCOPE_GLOBAL) < 0) fail_writing("", "cannot be written: " + last_error());
  id_ = Handle();
}

void File::fail_reading(const std::string& object, const std::string& message) const {
  throw core::InputError({.message = message, .file = path_, .field = object});
}

void File::fail_writing(const std::string& object, const std::string& message) const {
  throw core::UnavailableError(
      {.message = message, .file = path_, .field = object, .hint = "is the disk full?"});
}

}  // namespace calo::hdf5
