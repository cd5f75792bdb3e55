// The bytes choose what is made: a file of HDF5 with datasets, attributes, links, virtual datasets, or
// damaged chunks. It must be read as HDF5 itself reads it, or refused by core::InputError.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "calo/io/inspect.h"
#include "calo/io/shower_reader.h"
#include "support/random_hdf5.h"

namespace {

using calo::hdf5::File;
using calo::hdf5::Handle;
using test::Choices;

const std::filesystem::path& folder() {
  static const std::filesystem::path path = [] {
    spdlog::set_level(spdlog::level::off);
    std::string pattern = (std::filesystem::temp_directory_path() / "calopipe-fuzz-XXXXXX").string();
    const std::filesystem::path made = mkdtemp(pattern.data());
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return made;
  }();
  return path;
}

[[noreturn]] void broken(const std::string& what) {
  std::fprintf(stderr, "the law is broken: %s\n", what.c_str());
  std::abort();
}

Handle random_type(Choices& choices) {
  const auto copy = [](hid_t type) { return Handle(H5Tcopy(type), H5Tclose); };
  switch (choices.below(12)) {
    case 0:
      return copy(H5T_STD_I32BE);
    case 1:
      return copy(H5T_IEEE_F64LE);
    case 2:
      return copy(H5T_STD_REF_OBJ);
    case 3:
      return Handle(H5Tcreate(H5T_OPAQUE, 1 + choices.below(20)), H5Tclose);
    case 4: {
      Handle compound(H5Tcreate(H5T_COMPOUND, 12), H5Tclose);
      H5Tinsert(compound, "a", 0, H5T_IEEE_F64LE);
      H5Tinsert(compound, "b", 8, H5T_IEEE_F32LE);
      return compound;
    }
    case 5:
      return Handle(H5Tvlen_create(H5T_STD_I16LE), H5Tclose);
    case 6: {
      const hsize_t extent = 1 + choices.below(5);
      return Handle(H5Tarray_create2(H5T_IEEE_F32LE, 1, &extent), H5Tclose);
    }
    case 7: {
      Handle enumeration(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
      const signed char one = 1;
      H5Tenum_insert(enumeration, "TRUE", &one);
      return enumeration;
    }
    case 8:
    case 9: {
      Handle text = copy(H5T_C_S1);
      H5Tset_size(text, H5T_VARIABLE);
      return text;
    }
    default: {
      Handle text = copy(H5T_C_S1);
      H5Tset_size(text, 1 + choices.below(300));
      H5Tset_strpad(text, choices.of<H5T_str_t>({H5T_STR_NULLTERM, H5T_STR_NULLPAD, H5T_STR_SPACEPAD}));
      H5Tset_cset(text, choices.of<H5T_cset_t>({H5T_CSET_ASCII, H5T_CSET_UTF8}));
      return text;
    }
  }
}

// Whether reading it as one text may give something.
bool add_attribute(hid_t object, const char* name, Choices& choices) {
  const Handle type = random_type(choices);
  const hsize_t extents[2] = {choices.below(5), 1 + choices.below(3)};
  const std::uint32_t kind = choices.below(4);
  const Handle space(kind == 0   ? H5Screate(H5S_SCALAR)
                     : kind == 1 ? H5Screate(H5S_NULL)
                                 : H5Screate_simple(static_cast<int>(kind) - 1, extents, nullptr),
                     H5Sclose);
  const Handle attribute(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const auto count = static_cast<std::size_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space)));
  if (attribute.valid() && kind != 1 && count > 0) {
    const H5T_class_t type_class = H5Tget_class(type);
    if (H5Tis_variable_str(type) > 0) {
      const std::vector<const char*> texts(count,
                                           choices.of<const char*>({"SiW", "calopipe", "", "\xff", nullptr}));
      H5Awrite(attribute, type, texts.data());
    } else if (type_class != H5T_VLEN && type_class != H5T_REFERENCE) {
      std::vector<std::uint8_t> bytes(count * H5Tget_size(type));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(choices.below(256));
      H5Awrite(attribute, type, bytes.data());
    }
  }
  H5Eclear2(H5E_DEFAULT);
  return H5Tget_class(type) == H5T_STRING && count == 1;
}

void attributes(Choices& choices, core::ThreadPool& pool) {
  const auto path = folder() / "attributes.h5";
  std::map<std::string, bool> text_like;
  {
    File file = File::create(path);
    const std::vector<float> cells(2 * 6480, 0.5f), energies = {1000, 2000};
    file.write("showers", cells, {2, 6480});
    file.write("incident_energies", energies, {2, 1});
    for (const char* name : {"geometry", "format", "mesh", "format_version", "geometry_meshes",
                             "peak_memory_bytes", "angle_deg"})
      if (choices.one_in(2)) text_like[name] = add_attribute(file.id(), name, choices);
    const Handle dataset = file.dataset("showers");
    if (choices.one_in(2)) add_attribute(dataset, "sim_time_s", choices);
    file.close();
  }
  const File file = File::open(path);
  for (const auto& [name, may_be] : text_like) {
    if (file.text_attribute(name) && !may_be) broken(name + " was read as a text");
    file.number_attribute(name);
  }
  file.attribute_floats("sim_time_s", "showers");
  inspect(*calo::ShowerReader::open(path, {}, pool));
}

