#pragma once

namespace calo {

class TorchModule;

/// The one symbol that libcalopipe-torch.so exports, and its type.
using TorchModuleEntry = const TorchModule* (*)();
constexpr const char* kTorchModuleEntry = "calopipe_torch_module";
/// Environment variable that names the library's file.
constexpr const char* kTorchModuleVariable = "CALOPIPE_TORCH_MODULE";

}  // namespace calo
