// Two geometries whose cells differ in size, in one data set and one model: from files through preprocess,
// train, generate and convert to files, with the sizes of each geometry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "calo/convert/convert.h"
#include "calo/generate/generate.h"
#include "calo/io/convert_showers.h"
#include "calo/io/hdf5.h"
#include "calo/io/inspect.h"
#include "calo/io/shower_reader.h"
#include "calo/io/shower_writer.h"
#include "calo/models/stored_model.h"
#include "calo/preprocess/preprocess.h"
#include "calo/report/page_data.h"
#include "calo/train/trainer.h"
#include "calo/validate/features.h"
#include "calo/validate/validation.h"
#include "core/error.h"
#include "core/json_file.h"
#include "core/staged_output.h"
#include "support/error_of.h"
#include "support/temp_folder.h"
#include "support/toy_cascade.h"

namespace {

namespace fs = std::filesystem;
using calo::VoxelMesh;
using testing::HasSubstr;

VoxelMesh mesh_with(double size_r_mm, double size_z_mm) {
  VoxelMesh::Cylinder cylinder = test::uneven_mesh().cylinder();
  cylinder.size_r_mm = size_r_mm;
  cylinder.size_z_mm = size_z_mm;
  return VoxelMesh(cylinder);
}

const VoxelMesh kSiW = mesh_with(2.5, 3.5), kSciPb = mesh_with(4, 6);

VoxelMesh mesh_of(const std::string& geometry) {
  return geometry == "SiW" ? kSiW : kSciPb;
}

// Whole GeV, as MLFastSim has them: SiW from 1 to 7 GeV, SciPb from 1 to 4 GeV.
calo::Showers showers_of(const std::string& geometry, std::size_t count, double theta_deg = 90) {
  calo::Showers showers = test::toy_showers(mesh_of(geometry), count, geometry == "SiW" ? 3 : 4);
  showers.geometries = {geometry};
  for (calo::Conditions& condition : showers.conditions) {
    const float gev = std::round(condition.incident_energy_mev / 1000);
    condition.incident_energy_mev = 1000 * (geometry == "SiW" ? gev : std::min(gev, 4.0f));
    condition.theta_rad = static_cast<float>(theta_deg * std::numbers::pi / 180);
  }
  return showers;
}

using test::error_of;

class Geometries : public testing::Test {
 protected:
  // A folder in the layout of MLFastSim: a file for each geometry and angle.
  static void SetUpTestSuite() {
    core::ThreadPool pool(2);
    const auto writer = calo::ShowerWriter::create(data(),
                                                   {.layout = calo::Layout::kMlFastSim,
                                                    .mesh = kSciPb,
                                                    .geometries = {"SiW", "SciPb"},
                                                    .geometry_meshes = {{"SiW", kSiW}, {"SciPb", kSciPb}}},
                                                   pool);
    writer->append(showers_of("SiW", 100));
    writer->append(showers_of("SciPb", 60));
    writer->append(showers_of("SciPb", 40, 70));
    writer->commit();
    const auto reader = calo::ShowerReader::open(data(), {}, pool);
    fs::create_directory(prepared());
    calo::preprocess(*reader, {.holdout_fraction = 0.4}, prepared(), pool);
    const auto training = calo::ShowerReader::open(prepared() / "train.h5", {}, pool);
    calo::ModelDescription description = test::small_cascade();
    description.epochs = 2;
    const calo::Transform transform = calo::read_transform(prepared());
    const calo::ModelFolder model{
        .description = description,
        .transform = transform,
        .weights = calo::train(calo::read_all(*training), transform, description, {}, pool).weights};
    fs::create_directory(model_folder());
    calo::write_model(model_folder(), model);
  }
  static void TearDownTestSuite() { suite_.reset(); }

  static fs::path data() { return folder() / "data"; }
  static fs::path prepared() { return folder() / "prepared"; }
  static fs::path model_folder() { return folder() / "model"; }
  static fs::path folder() {
    if (!suite_) suite_ = std::make_unique<test::TempFolder>();
    return suite_->path();
  }

