#pragma once

#include <string>

#include "calo/infer/precision.h"

namespace calo {

/// An ONNX file for a precision: `calopipe.precision` in its properties, which calopipe-infer goes by, and,
/// where asked for, the weights of large layers stored in it (bfloat16 with a Cast, int8 with one scale for
/// each output and a DequantizeLinear): a half or a quarter of the bytes. Any runtime of opset 13 computes
/// with them; onnxruntime makes floats of them again.
/// @param bytes an ONNX file  @returns another
/// @throws core::InputError if it is no ONNX file, or of an opset below 13 and narrow weights are asked
/// for
std::string for_precision(const std::string& bytes, infer::Precision precision, bool narrow_weights);

}  // namespace calo