void dataset(Choices& choices, core::ThreadPool& pool, bool damage) {
  const auto path = folder() / "dataset.h5";
  std::vector<hsize_t> shape(2 + choices.below(3));
  for (hsize_t& extent : shape) extent = 1 + choices.below(9);
  test::RandomDataset made;
  {
    File file = File::create(path);
    made = test::make_dataset(file.id(), "cells", shape, choices, damage);
    const std::uint32_t link = choices.below(4);
    if (link == 0) H5Lcreate_soft("/cells", file.id(), "showers", H5P_DEFAULT, H5P_DEFAULT);
    if (link == 1) H5Lcreate_external("dataset.h5", "/cells", file.id(), "showers", H5P_DEFAULT, H5P_DEFAULT);
    if (link == 2) H5Lcreate_soft("/showers", file.id(), "showers", H5P_DEFAULT, H5P_DEFAULT);
    if (link == 3) H5Lcreate_hard(file.id(), "cells", file.id(), "showers", H5P_DEFAULT, H5P_DEFAULT);
    H5Eclear2(H5E_DEFAULT);
    file.close();
  }
  const File file = File::open(path);
  if (made.damaged) {
    // HDF5 is not asked: it reads over the end of a chunk that expands to less than it should.
    const calo::DenseDataset ours(file, "showers", {});
    calo::Showers showers(ours.cells(), {"SiW"});
    ours.read(0, ours.rows(), std::vector<calo::Conditions>(static_cast<std::size_t>(ours.rows())), pool,
              showers);
    return;
  }
  if (const std::string text = test::difference(file, "showers", pool, choices); !text.empty()) broken(text);
  if (!made.written) broken("cells that were never written are read");
}

void virtual_dataset(Choices& choices, core::ThreadPool& pool) {
  std::vector<hsize_t> shape = {1 + choices.below(6), 1 + choices.below(9)};
  File file = File::create(folder() / "virtual.h5");
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const std::uint32_t mappings = choices.below(4);
  bool all_there = mappings > 0;
  for (std::uint32_t i = 0; i < mappings; ++i) {
    const std::string name = choices.of<std::string>({"a", "b", "showers", "gone"});
    std::vector<hsize_t> source_shape = shape;
    if (choices.one_in(4)) source_shape[0] = 1 + choices.below(6);
    if (!file.has(name) && name != "gone" && name != "showers")
      all_there = test::make_dataset(file.id(), name, source_shape, choices).written && all_there;
    if (name == "gone" || name == "showers") all_there = false;
    hsize_t start[2] = {choices.below(static_cast<std::uint32_t>(shape[0])), 0};
    hsize_t count[2] = {1 + choices.below(static_cast<std::uint32_t>(shape[0] - start[0])), shape[1]};
    const Handle target(H5Screate_simple(2, shape.data(), nullptr), H5Sclose);
    H5Sselect_hyperslab(target, H5S_SELECT_SET, start, nullptr, count, nullptr);
    const Handle source(H5Screate_simple(2, shape.data(), nullptr), H5Sclose);
    if (choices.one_in(2)) start[0] = 0;
    H5Sselect_hyperslab(source, H5S_SELECT_SET, start, nullptr, count, nullptr);
    H5Pset_virtual(properties, target, choices.one_in(2) ? "." : "virtual.h5", name.c_str(), source);
  }
  const Handle space(H5Screate_simple(2, shape.data(), nullptr), H5Sclose);
  Handle(H5Dcreate2(file.id(), "showers", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT),
         H5Dclose);
  H5Eclear2(H5E_DEFAULT);
  file.close();
  const File opened = File::open(folder() / "virtual.h5");
  if (const std::string text = test::difference(opened, "showers", pool, choices); !text.empty())
    broken(text);
  if (!all_there) broken("a virtual dataset without all of its sources is read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static core::ThreadPool pool(1);
  folder();
  Choices choices(std::span<const std::uint8_t>(data, size));
  try {
    switch (choices.below(5)) {
      case 0:
        attributes(choices, pool);
        break;
      case 1:
        virtual_dataset(choices, pool);
        break;
      case 2:
        dataset(choices, pool, true);
        break;
      default:
        dataset(choices, pool, false);
    }
  } catch (const core::InputError&) {
  }
  return 0;
}