  calo::GenerateReport generate(calo::GenerateOptions options, const fs::path& out,
                                const fs::path& model = model_folder()) {
    options.provenance = {{"component", "test"}};
    calo::ShowerSource source = calo::ShowerSource::open(model);
    return calo::generate(source, options, out, pool_);
  }
  calo::DatasetInfo info_of(const fs::path& path, const calo::ReadOptions& options = {}) {
    return calo::ShowerReader::open(path, options, pool_)->info();
  }
  nlohmann::json provenance_of(const fs::path& file) {
    return nlohmann::json::parse(calo::hdf5::File::open(file).text_attribute("calopipe").value());
  }
  // The same model without the meshes of its geometries, as calopipe wrote it before it knew them.
  fs::path old_model() {
    const fs::path old = folder_ / "old";
    fs::copy(model_folder(), old);
    fs::remove(old / calo::kGeneratorFile);
    nlohmann::json json = core::read_json(old / "model.json");
    json["transform"].erase("trained_by_geometry");
    core::write_file(old / "model.json", json.dump());
    return old;
  }

  core::ThreadPool pool_{2};
  test::TempFolder folder_;

 private:
  static inline std::unique_ptr<test::TempFolder> suite_;
};

void expect_meshes(const calo::DatasetInfo& info) {
  EXPECT_EQ(info.geometry_meshes, (calo::GeometryMeshes{{"SciPb", kSciPb}, {"SiW", kSiW}}));
  EXPECT_EQ(info.mesh_of("SiW"), kSiW);
  EXPECT_EQ(info.mesh_of("SciPb"), kSciPb);
  EXPECT_THAT(info.notes, testing::IsEmpty());
}

TEST_F(Geometries, OfFilesHaveTheirOwnMeshes) {
  expect_meshes(info_of(data()));
  expect_meshes(info_of(prepared() / "train.h5"));
  expect_meshes(info_of(prepared() / "holdout.h5"));
  // With one geometry, its mesh is the only one, whichever file comes first.
  for (const fs::path& path : {data(), prepared() / "train.h5"})
    for (const char* geometry : {"SiW", "SciPb"}) {
      const calo::DatasetInfo info = info_of(path, {.geometries = {geometry}});
      EXPECT_EQ(info.mesh, mesh_of(geometry)) << path << geometry;
      EXPECT_TRUE(info.geometry_meshes.empty());
    }
  const auto report = calo::inspect(*calo::ShowerReader::open(data(), {}, pool_));
  EXPECT_THAT(report.to_text(), HasSubstr("SciPb: 5 x 7 x 6 cells (r, phi, z) of 4 x 6 mm; SiW: 5 x 7 x 6"));
  EXPECT_EQ(report.to_json()["geometry_meshes"]["SiW"], kSiW.to_json());
}

// Files of MLFastSim itself do not state their meshes: those of the detectors are used.
TEST_F(Geometries, OfOriginalFilesHaveTheMeshesOfTheirDetectors) {
  const fs::path folder = folder_ / "original";
  fs::create_directories(folder / "SciPb");
  fs::copy("data/mlfastsim/SiW", folder / "SiW");
  {
    calo::hdf5::File file = calo::hdf5::File::create(folder / "SciPb" / "SciPb_angle_90.h5");
    const std::vector<float> cells(2 * 18 * 50 * 45, 1.0f);
    file.write("2", cells, {2, 18, 50, 45});
    file.close();
  }
  const calo::DatasetInfo info = info_of(folder);
  EXPECT_EQ(info.mesh_of("SiW"), calo::named_mesh("SiW"));
  EXPECT_EQ(info.mesh_of("SciPb"), calo::named_mesh("SciPb"));
  EXPECT_EQ(info.num_showers, 2102);
}

TEST_F(Geometries, AreInTheTransform) {
  const calo::Transform transform = calo::read_transform(prepared());
  ASSERT_EQ(transform.trained_by_geometry.size(), 2u);
  EXPECT_EQ(transform.mesh_of("SiW"), kSiW);
  EXPECT_EQ(transform.mesh_of("SciPb"), kSciPb);
  EXPECT_EQ(transform.trained_on("SciPb").max_energy_mev, 4000);
  EXPECT_EQ(transform.trained_on("SiW").max_energy_mev, 7000);
  EXPECT_NEAR(transform.trained_on("SciPb").min_theta_deg, 70, 1e-4);
  EXPECT_NEAR(transform.trained_on("SiW").min_theta_deg, 90, 1e-4);
  EXPECT_EQ(transform.max_trained_energy_mev, 7000);
  EXPECT_EQ(calo::Transform::from_json(transform.to_json()).to_json(), transform.to_json());
  EXPECT_EQ(calo::read_model(model_folder()).transform.to_json(), transform.to_json());
  // A model of one geometry has the fields of older versions, which can read it.
  EXPECT_FALSE(test::toy_transform(kSiW).to_json().contains("trained_by_geometry"));
  nlohmann::json wrong = transform.to_json();
  wrong["trained_by_geometry"][0]["mesh"]["n_r"] = 6;
  EXPECT_THAT(error_of<core::InputError>([&] { calo::Transform::from_json(wrong); }).message,
              HasSubstr("not the cells of the model's mesh"));
  wrong = transform.to_json();
  wrong["trained_by_geometry"][1]["geometry"] = wrong["trained_by_geometry"][0]["geometry"];
  EXPECT_THAT(error_of<core::InputError>([&] { calo::Transform::from_json(wrong); }).message,
              HasSubstr("twice"));
}

TEST_F(Geometries, OneAtATimeAreWrittenWithTheirMeshInEveryLayout) {
  for (const calo::Layout layout : {calo::Layout::kPar04, calo::Layout::kCaloChallenge,
                                    calo::Layout::kMlFastSim, calo::Layout::kCalopipe})
    for (const char* geometry : {"SiW", "SciPb"}) {
      const fs::path out = folder_ / (std::string(geometry) + to_string(layout) + ".h5");
      const auto report =
          generate({.geometry = geometry, .energies_gev = {2}, .events = 3, .layout = layout}, out);
      EXPECT_TRUE(report.outside_training.empty());
      const calo::DatasetInfo info = info_of(out);
      EXPECT_EQ(info.mesh, mesh_of(geometry)) << out;
      EXPECT_EQ(info.geometries, std::vector<std::string>{geometry});
      EXPECT_FALSE(provenance_of(out).contains("outside_training"));
      EXPECT_FALSE(provenance_of(out).contains("mesh_not_recorded"));
    }
}

TEST_F(Geometries, TogetherAreWrittenWithTheirMeshesOrRefused) {
  const fs::path like = prepared() / "holdout.h5";
  const fs::path one_file = folder_ / "like.h5", of_files = folder_ / "like";
  generate({.like = like, .layout = calo::Layout::kCalopipe}, one_file);
  generate({.like = like, .layout = calo::Layout::kMlFastSim}, of_files);
  expect_meshes(info_of(one_file));
  expect_meshes(info_of(of_files));
  EXPECT_EQ(info_of(of_files / "SciPb" / "SciPb_angle_70.h5").mesh, kSciPb);
  EXPECT_EQ(calo::hdf5::File::open(one_file).number_attribute("format_version"), 2);
  // The same showers whether the others are there or not.
  const auto both = calo::ShowerReader::open(one_file, {}, pool_);
  EXPECT_EQ(both->info().num_showers, info_of(like).num_showers);
  for (const calo::Layout layout :
       {calo::Layout::kPar04, calo::Layout::kCaloChallenge, calo::Layout::kMlFastSim}) {
    const fs::path out = folder_ / "refused.h5";
    const auto error = error_of<core::UsageError>([&] { generate({.like = like, .layout = layout}, out); });
    EXPECT_EQ(error.field, "layout");
    EXPECT_THAT(error.message, HasSubstr("one geometry per file"));
    EXPECT_THAT(error.hint, HasSubstr("calopipe"));
    EXPECT_FALSE(fs::exists(out));
  }
  // Showers with the cells of another geometry are no showers of this one.
  const fs::path other = folder_ / "other.h5";
  const auto writer = calo::ShowerWriter::create(
      other, {.layout = calo::Layout::kPar04, .mesh = kSciPb, .geometries = {"SiW"}}, pool_);
  writer->append(showers_of("SiW", 3));
  writer->commit();
  EXPECT_THAT(error_of<core::InputError>([&] { generate({.like = other}, folder_ / "x.h5"); }).message,
              HasSubstr("has for SiW the mesh 5 x 7 x 6 cells (r, phi, z) of 4 x 6 mm, but the model has"));
}

TEST_F(Geometries, RecordWhatIsOutsideOfTheTrainingOfEach) {
  const auto outside_of = [&](const char* geometry, double energy_gev, double angle_deg) {
    const fs::path out = folder_ / "outside.h5";
    fs::remove(out);
    const auto report = generate(
        {.geometry = geometry, .energies_gev = {2, energy_gev}, .angles_deg = {angle_deg}, .events = 3}, out);
    const nlohmann::json recorded = provenance_of(out).value("outside_training", nlohmann::json::array());
    EXPECT_EQ(report.to_json().at("outside_training"), recorded);
    return recorded;
  };
  EXPECT_TRUE(outside_of("SiW", 7, 90).empty());
  EXPECT_TRUE(outside_of("SciPb", 4, 80).empty());
  EXPECT_EQ(outside_of("SciPb", 7, 90),
            nlohmann::json::parse(R"([{"geometry": "SciPb", "outside": "energy_gev", "showers": 3, "of": 6,
                                       "trained": [1.0, 4.0]}])"));
  const nlohmann::json angles = outside_of("SiW", 7, 70);
  ASSERT_EQ(angles.size(), 1u);
  EXPECT_EQ(angles[0]["outside"], "angle_deg");
  EXPECT_EQ(angles[0]["showers"], 6);
}

