#include "calo/generate/cascade_source.h"

#include "calo/models/cascade/sampler.h"
#include "core/error.h"
#include "core/json_file.h"

namespace calo {
namespace {

class CascadeSource : public ShowerSource {
 public:
  CascadeSource(const ModelFolder& model, std::filesystem::path folder)
      : folder_(std::move(folder)),
        transform_(model.transform),
        sampler_(model),
        trained_(trained_range(transform_)) {}

  const VoxelMesh& mesh() const override { return transform_.mesh; }
  const std::vector<std::string>& geometries() const override { return transform_.one_hot_order; }
  const TrainedRange& trained() const override { return trained_; }
  infer::Precision precision() const override { return infer::Precision::kFp32; }

  void make(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
            std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
            Showers& out) override {
    core::in_file(folder_,
                  [&] { sampler_.sample(conditions, geometries, first, seed, threshold_mev, pool, out); });
  }

 private:
  std::filesystem::path folder_;
  Transform transform_;
  cascade::Sampler sampler_;
  TrainedRange trained_;
};

}  // namespace

std::unique_ptr<ShowerSource> cascade_source(const ModelFolder& model, infer::Precision precision,
                                             const std::filesystem::path& folder) {
  if (precision != infer::Precision::kFp32)
    throw core::UsageError(
        {.message = "a cascade runs in fp32 only yet", .file = folder, .field = "precision"});
  return core::in_file(folder, [&]() -> std::unique_ptr<ShowerSource> {
    return std::make_unique<CascadeSource>(model, folder);
  });
}

}  // namespace calo
