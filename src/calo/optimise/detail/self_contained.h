#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace calo {

/// Bytes of an ONNX model with everything that is needed to load it: tensors in weights files beside it are
/// included, and missing properties are added. A complete model is not changed by a byte.
/// @param file path of the model
/// @param properties with which it was loaded (infer::Generator::properties)
/// @throws core::InputError if it is not an ONNX file, a weights file cannot be used (infer::external_bytes),
///         or the result exceeds protobuf's 2 GiB
std::string self_contained(const std::filesystem::path& file,
                           const std::map<std::string, std::string>& properties);

}  // namespace calo
