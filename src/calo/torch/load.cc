#include "calo/torch/detail/entry.h"
#include "calo/torch/module.h"
#include "core/error.h"
#include "core/own_library.h"

namespace calo {
namespace {

const TorchModule& load() {
  const core::OwnLibrary library{.file = "libcalopipe-torch.so",
                                 .variable = kTorchModuleVariable,
                                 .entry = kTorchModuleEntry,
                                 .uses = "LibTorch",
                                 .missing =
                                     "training a variational autoencoder and the neural-network "
                                     "classifiers need it: in a container, use the image calopipe-train "
                                     "(components.<name>.image in the site file)"};
  const TorchModule& module = *reinterpret_cast<TorchModuleEntry>(core::entry_of(library))();
  core::check_version(library, module.calopipe_version());
  return module;
}

}  // namespace

const TorchModule& torch_module() {
  static const TorchModule& module = load();
  return module;
}

TrainingDevice training_device(const std::string& name) {
  const bool available = name != "cpu" && torch_module().has_cuda();
  if (name == "cuda" && !available)
    throw core::UnavailableError(
        {.message = "LibTorch finds no CUDA device, or was built without CUDA",
         .field = "device",
         .hint = "use --device cpu, or build with a LibTorch for CUDA (doc/gpu.md)"});
  return available ? TrainingDevice::kCuda : TrainingDevice::kCpu;
}

}  // namespace calo
