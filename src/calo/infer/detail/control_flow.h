#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "calo/infer/operators.h"
#include "calo/infer/program.h"

namespace calo::infer {

/// Checks what Loop and If say of their bodies, before these are compiled.
/// @throws core::InputError if a body is missing, or has another number of inputs or outputs than the node,
/// or
///         inputs or outputs of another type than the operator asks for
void check_bodies(const OnnxNode& node);

/// A body ready to run, and where the values that it captures stand among the inputs of its step.
struct Body {
  std::shared_ptr<const Program> program;
  std::vector<std::size_t> places;
};

/// As ONNX has it, but for a condition that is left out: then the body's own still ends the loop, as
/// onnxruntime does it. Without iterations, extents of scan outputs that the body leaves open are 0.
Operator make_loop(const OnnxNode& node, Body body);

/// Runs one of its branches, which may make other shapes than the other one.
Operator make_if(Body then_branch, Body else_branch);

}  // namespace calo::infer
