#include "calo/models/vae/vae.h"

#include <fmt/format.h>

#include "calo/models/vae/detail/vae_graph.h"
#include "calo/torch/module.h"
#include "core/error.h"

namespace calo {
namespace {

// Mean over the showers of cell energy over incident energy, for each cell.
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

class Vae : public Architecture {
 public:
  std::string name() const override { return "vae"; }

  TrainingDevice device(const std::string& device) const override { return training_device(device); }

  std::unique_ptr<TrainableModel> start(const ModelStart& start, core::ThreadPool& pool) const override {
    std::vector<float> means;
    if (start.description.output_bias == "data_mean") {
      if (start.showers == nullptr)
        throw core::InputError(
            {.message = "the output bias data_mean needs initial showers", .field = "showers"});
      means = cell_means(*start.showers, start.training);
    }
    if (start.device == TrainingDevice::kCuda && start.group.size() > 1)
      throw core::UnavailableError({.message = "a GPU is used by one process only",
                                    .field = "device",
                                    .hint = "use --device cpu, or one process (doc/parallel-training.md)"});
    return torch_module().vae(start.description, start.transform, start.seed, means, pool, start.device,
                              start.group);
  }

  TensorShapes tensor_shapes(const ModelDescription& description, const Transform& transform) const override {
    TensorShapes shapes;
    const auto dense = [&](const std::string& layer, std::int64_t in, std::int64_t out) {
      shapes[layer + ".weight"] = {out, in};
      shapes[layer + ".bias"] = {out};
    };
    const auto norm = [&](const std::string& layer, std::int64_t size) {
      if (!description.batch_norm) return;
      for (const char* part : {"weight", "bias", "running_mean", "running_var"})
        shapes[fmt::format("{}.norm.{}", layer, part)] = {size};
    };
    const std::vector<std::int64_t>& dims = description.intermediate_dims;
    std::int64_t previous = transform.mesh.num_cells() + transform.condition_dim();
    for (std::size_t i = 0; i < dims.size(); ++i) {
      dense(fmt::format("encoder.{}", i), previous, dims[i]);
      norm(fmt::format("encoder.{}", i), dims[i]);
      previous = dims[i];
    }
    dense("encoder.mean", previous, description.latent_dim);
    dense("encoder.log_var", previous, description.latent_dim);
    previous = description.latent_dim + transform.condition_dim();
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const std::int64_t size = dims[dims.size() - 1 - i];
      dense(fmt::format("decoder.{}", i), previous, size);
      norm(fmt::format("decoder.{}", i), size);
      previous = size;
    }
    dense("decoder.output", previous, transform.mesh.num_cells());
    return shapes;
  }

  std::int64_t latent_dim(const ModelFolder& model) const override { return model.description.latent_dim; }

  void add_generator(GraphBuilder& graph, const ModelFolder& model,
                     const ContractMapping& mapping) const override {
    vae_graph(graph, model, mapping);
  }

  // Runs the decoder with LibTorch in double precision.
  std::vector<double> reference_mev(const ModelFolder& model, const GivenNoise& wanted) const override {
    const std::size_t count = wanted.conditions.size();
    const auto condition_dim = static_cast<std::size_t>(model.transform.condition_dim());
    const auto cells = static_cast<std::size_t>(model.transform.mesh.num_cells());
    std::vector<float> encoded(count * condition_dim);
    for (std::size_t i = 0; i < count; ++i)
      model.transform.encode(wanted.conditions[i], wanted.geometries[i],
                             {encoded.data() + i * condition_dim, condition_dim});
    std::vector<double> dense = torch_module().decode(model, wanted.latents, encoded);
    for (std::size_t i = 0; i < dense.size(); ++i)
      dense[i] *= static_cast<double>(wanted.conditions[i / cells].incident_energy_mev);
    return dense;
  }

  Agreement agreement() const override { return {.with = "LibTorch", .tolerance = 1e-5}; }
  bool runs_in_libtorch() const override { return true; }
};

}  // namespace

const Architecture& vae_architecture() {
  static const Vae vae;
  return vae;
}

}  // namespace calo
