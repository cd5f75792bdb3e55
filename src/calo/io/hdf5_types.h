#pragma once

#include <hdf5.h>

#include <string>

namespace calo::hdf5 {

/// What elements of this type are, in the plural: "64-bit integers", "texts", "compound values" …
std::string describe_type(hid_t type);

/// Whether it is an integer or a floating-point number.
bool is_number(hid_t type);

}  // namespace calo::hdf5
