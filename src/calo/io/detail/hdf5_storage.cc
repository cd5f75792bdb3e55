#include "calo/io/detail/hdf5_storage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "calo/io/detail/hdf5_filters.h"
#include "calo/io/detail/hdf5_types.h"
#include "calo/io/detail/hdf5_virtual.h"
#include "calo/io/hdf5_failure.h"
#include "core/error.h"

namespace calo::hdf5 {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
// Largest size of a dataset that consists of its fill value only.
constexpr std::uint64_t kMostConstantBytes = std::uint64_t{64} << 20;

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kMost / b ? kMost : a * b;
}

class Check {
 public:
  explicit Check(bool constant) : constant_(constant) {}

  std::vector<Handle> take_files() { return std::move(files_); }

  // Largest possible size of the dataset in bytes, given the stored bytes.
  std::uint64_t dataset(const fs::path& file, const std::string& name, hid_t dataset) {
    const Object object = identity(dataset);
    if (const auto known = known_.find(object); known != known_.end()) return known->second;
    if (!open_.insert(object).second) fail(file, name, "is a virtual dataset that refers to itself");
    const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
    if (!properties.valid()) fail_hdf5(file, name, "cannot be opened");
    if (const std::string filter = missing_filter(dataset, properties); !filter.empty())
      fail(file, name, fmt::format("has a compression that this program cannot read ({})", filter),
           "convert it with h5repack -f GZIP=4 IN OUT on a machine that has the filter, or set "
           "HDF5_PLUGIN_PATH "
           "to the "
           "folder of its HDF5 plug-in");
    const Handle type(H5Dget_type(dataset), H5Tclose);
    std::uint64_t declared = H5Tget_size(type);
    for (const hsize_t extent : dimensions_of(dataset)) declared = times(declared, extent);
    std::uint64_t most = kMost;
    switch (H5Pget_layout(properties)) {
      case H5D_VIRTUAL:
        most = sources(file, name, dataset);
        if (declared > most)
          fail(file, name,
               fmt::format("declares {} bytes, but its sources can contain at most {}", declared, most));
        break;
      case H5D_CONTIGUOUS:
        if (H5Pget_external_count(properties) > 0) {
          external(file, name, dataset, properties, declared);
          break;
        }
        [[fallthrough]];
      default:
        most = stored(file, name, dataset, properties, declared);
    }
    open_.erase(object);
    known_[object] = most;
    return most;
  }

 private:
  using Object = std::pair<unsigned long, haddr_t>;

  static Object identity(hid_t dataset) {
    H5O_info_t info{};
    H5Oget_info2(dataset, &info, H5O_INFO_BASIC);
    return {info.fileno, info.addr};
  }

  [[noreturn]] static void fail(const fs::path& file, const std::string& name, const std::string& message,
                                const std::string& hint = "") {
    throw core::InputError({.message = message, .file = file, .field = name, .hint = hint});
  }
  [[noreturn]] static void fail_hdf5(const fs::path& file, const std::string& name,
                                     const std::string& message) {
    const Failure failure = last_failure(file);
    fail(file, name, message + ": " + failure.message, failure.hint);
  }

  std::uint64_t stored(const fs::path& file, const std::string& name, hid_t dataset, hid_t properties,
                       std::uint64_t declared) const {
    const std::uint64_t bytes = H5Dget_storage_size(dataset);
    if (bytes == 0 && declared > 0) {
      H5D_fill_value_t fill = H5D_FILL_VALUE_UNDEFINED;
      H5Pfill_value_defined(properties, &fill);
      if (constant_ && fill == H5D_FILL_VALUE_USER_DEFINED && declared <= kMostConstantBytes)
        return times(declared, 16);
      fail(file, name, fmt::format("was created with {} bytes, but nothing was ever written to it", declared),
           "did the program that wrote the file stop early?");
    }
    const std::uint64_t most = times(bytes, most_shrunk(properties));
    if (declared > most)
      fail(file, name,
           fmt::format("declares {} bytes but stores {}: it is incomplete or damaged", declared, bytes));
    return most;
  }

  // Checks external files: HDF5 reads their missing bytes as zeros.
  static void external(const fs::path& file, const std::string& name, hid_t dataset, hid_t properties,
                       std::uint64_t declared) {
    const Handle access(H5Dget_access_plist(dataset), H5Pclose);
    std::string prefix(4096, '\0');
    const ssize_t length = H5Pget_efile_prefix(access, prefix.data(), prefix.size());
    prefix.resize(length > 0 ? std::min(static_cast<std::size_t>(length), prefix.size() - 1) : 0);
    std::uint64_t left = declared;
    const int count = H5Pget_external_count(properties);
    for (int i = 0; i < count && left > 0; ++i) {
      std::string text(4096, '\0');
      off_t offset = 0;
      hsize_t size = 0;
      if (H5Pget_external(properties, static_cast<unsigned>(i), text.size() - 1, text.data(), &offset,
                          &size) < 0)
        fail_hdf5(file, name, "its external files cannot be determined");
      const fs::path part = fs::path(prefix) / fs::path(text.c_str());
      const std::uint64_t wanted = std::min<std::uint64_t>(size, left);
      std::error_code error;
      if (!fs::is_regular_file(part, error))
        fail(file, name, fmt::format("its external file {} is missing", part.string()),
             "HDF5 looks for it in the current folder, or beside the file if HDF5_EXTFILE_PREFIX is "
             "${ORIGIN}");
      const std::uint64_t there = fs::file_size(part, error);
      if (error || offset < 0 || there < static_cast<std::uint64_t>(offset) ||
          there - static_cast<std::uint64_t>(offset) < wanted)
        fail(file, name,
             fmt::format("its external file {} has {} bytes, but {} are needed from byte {} on",
                         part.string(), there, wanted, offset));
      left -= wanted;
    }
    if (left > 0) fail(file, name, fmt::format("its external files are {} bytes too short", left));
  }

