#include "calo/generate/cascade_source.h"

#include "calo/generate/decoder.h"
#include "calo/infer/cascade/sampler.h"
#include "calo/model/cascade_shape.h"
#include "core/json_file.h"

namespace calo {
namespace {

class CascadeSource : public ShowerSource {
 public:
  CascadeSource(const ModelFolder& model, infer::Precision precision, std::filesystem::path folder)
      : folder_(std::move(folder)),
        transform_(model.transform),
        precision_(precision),
        sampler_(trained_cascade(model.description, model.transform, model.weights),
                 {.precision = precision}),
        trained_(trained_range(transform_)) {}

  const VoxelMesh& mesh() const override { return transform_.mesh; }
  const std::vector<std::string>& geometries() const override { return transform_.one_hot_order; }
  const TrainedRange& trained() const override { return trained_; }
  infer::Precision precision() const override { return precision_; }

  void make(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
            std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
            Showers& out) override {
    work_.wanted.clear();
    for (std::size_t i = 0; i < conditions.size(); ++i)
      work_.wanted.push_back(
          {.energy_mev = conditions[i].incident_energy_mev,
           .theta_rad = conditions[i].theta_rad,
           .geometry = static_cast<std::uint32_t>(transform_.place_of(geometries.at(conditions[i].geometry))),
           .key = {.seed = seed, .event = first + i}});
    core::in_file(folder_, [&] {
      sampler_.sample(work_.wanted, static_cast<float>(threshold_mev), &pool, work_, found_);
    });
    replace(out, transform_.mesh.num_cells(), conditions, geometries, found_);
  }

 private:
  std::filesystem::path folder_;
  Transform transform_;
  infer::Precision precision_;
  cascade::Sampler sampler_;
  cascade::Sampler::Work work_;
  infer::SparseShowers found_;
  TrainedRange trained_;
};

}  // namespace

std::unique_ptr<ShowerSource> cascade_source(const ModelFolder& model, infer::Precision precision,
                                             const std::filesystem::path& folder) {
  return core::in_file(folder, [&]() -> std::unique_ptr<ShowerSource> {
    return std::make_unique<CascadeSource>(model, precision, folder);
  });
}

}  // namespace calo
