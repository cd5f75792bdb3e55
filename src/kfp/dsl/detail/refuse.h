#pragma once

#include <string>

#include "kfp/dsl/port.h"

namespace kfp::dsl {

/// Refuses what a pipeline's author wrote. @throws core::UsageError, always
/// @param what  description of the object for the error: "task train", "collected"
[[noreturn]] void refuse(const std::string& what, std::string message, std::string hint = "");

/// Hint for an unknown name: the port that was probably meant, else all ports.
std::string suggestion(const std::string& name, const Ports& ports);

}  // namespace kfp::dsl
