#include "calo/io/detail/hdf5_virtual.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "calo/io/hdf5_failure.h"

namespace calo::hdf5 {
namespace {

namespace fs = std::filesystem;

using Extents = std::array<hsize_t, H5S_MAX_RANK>;

// A regular selection without an end along one axis.
struct Endless {
  Extents start{}, stride{}, count{}, block{};
  std::size_t axis = 0;
};

std::optional<Endless> endless_selection(hid_t space) {
  Endless out;
  if (H5Sget_select_type(space) != H5S_SEL_HYPERSLABS || H5Sis_regular_hyperslab(space) <= 0 ||
      H5Sget_regular_hyperslab(space, out.start.data(), out.stride.data(), out.count.data(),
                               out.block.data()) < 0)
    return std::nullopt;
  const int rank = H5Sget_simple_extent_ndims(space);
  for (int i = 0; i < rank; ++i) {
    out.axis = static_cast<std::size_t>(i);
    if (out.count[out.axis] == H5S_UNLIMITED || out.block[out.axis] == H5S_UNLIMITED) return out;
  }
  return std::nullopt;
}

// The part of the selection that lies in a space of this shape.
Handle clipped(Endless selection, const std::vector<hsize_t>& shape) {
  Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const std::size_t axis = selection.axis;
  const hsize_t start = selection.start[axis];
  const hsize_t room = shape[axis] > start ? shape[axis] - start : 0;
  if (room == 0) {
    H5Sselect_none(space);
    return space;
  }
  if (selection.block[axis] == H5S_UNLIMITED)
    selection.block[axis] = room;
  else
    selection.count[axis] = (room + selection.stride[axis] - 1) / selection.stride[axis];
  H5Sselect_hyperslab(space, H5S_SELECT_SET, selection.start.data(), selection.stride.data(),
                      selection.count.data(), selection.block.data());
  // The last block may extend beyond the end.
  const Extents zero{};
  H5Sselect_hyperslab(space, H5S_SELECT_AND, zero.data(), nullptr, shape.data(), nullptr);
  return space;
}

// Block `number` of a selection that repeats endlessly.
Handle block_of(Endless selection, std::uint64_t number, const std::vector<hsize_t>& shape) {
  Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  selection.start[selection.axis] += number * selection.stride[selection.axis];
  selection.count[selection.axis] = 1;
  H5Sselect_hyperslab(space, H5S_SELECT_SET, selection.start.data(), selection.stride.data(),
                      selection.count.data(), selection.block.data());
  return space;
}

std::uint64_t points(hid_t space) {
  return static_cast<std::uint64_t>(std::max<hssize_t>(0, H5Sget_select_npoints(space)));
}

bool is_numbered(const std::string& name) {
  for (std::size_t i = 0; (i = name.find('%', i)) != std::string::npos; i += 2)
    if (i + 1 < name.size() && name[i + 1] == 'b') return true;
  return false;
}

// In the pattern, "%b" is the number and "%%" a percent sign.
std::string name_of(const std::string& pattern, std::uint64_t number) {
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      name += pattern[i];
      continue;
    }
    ++i;
    if (pattern[i] == 'b')
      name += fmt::format("{}", number);
    else
      name += pattern[i];
  }
  return name;
}

template <class Get>
std::string text_of(const Get& get) {
  const ssize_t size = get(nullptr, std::size_t{0});
  if (size < 0) throw std::runtime_error(last_error());
  std::string text(static_cast<std::size_t>(size) + 1, '\0');
  get(text.data(), text.size());
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// Elements of a dataset that have a source.
class Coverage {
 public:
  explicit Coverage(const std::vector<hsize_t>& shape)
      : shape_(shape),
        covered_(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose) {
    H5Sselect_none(covered_);
  }

  void add(hid_t selection) {
    if (H5Sget_select_type(selection) == H5S_SEL_ALL) all_ = true;
    if (all_ || points(selection) == 0) return;
    if (points(covered_) == 0)
      covered_ = Handle(H5Scopy(selection), H5Sclose);
    else
      covered_ = Handle(H5Scombine_select(covered_, H5S_SELECT_OR, selection), H5Sclose);
  }

  std::optional<std::pair<std::uint64_t, std::uint64_t>> gap() const {
    const Handle rest(H5Screate_simple(static_cast<int>(shape_.size()), shape_.data(), nullptr), H5Sclose);
    const std::uint64_t whole = points(rest);
    if (all_ || whole == 0 || points(covered_) >= whole) return std::nullopt;
    if (points(covered_) == 0) return std::pair<std::uint64_t, std::uint64_t>{0, shape_[0] - 1};
    const Extents zero{};
    H5Sselect_hyperslab(rest, H5S_SELECT_SET, zero.data(), nullptr, shape_.data(), nullptr);
    const Handle open(H5Scombine_select(rest, H5S_SELECT_NOTB, covered_), H5Sclose);
    Extents first{}, last{};
    if (!open.valid() || H5Sget_select_bounds(open, first.data(), last.data()) < 0) {
      H5Eclear2(H5E_DEFAULT);
      return std::pair<std::uint64_t, std::uint64_t>{0, shape_[0] - 1};
    }
    return std::pair<std::uint64_t, std::uint64_t>{first[0], last[0]};
  }

 private:
  std::vector<hsize_t> shape_;
  Handle covered_;
  bool all_ = false;
};

}  // namespace