TEST_F(Geometries, OfOlderModelsAreReadAndTheirMeshIsCalledUnknown) {
  const fs::path old = old_model();
  EXPECT_EQ(calo::ShowerSource::open(old).mesh(), kSciPb);
  const fs::path out = folder_ / "old.h5";
  generate({.geometry = "SiW", .energies_gev = {2}, .events = 2}, out, old);
  EXPECT_EQ(provenance_of(out).at("mesh_not_recorded"), nlohmann::json({"SiW"}));
  const auto error = error_of<core::InputError>(
      [&] { generate({.like = data() / "SiW" / "SiW_angle_90.h5"}, folder_ / "x.h5", old); });
  EXPECT_THAT(error.hint, HasSubstr("train it again"));
}

// One model was made before meshes of geometries were recorded, the other has two.
TEST_F(Geometries, OfTheModelsThatArePartOfCalopipeAreKnown) {
  calo::ShowerSource siw = calo::ShowerSource::open("models/siw-lowgran");
  EXPECT_TRUE(siw.knows_mesh_of("SiW"));
  EXPECT_FALSE(siw.knows_mesh_of("SciPb"));
  EXPECT_TRUE(siw.geometry_meshes().empty());
  EXPECT_EQ(siw.mesh(), calo::named_mesh("SiW-lowgran"));
  calo::ShowerSource both = calo::ShowerSource::open("models/par04");
  for (const char* geometry : {"SiW", "SciPb"}) {
    EXPECT_TRUE(both.knows_mesh_of(geometry));
    EXPECT_EQ(both.mesh_of(geometry), calo::named_mesh(geometry));
  }
}

