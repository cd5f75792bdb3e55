#pragma once

#include <string>

#include "calo/infer/precision.h"

namespace calo {

/// An ONNX file for a precision: it has the property `calopipe.precision`, which calopipe-infer uses, and, if
/// `narrow_weights` is set, the weights of large layers in this precision (bfloat16 with a Cast, int8 with
/// one scale for each output and a DequantizeLinear), which takes a half or a quarter of the bytes. Any
/// runtime of opset 13 can use the file; onnxruntime converts the weights back to floats.
/// @param bytes an ONNX file
/// @returns the bytes of the new file
/// @throws core::InputError if it is not an ONNX file, or narrow weights are requested for an opset below 13
std::string for_precision(const std::string& bytes, infer::Precision precision, bool narrow_weights);

}  // namespace calo
