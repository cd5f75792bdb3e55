#include "calo/generate/shower_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "calo/generate/cascade_source.h"
#include "calo/generate/decoder.h"
#include "calo/infer/external_data.h"
#include "calo/infer/generator.h"
#include "calo/infer/noise.h"
#include "core/error.h"
#include "core/hash.h"

namespace calo {
namespace {

class FolderSource : public ShowerSource {
 public:
  FolderSource(ModelFolder model, infer::Precision precision, std::filesystem::path folder)
      : folder_(std::move(folder)),
        decoder_(model, precision),
        transform_(std::move(model.transform)),
        precision_(precision),
        trained_(trained_range(transform_)) {}

  const VoxelMesh& mesh() const override { return transform_.mesh; }
  const std::vector<std::string>& geometries() const override { return transform_.one_hot_order; }
  const TrainedRange& trained() const override { return trained_; }
  infer::Precision precision() const override { return precision_; }

  void make(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
            std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
            Showers& out) override {
    const auto latent = static_cast<std::size_t>(decoder_.latent_dim());
    latents_.resize(conditions.size() * latent);
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      core::Philox random = infer::noise_of({.seed = seed, .event = first + i});
      for (std::size_t j = 0; j < latent; ++j) latents_[i * latent + j] = random.normal();
    }
    decoder_.decode(latents_, conditions, geometries, threshold_mev, pool, *workspace_, out);
    if (infer::count_not_finite(out.energies_mev) > 0) refuse_spoilt(out, first);
  }

 private:
  [[noreturn]] void refuse_spoilt(const Showers& showers, std::uint64_t first) const {
    infer::SpoiltShower spoilt{.model = folder_,
                               .num_cells = static_cast<std::size_t>(transform_.mesh.num_cells()),
                               .of_showers = showers.size()};
    for (std::size_t i = 0; i < showers.size(); ++i) {
      const auto energies = showers.energies_of(i);
      const std::size_t count = infer::count_not_finite(energies);
      if (count == 0 || spoilt.num_showers++ > 0) continue;
      const Conditions& condition = showers.conditions[i];
      const std::size_t at = infer::first_not_finite(energies);
      const std::uint32_t cell = showers.cells_of(i)[at];
      const CellPosition position = transform_.mesh.position(cell);
      spoilt.name = fmt::format("event {}, particle 0", first + i);
      spoilt.energy_mev = condition.incident_energy_mev;
      spoilt.theta_rad = condition.theta_rad;
      spoilt.geometry = showers.geometries[condition.geometry];
      spoilt.count = count;
      spoilt.cell = cell;
      spoilt.place = fmt::format("r {}, phi {}, z {}", position.r, position.phi, position.layer);
      spoilt.value = energies[at];
    }
    infer::refuse(spoilt);
  }

  std::filesystem::path folder_;
  Decoder decoder_;
  Transform transform_;
  infer::Precision precision_;
  TrainedRange trained_;
  std::unique_ptr<Decoder::Workspace, Decoder::Free> workspace_ = Decoder::make_workspace();
  std::vector<float> latents_;
};

class OnnxSource : public ShowerSource {
 public:
  explicit OnnxSource(infer::Generator generator) : generator_(std::move(generator)) {
    using nlohmann::json;
    const auto& metadata = generator_.properties();
    try {
      mesh_ = VoxelMesh::from_json(json::parse(generator_.mesh().json));
      const auto found = metadata.find("calopipe.trained");
      if (found == metadata.end()) throw core::InputError({.message = "is missing in the properties"});
      const json trained = json::parse(found->second);
      trained_ = {.geometries = trained.at("geometries"),
                  .min_energy_mev = trained.at("min_energy_mev"),
                  .max_energy_mev = trained.at("max_energy_mev"),
                  .min_theta_deg = trained.at("min_theta_deg"),
                  .max_theta_deg = trained.at("max_theta_deg")};
    } catch (const json::exception& error) {
      throw core::InputError({.message = std::string("is not as it is written: ") + error.what(),
                              .file = generator_.model().file(),
                              .field = "calopipe.mesh, calopipe.trained"});
    } catch (const core::InputError& error) {
      core::ErrorDetails details = error.details();
      details.file = generator_.model().file();
      details.field = "calopipe.mesh, calopipe.trained";
      throw core::InputError(details);
    }
    if (mesh_.num_cells() != generator_.num_cells())
      throw core::InputError({.message = "is another mesh than the number of cells that it makes",
                              .file = generator_.model().file(),
                              .field = "calopipe.mesh"});
  }

