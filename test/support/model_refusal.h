#pragma once

#include <string>

#include "calo/infer/model.h"
#include "core/error.h"
#include "support/onnx_writer.h"

namespace test {

/// The error that a model's file of these bytes meets in the engine; empty if the engine takes it.
inline std::string model_refusal(const std::string& bytes) {
  try {
    calo::infer::Model::from_bytes(as_bytes(bytes));
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace test