std::uint64_t VirtualSource::given(const std::vector<hsize_t>& shape) const {
  if (H5Sget_select_type(cells) == H5S_SEL_ALL) {
    std::uint64_t all = 1;
    for (const hsize_t extent : shape) all *= extent;
    return all;
  }
  if (static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(cells))) != shape.size()) return 0;
  if (const auto endless = endless_selection(cells)) return points(clipped(*endless, shape));
  const std::uint64_t count = points(cells);
  if (count == 0) return 0;
  Extents first{}, last{};
  if (H5Sget_select_bounds(cells, first.data(), last.data()) < 0) return 0;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (last[i] >= shape[i]) return 0;
  return count;
}

std::string NumberedSources::file_of(std::uint64_t number) const {
  return name_of(file, number);
}
std::string NumberedSources::dataset_of(std::uint64_t number) const {
  return name_of(dataset, number);
}

VirtualSources virtual_sources(hid_t dataset) {
  VirtualSources out;
  const std::vector<hsize_t> shape = dimensions_of(dataset);
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  std::size_t count = 0;
  if (shape.empty() || H5Pget_virtual_count(properties, &count) < 0) throw std::runtime_error(last_error());
  Coverage coverage(shape);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string file = text_of(
        [&](char* text, std::size_t size) { return H5Pget_virtual_filename(properties, i, text, size); });
    const std::string name = text_of(
        [&](char* text, std::size_t size) { return H5Pget_virtual_dsetname(properties, i, text, size); });
    Handle target(H5Pget_virtual_vspace(properties, i), H5Sclose);
    Handle cells(H5Pget_virtual_srcspace(properties, i), H5Sclose);
    if (!target.valid() || !cells.valid()) throw std::runtime_error(last_error());
    const auto endless = endless_selection(target);
    if (endless && (is_numbered(file) || is_numbered(name))) {
      const std::size_t axis = endless->axis;
      NumberedSources numbered{.file = file, .dataset = name};
      const hsize_t first_end = endless->start[axis] + endless->block[axis];
      if (shape[axis] >= first_end) numbered.count = (shape[axis] - first_end) / endless->stride[axis] + 1;
      for (std::uint64_t number = 0; number < numbered.count; ++number) {
        const Handle block = block_of(*endless, number, shape);
        coverage.add(block);
        out.sources.push_back({.file = numbered.file_of(number),
                               .dataset = numbered.dataset_of(number),
                               .cells = Handle(H5Scopy(cells), H5Sclose),
                               .wanted = points(block)});
      }
      out.numbered.push_back(std::move(numbered));
      continue;
    }
    if (endless) target = clipped(*endless, shape);
    coverage.add(target);
    std::uint64_t wanted = points(target);
    if (H5Sget_select_type(target) == H5S_SEL_ALL) {
      wanted = 1;
      for (const hsize_t extent : shape) wanted *= extent;
    }
    out.sources.push_back(
        {.file = name_of(file, 0), .dataset = name_of(name, 0), .cells = std::move(cells), .wanted = wanted});
  }
  out.gap = coverage.gap();
  return out;
}

std::vector<fs::path> source_places(hid_t dataset, const fs::path& virtual_file, const std::string& source) {
  std::vector<fs::path> places;
  fs::path name = source;
  if (name.is_absolute()) {
    places.push_back(name);
    name = name.filename();
  }
  if (const char* prefixes = std::getenv("HDF5_VDS_PREFIX")) {
    std::istringstream list(prefixes);
    for (std::string prefix; std::getline(list, prefix, ':');)
      if (!prefix.empty()) places.push_back(fs::path(prefix) / name);
  }
  const Handle access(H5Dget_access_plist(dataset), H5Pclose);
  const std::string prefix =
      text_of([&](char* text, std::size_t size) { return H5Pget_virtual_prefix(access, text, size); });
  if (!prefix.empty()) places.push_back(fs::path(prefix) / name);
  places.push_back(virtual_file.parent_path() / name);
  places.push_back(name);
  std::error_code error;
  const fs::path real = fs::canonical(virtual_file, error);
  if (!error) places.push_back(real.parent_path() / name);
  return places;
}

std::vector<hsize_t> dimensions_of_space(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> shape(static_cast<std::size_t>(std::max(0, rank)));
  if (rank > 0) H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

std::vector<hsize_t> dimensions_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  return space.valid() ? dimensions_of_space(space) : std::vector<hsize_t>{};
}

}  // namespace calo::hdf5