TEST_F(Geometries, AreInConvertedModelsAndMacros) {
  const calo::ModelFolder model = calo::read_model(model_folder());
  for (const calo::Contract contract :
       {calo::Contract::kPlain, calo::Contract::kPar04Vae, calo::Contract::kPar04CaloDit})
    for (const std::string geometry : {"SiW", "SciPb"}) {
      if (contract == calo::Contract::kPlain && geometry == "SciPb") continue;
      const bool plain = contract == calo::Contract::kPlain;
      const fs::path file = folder_ / (to_string(contract) + geometry + ".onnx");
      const fs::path macro = plain ? fs::path() : folder_ / (to_string(contract) + geometry + ".mac");
      calo::convert(model,
                    {.contract = contract,
                     .geometry = plain ? "" : geometry,
                     .macro_file = macro,
                     .macro = {.model_path = "model.onnx"}},
                    file);
      const calo::ShowerSource source = calo::ShowerSource::open(file);
      EXPECT_EQ(source.mesh_of("SiW"), kSiW);
      EXPECT_EQ(source.mesh_of("SciPb"), kSciPb);
      EXPECT_EQ(source.trained().range_of("SciPb").max_energy_mev, 4000);
      EXPECT_EQ(source.trained().range_of("SiW").max_energy_mev, 7000);
      // Programs that only read calopipe.mesh find that of the geometry that Par04 asks for.
      EXPECT_EQ(source.mesh(), plain ? calo::read_transform(prepared()).mesh : mesh_of(geometry));
      const auto index = [&](const std::string& name) {
        const auto& all = source.geometries();
        return static_cast<std::uint32_t>(std::find(all.begin(), all.end(), name) - all.begin());
      };
      EXPECT_EQ(source.generator().mesh_of(index("SiW")).size_r_mm, 2.5);
      EXPECT_EQ(source.generator().mesh_of(index("SciPb")).size_r_mm, 4);
      const fs::path out = folder_ / "of_onnx.h5";
      fs::remove(out);
      generate({.geometry = geometry, .energies_gev = {2}, .events = 2}, out, file);
      EXPECT_EQ(info_of(out).mesh, mesh_of(geometry)) << file;
      if (plain) continue;
      const std::string text = core::read_file(macro);
      const char* size = geometry == "SiW" ? "2.5 mm" : "4 mm";
      EXPECT_THAT(text, HasSubstr(std::string("/Par04/mesh/setSizeOfRhoCells ") + size));
      EXPECT_THAT(text, HasSubstr(std::string("/Par04/inference/setSizeOfRhoCells ") + size));
      EXPECT_THAT(text, HasSubstr(geometry == "SiW" ? "trained on 1 to 7 GeV" : "trained on 1 to 4 GeV"));
    }
}

