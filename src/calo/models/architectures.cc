#include "calo/models/architectures.h"

#include <fmt/format.h>

#include <map>

#include "calo/models/cascade/cascade.h"
#include "core/error.h"

namespace calo {
namespace {

using Maker = std::unique_ptr<TrainableModel> (*)(const ModelStart& start, core::ThreadPool& pool);

// Every architecture that can be trained, by the name that a model description gives it.
const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> all = {
      {"vae",
       [](const ModelStart& start, core::ThreadPool& pool) {
         return torch_module().vae(start.description, start.transform, start.seed, start.cell_means, pool,
                                   start.device);
       }},
      {"cascade",
       [](const ModelStart& start, core::ThreadPool& pool) {
         if (start.showers == nullptr)
           throw core::InputError({.message = "a cascade needs showers to start from", .field = "showers"});
         return cascade::new_cascade(start.description, start.transform, start.seed, *start.showers,
                                     start.training, pool);
       }},
  };
  return all;
}

}  // namespace

TrainingDevice device_of(const std::string& architecture, const std::string& device) {
  if (architecture != "cascade") return training_device(device);
  if (device == "cuda")
    throw core::UnavailableError({.message = "a cascade is trained on the CPU only",
                                  .field = "device",
                                  .hint = "use --device auto or cpu"});
  return TrainingDevice::kCpu;
}

std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool) {
  const std::string& name = start.description.architecture;
  const auto found = makers().find(name);
  if (found == makers().end())
    throw core::InputError({.message = fmt::format("\"{}\" is no architecture that can be trained", name),
                            .field = "architecture"});
  return found->second(start, pool);
}

}  // namespace calo
