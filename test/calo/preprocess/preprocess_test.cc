#include "calo/preprocess/preprocess.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/staged_output.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::Transform;

TEST(Transform, EncodesAsPar04Does) {
  const Transform transform;
  std::vector<float> out(4);
  transform.encode({.incident_energy_mev = 512000, .theta_rad = 0.78539816f}, "SiW", out);
  EXPECT_FLOAT_EQ(out[0], 0.5f);
  EXPECT_FLOAT_EQ(out[1], 0.5f);
  EXPECT_EQ(out[2], 0);
  EXPECT_EQ(out[3], 1);
  transform.encode({.incident_energy_mev = 1024000}, "SciPb", out);
  EXPECT_EQ(out[2], 1);
  EXPECT_EQ(out[3], 0);
  EXPECT_THROW(transform.encode({}, "ODD", out), core::InputError);
}

TEST(Transform, SurvivesJson) {
  Transform transform{.max_energy_mev = 64000, .trained_geometries = {"SiW"}, .readout_threshold_mev = 0.015};
  EXPECT_EQ(Transform::from_json(transform.to_json()).to_json(), transform.to_json());
  auto json = transform.to_json();
  json.erase("mesh");
  EXPECT_THROW(Transform::from_json(json), core::InputError);
}

TEST(Preprocess, HoldsOutItsShareOfEachGroupAndRepeatsItself) {
  core::ThreadPool pool(2);
  const test::TempFolder folder;
  std::vector<std::string> hashes;
  for (const char* name : {"a", "b"}) {
    const auto reader = calo::ShowerReader::open("data/mlfastsim", {}, pool);
    std::filesystem::create_directory(folder / name);
    const calo::PreprocessReport report =
        calo::preprocess(*reader, {.holdout_fraction = 0.2}, folder / name, pool);
    EXPECT_EQ(report.training_showers + report.holdout_showers, 2100);
    hashes.push_back(core::sha256_of_path(folder / name));
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  const auto held = calo::ShowerReader::open(folder / "a" / "holdout.h5", {}, pool);
  std::map<float, int> counts;
  for (const auto& condition : held->conditions()) ++counts[condition.incident_energy_mev];
  EXPECT_NEAR(counts[1000], 84, 1);
  EXPECT_NEAR(counts[64000], 14, 1);
  EXPECT_EQ(calo::read_transform(folder / "a").max_energy_mev, 64000);
  // What Geant4 needed goes with each shower.
  const auto trained = calo::ShowerReader::open(folder / "a" / "train.h5", {}, pool);
  const auto all = calo::ShowerReader::open("data/mlfastsim", {}, pool);
  std::multiset<float> before, after;
  for (const auto& condition : all->conditions()) before.insert(condition.sim_time_s);
  for (const calo::ShowerReader* part : {held.get(), trained.get()})
    for (const auto& condition : part->conditions()) after.insert(condition.sim_time_s);
  EXPECT_EQ(before, after);
}

TEST(Preprocess, KeepsTheLimitsThatTheUserSets) {
  core::ThreadPool pool(1);
  const test::TempFolder folder;
  const calo::VoxelMesh mesh = test::small_mesh();
  calo::Showers showers = test::random_showers(mesh, 20, 1);
  showers.energies_mev[showers.offsets[3]] = -1;
  const auto writer =
      calo::ShowerWriter::create(folder / "in.h5", {.layout = calo::Layout::kCalopipe, .mesh = mesh}, pool);
  writer->append(showers);
  writer->commit();
  const auto reader = calo::ShowerReader::open(folder / "in.h5", {}, pool);
  std::filesystem::create_directory(folder / "out");
  EXPECT_THROW(calo::preprocess(*reader, {.max_bad_fraction = 0}, folder / "out", pool), core::InputError);
  EXPECT_THROW(calo::preprocess(*reader, {.cleaning = {.min_energy_mev = 3500}, .max_dropped_fraction = 0.1},
                                folder / "out", pool),
               core::InputError);
  EXPECT_THROW(calo::preprocess(*reader, {.cleaning = {.min_energy_mev = 1e6}}, folder / "out", pool),
               core::InputError);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
  EXPECT_EQ(calo::preprocess(*reader, {.max_bad_fraction = 0.05}, folder / "out", pool).training_showers, 19);
}

}  // namespace