  std::uint64_t sources(const fs::path& file, const std::string& name, hid_t dataset) {
    VirtualSources found;
    try {
      found = virtual_sources(dataset);
    } catch (const std::runtime_error& error) {
      fail(file, name, std::string("its sources cannot be determined: ") + error.what());
    }
    std::uint64_t most = 0;
    for (const VirtualSource& source : found.sources) {
      const Opened opened = open_source(file, name, dataset, source.file, source.dataset);
      const std::vector<hsize_t> shape = dimensions_of(opened.dataset);
      const Handle type(H5Dget_type(opened.dataset), H5Tclose);
      if (!is_number(type))
        fail(opened.file, source.dataset, "is a source but contains " + describe_type(type));
      const std::uint64_t source_most = this->dataset(opened.file, source.dataset, opened.dataset);
      if (const std::uint64_t given = source.given(shape); given < source.wanted)
        fail(opened.file, source.dataset,
             fmt::format("has the shape [{}], which is too small for the virtual dataset {} of {}",
                         fmt::join(shape, ", "), name, file.string()));
      most = std::min(kMost, most + std::min(source_most, times(source.wanted, 16)));
    }
    for (const NumberedSources& numbered : found.numbered) check_end(file, name, dataset, numbered);
    if (found.gap && most > 0)
      spdlog::warn(
          "{}: {}: a virtual dataset whose rows {} to {} have elements without a source: "
          "these have the fill value",
          file.string(), name, found.gap->first, found.gap->second);
    return most;
  }

  struct Opened {
    fs::path file;
    Handle dataset;
  };

  Opened open_source(const fs::path& file, const std::string& name, hid_t dataset,
                     const std::string& source_file, const std::string& source_name) {
    Opened out{.file = file};
    Handle source(H5Iget_file_id(dataset), H5Fclose);
    if (source_file != ".") {
      const std::vector<fs::path> places = source_places(dataset, file, source_file);
      std::error_code error;
      const auto place =
          std::find_if(places.begin(), places.end(), [&](const fs::path& p) { return fs::exists(p, error); });
      if (place == places.end())
        fail(file, name, fmt::format("is a virtual dataset whose source file {} is missing", source_file),
             fmt::format("searched for as {}", fmt::join(looked_for(places), ", ")));
      if (!fs::is_regular_file(*place, error))
        fail(file, name, fmt::format("its source {} is not a regular file", place->string()));
      out.file = *place;
      source = Handle(H5Fopen(place->c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
      if (!source.valid())
        fail_hdf5(out.file, "", fmt::format("a source of {} cannot be opened", file.string()));
    }
    out.dataset = Handle(H5Dopen2(source, source_name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!out.dataset.valid())
      fail_hdf5(out.file, source_name,
                fmt::format("is missing or cannot be opened, but is a source of the virtual dataset {} of {}",
                            name, file.string()));
    files_.push_back(std::move(source));
    return out;
  }

  static std::vector<std::string> looked_for(const std::vector<fs::path>& places) {
    std::vector<std::string> names;
    for (const fs::path& place : places) {
      std::error_code error;
      const std::string name = fs::weakly_canonical(fs::absolute(place, error), error).string();
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
  }

  // A numbered series ends at the first missing source. A later one that exists shows that this one was lost.
  static void check_end(const fs::path& file, const std::string& name, hid_t dataset,
                        const NumberedSources& numbered) {
    constexpr std::uint64_t kLook = 100;
    const auto is_there = [&](std::uint64_t number) {
      const std::string source = numbered.file_of(number);
      Handle in(H5Iget_file_id(dataset), H5Fclose);
      if (source != ".") {
        std::error_code error;
        const std::vector<fs::path> places = source_places(dataset, file, source);
        const auto place = std::find_if(places.begin(), places.end(),
                                        [&](const fs::path& p) { return fs::is_regular_file(p, error); });
        if (place == places.end()) return false;
        in = Handle(H5Fopen(place->c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
      }
      const Handle there(in.valid() ? H5Dopen2(in, numbered.dataset_of(number).c_str(), H5P_DEFAULT) : -1,
                         H5Dclose);
      H5Eclear2(H5E_DEFAULT);
      return there.valid();
    };
    const auto lost = [&](std::uint64_t number) {
      fail(file, name,
           fmt::format("is a virtual dataset whose source {} in {} is missing", numbered.dataset_of(number),
                       numbered.file_of(number)));
    };
    if (numbered.count == 0) lost(0);
    if (is_there(numbered.count)) return;  // the series grew during this check
    for (std::uint64_t number = numbered.count + 1; number <= numbered.count + kLook; ++number)
      if (is_there(number)) lost(numbered.count);
  }

  bool constant_;
  std::set<Object> open_;                  // path from the requested dataset to this source
  std::map<Object, std::uint64_t> known_;  // checked objects, and the largest size of each
  std::vector<Handle> files_;
};

}  // namespace

std::vector<Handle> check_storage(const fs::path& file, const std::string& name, hid_t dataset,
                                  bool constant) {
  Check check(constant);
  check.dataset(file, name, dataset);
  return check.take_files();
}

}  // namespace calo::hdf5
