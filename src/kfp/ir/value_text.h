#pragma once

#include <string>

#include "kfp/ir/types.h"

// Values as text, as the backend's programs (Go) write them.
namespace kfp::ir {

/// A parameter as part of a command or a text (launcher_v2.go, getPlaceholders): texts as they are, numbers
/// without exponent ("0.0000001", "1" for 1.0), lists and structs as json_text(value, true).
std::string value_text(const Value& value);

/// Compact JSON with sorted keys, whole doubles as integers. `html` escapes <, > and & as Go's encoding/json
/// does; protojson, which writes what `{{$}}` stands for, leaves them.
std::string json_text(const Value& value, bool html);

/// The value with whole doubles as integers, at any depth: the IR writes integers as 1.0.
Value whole_numbers(Value value);

}  // namespace kfp::ir
