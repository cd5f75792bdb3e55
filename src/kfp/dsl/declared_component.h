#pragma once

#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/dsl/container_component.h"

namespace kfp::dsl {

struct DeclaredComponentOptions {
  std::string image;                 ///< image with the program, by digest
  std::vector<std::string> command;  ///< call of the program: {"calopipe"}
};

/// The container component of a component that is declared in C++: its inputs, parameters and outputs with
/// their types, defaults and descriptions (help, unit, allowed range). The container runs `<command>
/// <component's name> --executor-input {{$}}`: the launcher fills in all inputs as one JSON. Tasks may omit
/// optional artifacts and parameters that are not required.
/// @throws core::UsageError if there is no image or command
ContainerComponent from_declaration(const Component& component, const DeclaredComponentOptions& options);

}  // namespace kfp::dsl
