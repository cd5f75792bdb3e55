#pragma once

#include <hdf5.h>

#include <string>

namespace calo::hdf5 {

/// Name for elements of this type, in the plural: "64-bit integers", "strings", "compound values" …
std::string describe_type(hid_t type);

/// True for integers and floating-point numbers.
bool is_number(hid_t type);

}  // namespace calo::hdf5
