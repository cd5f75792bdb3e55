#include "calo/models/architectures.h"

#include <fmt/format.h>

#include <map>

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
  };
  return all;
}

}  // namespace

std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool) {
  const std::string& name = start.description.architecture;
  const auto found = makers().find(name);
  if (found == makers().end())
    throw core::InputError({.message = fmt::format("\"{}\" is no architecture that can be trained", name),
                            .field = "architecture"});
  return found->second(start, pool);
}

}  // namespace calo
