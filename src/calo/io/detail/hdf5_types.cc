#include "calo/io/detail/hdf5_types.h"

#include <fmt/format.h>

namespace calo::hdf5 {

std::string describe_type(hid_t type) {
  const std::size_t bits = 8 * H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return fmt::format("{}-bit integers", bits);
    case H5T_FLOAT:
      return fmt::format("{}-bit floating-point numbers", bits);
    case H5T_STRING:
      return "strings";
    case H5T_BITFIELD:
      return "bit fields";
    case H5T_OPAQUE:
      return "opaque bytes";
    case H5T_COMPOUND:
      return "compound values";
    case H5T_REFERENCE:
      return "references";
    case H5T_ENUM:
      return "values of an enumeration (like Booleans)";
    case H5T_VLEN:
      return "lists of varying lengths";
    case H5T_ARRAY:
      return "arrays";
    case H5T_TIME:
      return "times";
    default:
      return "values of an unknown type";
  }
}

bool is_number(hid_t type) {
  const H5T_class_t type_class = H5Tget_class(type);
  return type_class == H5T_INTEGER || type_class == H5T_FLOAT;
}

}  // namespace calo::hdf5
