#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "calo/torch/detail/entry.h"
#include "calo/torch/module.h"
#include "core/error.h"
#include "core/provenance.h"

namespace calo {
namespace {

std::filesystem::path module_file() {
  if (const char* named = std::getenv(kTorchModuleVariable); named != nullptr && *named != '\0') return named;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / "../lib/calopipe/libcalopipe-torch.so").lexically_normal();
}

const TorchModule& load() {
  const std::filesystem::path file = module_file();
  const auto refuse = [&](const std::string& message, const std::string& hint) {
    throw core::UnavailableError({.message = message, .file = file, .hint = hint});
  };
  if (!std::filesystem::exists(file))
    refuse("the part of calopipe that uses LibTorch is missing",
           fmt::format("training a variational autoencoder and the neural-network classifiers need it: in a "
                       "container, use "
                       "the image calopipe-train (components.<name>.image in the site file); if it is "
                       "elsewhere, give its path "
                       "in the environment variable {}",
                       kTorchModuleVariable));
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) refuse(fmt::format("cannot be loaded: {}", ::dlerror()), "is LibTorch installed?");
  const auto entry = reinterpret_cast<TorchModuleEntry>(::dlsym(library, kTorchModuleEntry));
  if (entry == nullptr) refuse("is not the part of calopipe that uses LibTorch", "");
  const TorchModule& module = *entry();
  if (module.calopipe_version() != core::version())
    refuse(fmt::format("belongs to calopipe {}, but this is {}", module.calopipe_version(), core::version()),
           "install both from one build");
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
