#include "calo/preprocess/preprocess.h"

#include "core/error.h"
#include "core/hash.h"
#include "core/json_file.h"
#include "core/staged_output.h"
#include "pipeline/components.h"

namespace pipeline {

kfp::ComponentInfo Preprocess::info() {
  return {.name = "preprocess",
          .summary = "Cleans showers, sets some aside for validation, and stores them sparse for training",
          .description =
              "Reads any layout (MLFastSim, Par04, CaloChallenge, calopipe; see `doc/formats.md`). Writes "
              "a folder with `train.h5`, `holdout.h5`, the fitted transform, and a report of the showers "
              "found and dropped. Nothing is written if a limit is exceeded.",
          .examples = {"calopipe preprocess --showers data/mlfastsim --out prepared",
                       "calopipe preprocess --showers showers.h5 --configuration configuration.json "
                       "--threshold-mev 0.0151 --out prepared"}};
}

void Preprocess::describe(kfp::Visitor& v) {
  using kfp::ArtifactType;
  v.input("showers", showers,
          {.type = ArtifactType::kDataset,
           .help = "File or folder of full-simulation showers; `data` is the alternative",
           .optional = true});
  v.input("configuration", configuration,
          {.help = "Result of input-parameters: ranges, mesh, encoding", .optional = true});
  v.parameter(
      "data", data,
      {.help = "Path of the showers if they are not an artifact (on EOS, for example)", .operational = true});
  v.parameter("data_fingerprint", data_fingerprint,
              {.help = "Fingerprint of `data` (input-parameters), used only by caches", .operational = true});
  v.parameter("configuration_values", configuration_values,
              {.help = "Content of `configuration` as a string (input-parameters), instead of the file"});
  reading.describe(v);
  v.parameter(
      "threshold_mev", threshold_mev,
      {.help = "Readout threshold: cells below this energy are set to zero", .unit = "MeV", .min = 0});
  v.parameter("max_bad_fraction", max_bad_fraction,
              {.help = "Largest fraction of bad showers (NaN, negative cells, empty) that is not an error",
               .min = 0,
               .max = 1});
  v.parameter("max_dropped_fraction", max_dropped_fraction,
              {.help = "Largest fraction of dropped showers (bad or out of range) that is not an error",
               .min = 0,
               .max = 1});
  v.parameter("holdout_fraction", holdout_fraction,
              {.help = "Fraction of each group of conditions set aside for validation",
               .min = 0,
               .max = 1,
               .below_max = true});
  v.parameter("seed", seed, {.help = "Seed of the split", .min = 0});
  v.output("prepared", prepared,
           {.type = ArtifactType::kDataset,
            .help = "Folder with prepared showers, transform and report",
            .file = "prepared"});
}

void Preprocess::run(kfp::RunContext& context) {
  if (static_cast<bool>(showers) == !data.empty())
    throw core::UsageError({.message = showers ? "cannot be given together with data" : "is required",
                            .field = "showers",
                            .hint = "give --showers PATH or --data PATH"});
  if (!data.empty()) {
    showers.path = data;
    context.provenance["inputs"]["showers"] = core::sha256_of_path(data);
  }
  calo::ReadOptions read = reading.read_options();
  calo::PreprocessOptions options{.cleaning = {.readout_threshold_mev = threshold_mev},
                                  .max_bad_fraction = max_bad_fraction,
                                  .max_dropped_fraction = max_dropped_fraction,
                                  .holdout_fraction = holdout_fraction,
                                  .seed = static_cast<std::uint64_t>(seed),
                                  .provenance = context.provenance};
  if (configuration && !configuration_values.empty())
    throw core::UsageError({.message = "cannot be given together with configuration",
                            .field = "configuration_values",
                            .hint = "leave one of the two out"});
  if (configuration || !configuration_values.empty()) {
    try {
      const auto values =
          configuration ? core::read_json(configuration.path) : nlohmann::json::parse(configuration_values);
      values.at("geometries").get_to(read.geometries);
      values.at("angles_deg").get_to(read.angles_deg);
      for (const double energy_gev : values.at("energies_gev"))
        read.energies_mev.push_back(energy_gev * 1000);
      options.cleaning.min_energy_mev = values.at("min_energy_gev").get<double>() * 1000;
      options.cleaning.max_energy_mev = values.at("max_energy_gev").get<double>() * 1000;
      options.cleaning.min_theta_deg = values.at("min_angle_deg");
      options.cleaning.max_theta_deg = values.at("max_angle_deg");
      options.max_energy_mev = options.cleaning.max_energy_mev;
      options.max_theta_deg = options.cleaning.max_theta_deg;
      values.at("geometry_encoding").get_to(options.one_hot_order);
      const bool has_mesh = !values.at("mesh").is_null(), has_binning = values.contains("binning");
      if (read.binning && (has_mesh || has_binning))
        throw core::UsageError({.message = "cannot be given together with a configuration that has a mesh",
                                .field = "binning",
                                .hint = "leave one of the two out"});
      if (has_mesh) read.mesh = calo::VoxelMesh::from_json(values.at("mesh"));
      if (has_binning) read.binning = calo::Binning::from_json(values.at("binning"));
    } catch (const nlohmann::json::exception& error) {
      throw core::InputError({.message = std::string("is not a configuration: ") + error.what(),
                              .file = configuration.path,
                              .field = configuration ? "" : "configuration_values",
                              .hint = "make one with calopipe input-parameters"});
    }
  }
  const auto reader = calo::ShowerReader::open(showers.path, read, context.pool);
  if (!configuration && configuration_values.empty())
    options.one_hot_order = calo::default_encoding(reader->info());
  core::StagedOutput folder(prepared.path, core::StagedOutput::Kind::kFolder);
  const calo::PreprocessReport report = calo::preprocess(*reader, options, folder.path(), context.pool);
  folder.commit();
  prepared.metadata = {{"training_showers", report.training_showers},
                       {"holdout_showers", report.holdout_showers},
                       {"dropped", report.cleaning.dropped()}};
}

}  // namespace pipeline
