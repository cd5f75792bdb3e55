#pragma once

namespace calo {

class TorchModule;

/// Type of the only symbol that libcalopipe-torch.so exports.
using TorchModuleEntry = const TorchModule* (*)();
constexpr const char* kTorchModuleEntry = "calopipe_torch_module";
/// Environment variable with the path of the library.
constexpr const char* kTorchModuleVariable = "CALOPIPE_TORCH_MODULE";

}  // namespace calo
