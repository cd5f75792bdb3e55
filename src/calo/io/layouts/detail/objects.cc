#include "calo/io/layouts/detail/objects.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace calo::layouts {
namespace {

using hdf5::File;
using hdf5::Handle;

constexpr std::size_t kMostObjects = 10000;  // limit for a group

std::vector<hsize_t> shape_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  std::vector<hsize_t> shape(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
  if (!shape.empty()) H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

struct Visit {
  std::string group;
  std::vector<Object> objects;
};

herr_t visit(hid_t group, const char* name, const H5O_info_t* info, void* data) {
  auto& found = *static_cast<Visit*>(data);
  if (info->type != H5O_TYPE_DATASET) return 0;
  const Handle dataset(H5Dopen2(group, name, H5P_DEFAULT), H5Dclose);
  if (dataset.valid())
    found.objects.push_back(
        {.name = found.group + "/" + name, .kind = Object::Kind::kDataset, .shape = shape_of(dataset)});
  return found.objects.size() < kMostObjects ? 0 : 1;
}

}  // namespace

std::string Object::to_string() const {
  switch (kind) {
    case Kind::kDataset:
      return shape.empty() ? "is a dataset of one value"
                           : fmt::format("is a dataset of {}", fmt::join(shape, " x "));
    case Kind::kGroup:
      return "is a group";
    case Kind::kBroken:
      return "is a broken link";
    case Kind::kOther:
      break;
  }
  return "is not a dataset";
}

bool Object::looks_like_showers(std::uint64_t cells) const {
  if (kind != Kind::kDataset || shape.size() < 2 || shape[0] == 0) return false;
  std::uint64_t row = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) {
    if (shape[i] == 0 || shape[i] > cells || row > cells) return false;
    row *= shape[i];
  }
  return row == cells;
}

std::vector<Object> objects_beside(const File& file, const std::vector<std::string>& used) {
  std::vector<Object> objects;
  for (const std::string& name : file.names()) {
    if (std::find(used.begin(), used.end(), name) != used.end()) continue;
    Object object{.name = name};
    const Handle id(H5Oopen(file.id(), name.c_str(), H5P_DEFAULT), H5Oclose);
    if (!id.valid()) {
      object.kind = Object::Kind::kBroken;
      H5Eclear2(H5E_DEFAULT);
    } else if (H5Iget_type(id) == H5I_DATASET) {
      object.kind = Object::Kind::kDataset;
      object.shape = shape_of(id);
    } else if (H5Iget_type(id) == H5I_GROUP) {
      object.kind = Object::Kind::kGroup;
    }
    objects.push_back(object);
    if (object.kind != Object::Kind::kGroup) continue;
    Visit below{.group = name};
    H5Ovisit2(id, H5_INDEX_NAME, H5_ITER_INC, visit, &below, H5O_INFO_BASIC);
    H5Eclear2(H5E_DEFAULT);
    objects.insert(objects.end(), below.objects.begin(), below.objects.end());
  }
  return objects;
}

std::optional<ObjectId> id_of(const File& file, const std::string& name) {
  const Handle dataset = file.dataset(name);
  H5O_info_t info;
  if (H5Oget_info2(dataset, &info, H5O_INFO_BASIC) < 0) return std::nullopt;
  return ObjectId{info.fileno, info.addr};
}

std::vector<std::string> virtual_sources(const File& file, const std::string& name) {
  const Handle dataset = file.dataset(name);
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  std::vector<std::string> sources;
  std::size_t count = 0;
  if (H5Pget_layout(properties) != H5D_VIRTUAL || H5Pget_virtual_count(properties, &count) < 0) return {};
  for (std::size_t i = 0; i < count; ++i) {
    const ssize_t length = H5Pget_virtual_filename(properties, i, nullptr, 0);
    if (length <= 0) continue;
    std::string source(static_cast<std::size_t>(length) + 1, '\0');
    H5Pget_virtual_filename(properties, i, source.data(), source.size());
    source.pop_back();
    if (std::find(sources.begin(), sources.end(), source) == sources.end()) sources.push_back(source);
  }
  return sources;
}

}  // namespace calo::layouts