TEST_F(Geometries, KeepTheirMeshesThroughConversions) {
  const auto convert = [&](const fs::path& from, const fs::path& to, calo::Layout layout,
                           const calo::ReadOptions& read = {}, const std::set<calo::Droppable>& drop = {}) {
    const auto reader = calo::ShowerReader::open(from, read, pool_);
    calo::convert_showers(*reader, {.layout = layout, .drop = drop}, to, pool_);
  };
  convert(data(), folder_ / "a.h5", calo::Layout::kCalopipe);
  expect_meshes(info_of(folder_ / "a.h5"));
  convert(folder_ / "a.h5", folder_ / "b", calo::Layout::kMlFastSim);
  expect_meshes(info_of(folder_ / "b"));
  convert(folder_ / "a.h5", folder_ / "c.h5", calo::Layout::kPar04, {.geometries = {"SiW"}});
  EXPECT_EQ(info_of(folder_ / "c.h5").mesh, kSiW);
  // Without names, nobody could tell whose cells have which size.
  for (const calo::Layout layout : {calo::Layout::kPar04, calo::Layout::kCalopipe}) {
    const auto error = error_of<core::UsageError>(
        [&] { convert(data(), folder_ / "d.h5", layout, {}, {calo::Droppable::kGeometry}); });
    EXPECT_EQ(error.field, "drop");
    EXPECT_THAT(error.message, HasSubstr("SiW: 5 x 7 x 6"));
    EXPECT_FALSE(fs::exists(folder_ / "d.h5"));
  }
}

TEST_F(Geometries, WithTwoSizesOfCellsAreRefused) {
  const fs::path folder = folder_ / "two";
  fs::create_directory(folder);
  for (const double size : {2.5, 2.6}) {
    const auto writer =
        calo::ShowerWriter::create(folder / (std::to_string(size) + ".h5"),
                                   {.layout = calo::Layout::kPar04, .mesh = mesh_with(size, 3.5)}, pool_);
    calo::Showers showers = showers_of("SiW", size == 2.5 ? 3 : 4);
    writer->append(showers);
    writer->commit();
  }
  const auto error = error_of<core::InputError>([&] { info_of(folder); });
  EXPECT_THAT(error.message, HasSubstr("of 2.6 x 3.5 mm, but earlier showers of the geometry SiW have"));
  // A user who looks at the data is told, as one who gives one mesh for all geometries.
  EXPECT_THAT(info_of(folder, {.tolerant = true}).notes, testing::SizeIs(1));
  const calo::DatasetInfo given = info_of(data(), {.mesh = kSiW});
  EXPECT_EQ(given.mesh_of("SciPb"), kSiW);
  ASSERT_EQ(given.notes.size(), 1u);
  EXPECT_THAT(given.notes[0].text, HasSubstr("is used for all geometries: SciPb, SiW"));
}