  const VoxelMesh& mesh() const override { return mesh_; }
  const std::vector<std::string>& geometries() const override { return generator_.geometries(); }
  const TrainedRange& trained() const override { return trained_; }
  infer::Precision precision() const override { return generator_.model().precision(); }

  void make(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
            std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
            Showers& out) override {
    particles_.clear();
    for (std::size_t i = 0; i < conditions.size(); ++i)
      particles_.push_back({.energy_mev = conditions[i].incident_energy_mev,
                            .theta_rad = conditions[i].theta_rad,
                            .geometry = index_of(geometries.at(conditions[i].geometry)),
                            .event = first + i});
    if (workspace_pool_ != &pool) {
      workspace_ = infer::Workspace(&pool);
      workspace_pool_ = &pool;
    }
    generator_.generate(particles_, seed, static_cast<float>(threshold_mev), workspace_, found_);
    replace(out, mesh_.num_cells(), conditions, geometries, found_);
  }

 private:
  std::uint32_t index_of(const std::string& geometry) const {
    const auto& known = generator_.geometries();
    const auto at = std::find(known.begin(), known.end(), geometry);
    if (at == known.end())
      throw core::InputError(
          {.message = "\"" + geometry + "\" is not known to the model", .field = "geometry"});
    return static_cast<std::uint32_t>(at - known.begin());
  }

  infer::Generator generator_;
  VoxelMesh mesh_;
  TrainedRange trained_;
  core::ThreadPool* workspace_pool_ = nullptr;
  infer::Workspace workspace_;
  infer::SparseShowers found_;
  std::vector<infer::Particle> particles_;
};

std::unique_ptr<ShowerSource> source_of(ModelFolder model, infer::Precision precision,
                                        const std::filesystem::path& folder) {
  if (model.description.architecture == "cascade") return cascade_source(model, precision, folder);
  return std::make_unique<FolderSource>(std::move(model), precision, folder);
}

}  // namespace

TrainedRange trained_range(const Transform& transform) {
  return {.geometries = transform.trained_geometries,
          .min_energy_mev = transform.min_trained_energy_mev,
          .max_energy_mev = transform.max_trained_energy_mev,
          .min_theta_deg = transform.min_trained_theta_deg,
          .max_theta_deg = transform.max_trained_theta_deg};
}

infer::Particle typical_particle(const TrainedRange& trained) {
  constexpr double kUsualMev = 10'000;
  const bool known = trained.min_energy_mev > 0 && trained.max_energy_mev >= trained.min_energy_mev;
  const double energy_mev = known ? std::sqrt(trained.min_energy_mev * trained.max_energy_mev)
                            : trained.max_energy_mev > 0 ? std::min(kUsualMev, trained.max_energy_mev)
                                                         : kUsualMev,
               theta_deg = (trained.min_theta_deg + trained.max_theta_deg) / 2;
  return {.energy_mev = static_cast<float>(energy_mev),
          .theta_rad = static_cast<float>(theta_deg * std::numbers::pi / 180)};
}

std::unique_ptr<ShowerSource> ShowerSource::open(const std::filesystem::path& path,
                                                 std::optional<infer::Precision> precision,
                                                 const infer::ForeignContract& contract) {
  if (std::filesystem::is_regular_file(path))
    return std::make_unique<OnnxSource>(infer::Generator::load(path, {.precision = precision}, contract));
  if (contract != infer::ForeignContract())
    throw core::UsageError({.message = "goes with an ONNX file; a model folder knows how it is called",
                            .file = path,
                            .field = "contract"});
  return source_of(ModelFolder::read(path), precision.value_or(infer::Precision::kFp32), path);
}

std::unique_ptr<ShowerSource> ShowerSource::of_folder(ModelFolder model, infer::Precision precision) {
  return source_of(std::move(model), precision, "");
}

std::string sha256_of_model(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return core::sha256_of_path(path);
  const std::vector<std::string> files = infer::external_files(path);
  if (files.empty()) return core::sha256_of_path(path);
  std::string all = core::sha256_of_path(path) + '\n';
  for (const std::string& file : files)
    all += file + '\0' + core::sha256_of_path(path.parent_path() / file) + '\n';
  return core::sha256(all);
}

}  // namespace calo
