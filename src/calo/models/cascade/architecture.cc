#include <fmt/format.h>

#include "calo/infer/cascade/sampler.h"
#include "calo/models/cascade/cascade.h"
#include "calo/models/cascade/detail/cascade_graph.h"
#include "calo/models/cascade/detail/cascade_shape.h"
#include "core/error.h"

namespace calo::cascade {
namespace {

class CascadeArchitecture : public Architecture {
 public:
  std::string name() const override { return "cascade"; }

  TrainingDevice device(const std::string& device) const override {
    if (device == "cuda")
      throw core::UnavailableError({.message = "a cascade can only be trained on the CPU",
                                    .field = "device",
                                    .hint = "use --device auto or cpu"});
    return TrainingDevice::kCpu;
  }

  std::unique_ptr<TrainableModel> start(const ModelStart& start, core::ThreadPool& pool) const override {
    if (start.showers == nullptr)
      throw core::InputError({.message = "a cascade needs initial showers", .field = "showers"});
    return new_cascade(start.description, start.transform, start.seed, *start.showers, start.training, pool,
                       start.group);
  }

  Weights starting_weights(const ModelFolder& from, const ModelDescription& description,
                           const Transform& transform) const override {
    return cascade_starting_weights(from, description, transform);
  }

  TensorShapes tensor_shapes(const ModelDescription& description, const Transform& transform) const override {
    return cascade_shapes(cascade_shape(description, transform));
  }

  std::int64_t latent_dim(const ModelFolder& model) const override { return cascade_latent_dim(model); }

  void add_generator(GraphBuilder& graph, const ModelFolder& model,
                     const ContractMapping& mapping) const override {
    cascade_graph(graph, model, mapping);
  }

  // Runs the engine's sampler with the given noise.
  std::vector<double> reference_mev(const ModelFolder& model, const GivenNoise& wanted) const override {
    const std::size_t count = wanted.conditions.size();
    const auto cells = static_cast<std::size_t>(model.transform.mesh.num_cells());
    const Sampler sampler(trained_cascade(model.description, model.transform, model.weights));
    Sampler::Work work;
    for (std::size_t i = 0; i < count; ++i)
      work.wanted.push_back(
          {.energy_mev = wanted.conditions[i].incident_energy_mev,
           .theta_rad = wanted.conditions[i].theta_rad,
           .geometry = static_cast<std::uint32_t>(model.transform.place_of(wanted.geometries[i])),
           .latents = wanted.latents.data() + i * 2 * sampler.num_splits()});
    infer::SparseShowers found;
    sampler.sample(work.wanted, 0, nullptr, work, found);
    std::vector<double> dense(count * cells, 0.0);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t hit = 0; hit < found.cells_of(i).size(); ++hit)
        dense[i * cells + found.cells_of(i)[hit]] = found.energies_of(i)[hit];
    return dense;
  }

  // Rounding errors accumulate from split to split, and near a boundary they can change a discrete outcome,
  // and with it the rest of the shower.
  Agreement agreement() const override {
    return {.with = "the sampler", .tolerance = 1e-3, .same_share = 0.75};
  }
  bool runs_in_libtorch() const override { return false; }
};

}  // namespace

const Architecture& cascade_architecture() {
  static const CascadeArchitecture cascade;
  return cascade;
}

}  // namespace calo::cascade