// Positions in mm are index x size of the geometry's own cells.
TEST_F(Geometries, AreComparedInTheirOwnMillimetres) {
  const fs::path fast = folder_ / "fast.h5";
  generate({.like = prepared() / "holdout.h5", .layout = calo::Layout::kCalopipe}, fast);
  const auto compare = [&](const fs::path& full, const fs::path& other) {
    return calo::validate(*calo::ShowerReader::open(full, {}, pool_),
                          *calo::ShowerReader::open(other, {}, pool_), {.only_observables = true}, pool_);
  };
  const calo::Validation validation = compare(prepared() / "holdout.h5", fast);
  std::set<std::string> seen;
  for (const calo::ConditionComparison& group : validation.groups) {
    seen.insert(group.geometry);
    const VoxelMesh mesh = mesh_of(group.geometry);
    EXPECT_DOUBLE_EQ(group.observable("longitudinal_profile").high, 6 * mesh.size_z_mm());
    EXPECT_DOUBLE_EQ(group.observable("lateral_profile").high, 5 * mesh.cylinder().size_r_mm);
    for (const auto& [file, is_full] : {std::pair{prepared() / "holdout.h5", true}, std::pair{fast, false}}) {
      const auto reader = calo::ShowerReader::open(file, {}, pool_);
      const calo::Showers showers = calo::read_all(*reader);
      calo::FeatureExtractor extractor(mesh, 0);
      double depth = 0, radius = 0;
      int count = 0;
      for (std::size_t i = 0; i < showers.size(); ++i) {
        const calo::Conditions& c = showers.conditions[i];
        if (calo::condition_group(c, showers.geometries[c.geometry], true) != group.name) continue;
        const calo::ShowerFeatures& features = extractor.extract(showers, i);
        depth += features.longitudinal.first;
        radius += features.lateral.first;
        ++count;
      }
      const calo::Comparison &z = group.observable("longitudinal_first_moment"),
                             &r = group.observable("lateral_first_moment");
      EXPECT_NEAR(is_full ? z.full_mean : z.fast_mean, depth / count, 1e-9 * depth) << group.name;
      EXPECT_NEAR(is_full ? r.full_mean : r.fast_mean, radius / count, 1e-9 * radius) << group.name;
    }
  }
  EXPECT_EQ(seen, (std::set<std::string>{"SciPb", "SiW"}));
  const nlohmann::json page = calo::plot_data(validation, "fast");
  EXPECT_EQ(page["cell_sizes"]["SiW"]["size_r_mm"], 2.5);
  EXPECT_EQ(page["cell_sizes"]["SciPb"]["size_z_mm"], 6);
  // One geometry against both.
  generate({.geometry = "SiW", .energies_gev = {1, 2, 3}, .events = 9}, folder_ / "siw.h5");
  for (const calo::ConditionComparison& group : compare(prepared() / "holdout.h5", folder_ / "siw.h5").groups)
    EXPECT_DOUBLE_EQ(group.observable("lateral_profile").high, 5 * 2.5);
  // Showers with the cells of the other geometry are not comparable.
  const fs::path wrong = folder_ / "wrong.h5";
  const auto writer = calo::ShowerWriter::create(
      wrong, {.layout = calo::Layout::kPar04, .mesh = kSciPb, .geometries = {"SiW"}}, pool_);
  writer->append(showers_of("SiW", 30));
  writer->commit();
  EXPECT_THAT(error_of<core::InputError>([&] { compare(prepared() / "holdout.h5", wrong); }).message,
              HasSubstr("has the mesh 5 x 7 x 6 cells (r, phi, z) of 4 x 6 mm"));
}

}  // namespace
