#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace calo {

/// The bytes of an ONNX model with everything in them that loading it needs: tensors in weights files beside
/// it are taken in, and properties that it does not have are added. A model that has it all stays as it is,
/// to the byte.
/// @param file where it lies  @param properties under which it was loaded (infer::Generator::properties)
/// @throws core::InputError if it is no ONNX file, a weights file cannot be used (infer::external_bytes),
/// or
///         all together is over protobuf's 2 GiB
std::string self_contained(const std::filesystem::path& file,
                           const std::map<std::string, std::string>& properties);

}  // namespace calo
