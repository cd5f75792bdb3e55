#include "calo/models/architectures.h"

#include <fmt/format.h>

#include <map>

#include "calo/models/cascade/cascade.h"
#include "core/error.h"

namespace calo {
namespace {

// Mean of cell / incident energy.
std::vector<float> cell_means(const Showers& showers, std::span<const std::uint32_t> indices) {
  std::vector<double> sums(static_cast<std::size_t>(showers.num_cells()), 0.0);
  for (const std::uint32_t shower : indices) {
    const auto cells = showers.cells_of(shower);
    const auto energies = showers.energies_of(shower);
    const double inverse = 1.0 / showers.conditions[shower].incident_energy_mev;
    for (std::size_t i = 0; i < cells.size(); ++i) sums[cells[i]] += energies[i] * inverse;
  }
  std::vector<float> means(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    means[i] = static_cast<float>(sums[i] / static_cast<double>(indices.size()));
  return means;
}

const Showers& showers_of(const ModelStart& start, const char* who) {
  if (start.showers == nullptr)
    throw core::InputError(
        {.message = fmt::format("{} needs showers to start from", who), .field = "showers"});
  return *start.showers;
}

std::unique_ptr<TrainableModel> new_vae(const ModelStart& start, core::ThreadPool& pool) {
  std::vector<float> means;
  if (start.description.output_bias == "data_mean")
    means = cell_means(showers_of(start, "the output bias data_mean"), start.training);
  return torch_module().vae(start.description, start.transform, start.seed, means, pool, start.device);
}

std::unique_ptr<TrainableModel> new_cascade(const ModelStart& start, core::ThreadPool& pool) {
  return cascade::new_cascade(start.description, start.transform, start.seed, showers_of(start, "a cascade"),
                              start.training, pool);
}

struct Architecture {
  std::unique_ptr<TrainableModel> (*make)(const ModelStart& start, core::ThreadPool& pool);
  bool by_torch;  // on every device that LibTorch has; else on the CPU only
};

// The architecture of this name in a model description, of all that can be trained.
const Architecture& architecture(const std::string& name) {
  static const std::map<std::string, Architecture> all = {
      {"vae", {.make = new_vae, .by_torch = true}}, {"cascade", {.make = new_cascade, .by_torch = false}}};
  const auto found = all.find(name);
  if (found == all.end())
    throw core::InputError({.message = fmt::format("\"{}\" is no architecture that can be trained", name),
                            .field = "architecture"});
  return found->second;
}

}  // namespace

TrainingDevice device_of(const std::string& name, const std::string& device) {
  if (architecture(name).by_torch) return training_device(device);
  if (device == "cuda")
    throw core::UnavailableError({.message = fmt::format("a {} is trained on the CPU only", name),
                                  .field = "device",
                                  .hint = "use --device auto or cpu"});
  return TrainingDevice::kCpu;
}

std::unique_ptr<TrainableModel> new_model(const ModelStart& start, core::ThreadPool& pool) {
  return architecture(start.description.architecture).make(start, pool);
}

}  // namespace calo
