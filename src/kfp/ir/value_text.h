#pragma once

#include <string>

#include "kfp/ir/types.h"

// Values as strings, in the notation of the backend's programs (Go).
namespace kfp::ir {

/// A parameter as part of a command or a string (launcher_v2.go, getPlaceholders): strings unchanged, numbers
/// without exponent ("0.0000001", "1" for 1.0), lists and structs as json_text(value, true).
std::string value_text(const Value& value);

/// Compact JSON with sorted keys, whole doubles as integers. `html` escapes <, > and & as Go's encoding/json
/// does; protojson, which writes the value of `{{$}}`, does not.
std::string json_text(const Value& value, bool html);

/// Converts whole doubles to integers, at any depth, because the IR writes integers as 1.0.
Value whole_numbers(Value value);

}  // namespace kfp::ir
