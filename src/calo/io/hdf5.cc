#include "calo/io/hdf5.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "calo/io/detail/hdf5_filters.h"
#include "calo/io/detail/hdf5_remote.h"
#include "calo/io/detail/hdf5_storage.h"
#include "calo/io/detail/hdf5_types.h"
#include "core/error.h"
#include "core/remote.h"

namespace calo::hdf5 {
namespace {

// HDF5 prints its error stack to stderr by default.
void set_up() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Files that could not be written (a full disk) stay open inside HDF5, and its clean-up at exit crashes
    // on them. Handle closes everything else.
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    register_filters();
  });
}

herr_t add_name(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

H5T_conv_ret_t refuse_out_of_range(H5T_conv_except_t kind, hid_t, hid_t, void*, void*, void*) {
  return kind == H5T_CONV_EXCEPT_PRECISION ? H5T_CONV_UNHANDLED : H5T_CONV_ABORT;
}

// "is a link to detector.h5:/showers, which does not exist"; empty if the name is not a link.
std::string broken_link(hid_t group, const std::string& name, bool is_remote) {
  H5L_info_t info{};
  if (H5Lget_info(group, name.c_str(), &info, H5P_DEFAULT) < 0 || info.type == H5L_TYPE_HARD) return "";
  std::vector<char> value(info.u.val_size + 1, '\0');
  if (H5Lget_val(group, name.c_str(), value.data(), info.u.val_size, H5P_DEFAULT) < 0) return "";
  if (info.type == H5L_TYPE_SOFT) return fmt::format("is a link to {}, which does not exist", value.data());
  const char *file = nullptr, *object = nullptr;
  unsigned flags = 0;
  if (info.type != H5L_TYPE_EXTERNAL ||
      H5Lunpack_elink_val(value.data(), info.u.val_size, &flags, &file, &object) < 0)
    return "is a link of an unknown kind";
  return fmt::format("is a link to {} in the file {}, which {}", object, file,
                     is_remote ? "is not followed at a URL" : "does not exist");
}

void check_class(const File& file, const std::string& name, hid_t type, H5T_class_t wanted) {
  const H5T_class_t stored = H5Tget_class(type);
  if (stored != wanted && stored != H5T_INTEGER)
    file.fail_reading(name, fmt::format("contains {} instead of {}", describe_type(type),
                                        wanted == H5T_INTEGER ? "integers" : "numbers"));
}

template <class T>
std::vector<T> read_whole(const File& file, const std::string& name, hid_t type, H5T_class_t wanted_class) {
  // Columns may consist of their fill value only: this is how h5py gives all showers one angle.
  const Handle dataset = file.checked_dataset(name, true);
  const Handle stored_type(H5Dget_type(dataset), H5Tclose);
  check_class(file, name, stored_type, wanted_class);
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const auto count = static_cast<std::uint64_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space)));
  std::vector<T> values(count);
  const hid_t transfer = wanted_class == H5T_INTEGER ? exact_integers() : H5P_DEFAULT;
  if (count > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, transfer, values.data()) < 0)
    file.fail_hdf5(name, "cannot be read");
  return values;
}

}  // namespace

hid_t exact_integers() {
  static const hid_t properties = [] {
    const hid_t made = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_type_conv_cb(made, refuse_out_of_range, nullptr);
    return made;
  }();
  return properties;
}

File File::open(const std::filesystem::path& path) {
  set_up();
  File file;
  file.path_ = path;
  if (core::is_url(path)) {
    file.id_ = open_remote(path);
  } else {
    std::error_code error;
    if (!std::filesystem::exists(path, error))
      throw core::InputError({.message = "does not exist", .file = path});
    if (!std::filesystem::is_regular_file(path, error))
      throw core::InputError({.message = "is not a regular file", .file = path});
    file.id_ = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  }
  if (!file.id_.valid()) file.fail_hdf5("", "cannot be opened as HDF5");
  return file;
}

File File::create(const std::filesystem::path& path) {
  set_up();
  File file;
  file.path_ = path;
  // HDF5's oldest format: newer ones write the time into every group.
  file.id_ = Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  if (!file.id_.valid()) file.fail_writing("", "cannot be created: " + last_error());
  return file;
}

bool File::has(const std::string& name) const {
  if (name.empty()) return false;
  const htri_t exists = H5Lexists(id_, name.c_str(), H5P_DEFAULT);
  rethrow_remote_failure();
  return exists > 0;
}

std::vector<std::string> File::names() const {
  std::vector<std::string> names;
  hsize_t index = 0;
  if (H5Literate(id_, H5_INDEX_NAME, H5_ITER_INC, &index, add_name, &names) < 0)
    fail_hdf5("", "its contents cannot be listed");
  std::sort(names.begin(), names.end());
  return names;
}

Handle File::dataset(const std::string& name) const {
  if (!has(name)) fail_reading(name, "is missing");
  Handle object(H5Oopen(id_, name.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object.valid()) {
    const Failure failure = last_failure(path_);
    const std::string link = broken_link(id_, name, core::is_url(path_));
    throw core::InputError({.message = link.empty() ? "cannot be opened: " + failure.message : link,
                            .file = path_,
                            .field = name,
                            .hint = failure.hint});
  }
  if (H5Iget_type(object) != H5I_DATASET) fail_reading(name, "is not a dataset");
  return object;
}

Handle File::checked_dataset(const std::string& name, bool constant) const {
  Handle object = dataset(name);
  // If it is a link, the dataset may be in another file.
  std::string in(4096, '\0');
  const ssize_t length = H5Fget_name(object, in.data(), in.size());
  in.resize(length > 0 ? std::min(static_cast<std::size_t>(length), in.size() - 1) : 0);
  for (Handle& source : check_storage(in.empty() ? path_ : std::filesystem::path(in), name, object, constant))
    sources_.push_back(std::move(source));
  return object;
}

void File::require(const std::string& name, H5T_class_t number_class) const {
  const Handle object = checked_dataset(name);
  check_class(*this, name, Handle(H5Dget_type(object), H5Tclose), number_class);
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

void File::close() {
  if (!id_.valid()) return;
  if (H5Fflush(id_, H5F_SCOPE_GLOBAL) < 0) fail_writing("", "cannot be written: " + last_error());
  id_ = Handle();
}

void File::fail_reading(const std::string& object, const std::string& message) const {
  rethrow_remote_failure();
  throw core::InputError({.message = message, .file = path_, .field = object});
}

void File::fail_hdf5(const std::string& object, const std::string& message) const {
  const Failure failure = last_failure(path_);
  throw core::InputError(
      {.message = message + ": " + failure.message, .file = path_, .field = object, .hint = failure.hint});
}

void File::fail_writing(const std::string& object, const std::string& message) const {
  throw core::UnavailableError(
      {.message = message, .file = path_, .field = object, .hint = "is the disk full?"});
}

}  // namespace calo::hdf5
