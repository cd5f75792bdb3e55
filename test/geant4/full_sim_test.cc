#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <set>

#include "calo/io/shower_reader.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "geant4/full_sim/data_folders.h"
#include "geant4/full_sim/detector.h"
#include "geant4/full_sim/part_store.h"
#include "geant4/full_sim/simulation_plan.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using geant4::Detector;
using geant4::PartStore;
using geant4::SimulationPlan;

TEST(Detector, OfPar04IsAsPublished) {
  const Detector siw = geant4::named_detector("SiW");
  EXPECT_DOUBLE_EQ(siw.outer_radius_mm(), 800 + 90 * 1.7);
  EXPECT_EQ(siw.mesh.to_string(), calo::named_mesh("SiW").to_string());
  // The meshes are as deep as the calorimeters.
  for (const std::string& name : geant4::detector_names()) {
    const Detector detector = geant4::named_detector(name);
    const auto& mesh = detector.mesh.cylinder();
    EXPECT_NEAR(mesh.n_z * mesh.size_z_mm, detector.layers * detector.layer_thickness_mm(), 1e-9) << name;
  }
  EXPECT_THROW(geant4::named_detector("LAr"), core::UsageError);
}

TEST(Detector, IsReadFromYaml) {
  const test::TempFolder folder;
  core::write_file(folder / "mine.yaml",
                   "name: Mine\ninner_radius_mm: 500\nlength_mm: 1000\nlayers: 10\n"
                   "absorbers:\n"
                   "- {material: G4_Cu, thickness_mm: 5}\n"
                   "- {material: G4_lAr, thickness_mm: 2.5, active: true}\n"
                   "mesh: {n_r: 9, n_phi: 16, n_z: 10, size_r_mm: 5, size_z_mm: 7.5}\n"
                   "sampling_fraction: 0.1\nthreshold_mev: 0.001\n");
  const Detector mine = geant4::find_detector((folder / "mine.yaml").string());
  EXPECT_EQ(mine.name, "Mine");
  EXPECT_EQ(mine.outer_radius_mm(), 575);
  ASSERT_EQ(mine.absorbers.size(), 2u);
  EXPECT_FALSE(mine.absorbers[0].active);
  EXPECT_TRUE(mine.absorbers[1].active);
  EXPECT_EQ(mine.mesh.num_cells(), 1440);
  EXPECT_EQ(mine.sampling_fraction, 0.1);
  EXPECT_EQ(mine.threshold_mev, 0.001);
}

TEST(Detector, MayBeLikeAnother) {
  const test::TempFolder folder;
  core::write_file(folder / "a.yaml", "like: SiW\nmesh: SiW-lowgran\nreadout: {}\n");
  const Detector a = geant4::read_detector(folder / "a.yaml");
  EXPECT_EQ(a.name, "SiW");
  EXPECT_EQ(a.mesh.num_cells(), 9 * 16 * 45);
  EXPECT_EQ(a.sampling_fraction, 0.027);
  EXPECT_EQ(a.readout.rows, 0);
  EXPECT_EQ(geant4::named_detector("SiW").readout.rows, 100);
  // Other plates measure another part of the energy.
  core::write_file(folder / "b.yaml",
                   "like: SiW\nabsorbers:\n- {material: G4_Pb, thickness_mm: 1.4}\n"
                   "- {material: G4_Si, thickness_mm: 0.3, active: true}\n");
  EXPECT_EQ(geant4::read_detector(folder / "b.yaml").sampling_fraction, 0);
}

TEST(Detector, RefusesByFieldWhatIsWrong) {
  const test::TempFolder folder;
  const std::pair<const char*, const char*> wrong[] = {
      {"like: SiW\nlayer: 3\n", ""},
      {"like: LAr\n", "like"},
      {"like: SiW\nlayers: 0\n", "layers"},
      {"like: SiW\nlayers: 1.5\n", "layers"},
      {"like: SiW\nlength_mm: -1\n", "length_mm"},
      {"like: SiW\nlength_mm: long\n", "length_mm"},
      {"like: SiW\nabsorbers: []\n", "absorbers"},
      {"like: SiW\nabsorbers:\n- {material: G4_W, thickness_mm: 1}\n", "absorbers"},
      {"like: SiW\nabsorbers:\n- {material: G4_W, active: true}\n", "absorbers[0].thickness_mm"},
      {"like: SiW\nmesh: {n_r: 0}\n", "mesh.n_r"},
      {"like: SiW\nmesh: LAr\n", "mesh"},
      {"like: SiW\nreadout: {rows: 100}\n", "readout"},
      {"like: SiW\nreadout: {rows: 1, slices: 1}\n", "readout"},
      {"like: SiW\nsampling_fraction: 1.1\n", "sampling_fraction"},
      {"like: SiW\nthreshold_mev: -1\n", "threshold_mev"},
      {"name: x\nlayers: 3\n", "absorbers"},
      {"like: SiW\nabsorbers:\n- {material: '', thickness_mm: 1, active: true}\n", "absorbers[0].material"},
      {"- a\n", ""}};
  for (const auto& [text, field] : wrong) {
    core::write_file(folder / "x.yaml", text);
    try {
      geant4::read_detector(folder / "x.yaml");
      ADD_FAILURE() << text;
    } catch (const core::InputError& error) {
      EXPECT_EQ(error.details().field, field) << text;
      EXPECT_EQ(error.details().file, folder / "x.yaml");
    }
  }
}

TEST(SimulationPlan, CountsAnglesThenEnergiesThenEvents) {
  const SimulationPlan plan({.energies_gev = {1, 2}, .angles_deg = {90, 50}, .events = 3});
  ASSERT_EQ(plan.num_events(), 12);
  EXPECT_EQ(plan.conditions(0).incident_energy_mev, 1000);
  EXPECT_EQ(plan.conditions(2).incident_energy_mev, 1000);
  EXPECT_EQ(plan.conditions(3).incident_energy_mev, 2000);
  EXPECT_EQ(plan.conditions(6).incident_energy_mev, 1000);
  EXPECT_NEAR(plan.conditions(5).theta_rad, std::numbers::pi / 2, 1e-6);
  EXPECT_NEAR(plan.conditions(6).theta_rad, 50 * std::numbers::pi / 180, 1e-6);
  EXPECT_THAT(plan.direction(0), testing::ElementsAre(0, 1, 0));
  const auto slanted = plan.direction(11);
  EXPECT_NEAR(slanted[2], std::cos(50 * std::numbers::pi / 180), 1e-12);
}

TEST(SimulationPlan, DrawsLogUniformEnergiesAndUniformAngles) {
  const SimulationPlan plan({.min_energy_gev = 1,
                             .max_energy_gev = 100,
                             .angles_deg = {},
                             .min_angle_deg = 50,
                             .max_angle_deg = 90,
                             .events = 4000});
  double log_sum = 0, angle_sum = 0;
  for (std::int64_t i = 0; i < 4000; ++i) {
    const calo::Conditions c = plan.conditions(i);
    ASSERT_GE(c.incident_energy_mev, 999);
    ASSERT_LE(c.incident_energy_mev, 100001);
    log_sum += std::log10(c.incident_energy_mev / 1000);
    angle_sum += c.theta_rad * 180 / std::numbers::pi;
  }
  // Uniform from 0 to 2, and from 50 to 90: 5 standard errors.
  EXPECT_NEAR(log_sum / 4000, 1, 5 * 2 / std::sqrt(12.0 * 4000));
  EXPECT_NEAR(angle_sum / 4000, 70, 5 * 40 / std::sqrt(12.0 * 4000));
}

TEST(SimulationPlan, SeedsBelongToSeedAndEvent) {
  const SimulationPlan plan({.energies_gev = {1}, .events = 1000}),
      longer({.energies_gev = {1}, .events = 9000});
  const SimulationPlan other({.energies_gev = {1}, .events = 1000, .seed = 43});
  std::set<std::array<long, 4>> seen;
  for (std::int64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(plan.seeds(i), longer.seeds(i));
    for (const long seed : plan.seeds(i)) EXPECT_GT(seed, 0);
    seen.insert(plan.seeds(i));
    seen.insert(other.seeds(i));
  }
  EXPECT_EQ(seen.size(), 2000u);
}

TEST(SimulationPlan, RefusesWhatCannotBe) {
  EXPECT_THROW(SimulationPlan({}), core::UsageError);
  EXPECT_THROW(SimulationPlan({.energies_gev = {0}}), core::UsageError);
  EXPECT_THROW(SimulationPlan({.min_energy_gev = 2, .max_energy_gev = 1}), core::UsageError);
  EXPECT_THROW(SimulationPlan({.energies_gev = {1}, .angles_deg = {180}}), core::UsageError);
  EXPECT_THROW(SimulationPlan({.energies_gev = {1}, .angles_deg = {}}), core::UsageError);
  EXPECT_THROW(SimulationPlan({.energies_gev = {1}, .events = 0}), core::UsageError);
}

class PartsTest : public testing::Test {
 protected:
  PartStore::Options options(bool resume = false) {
    return {.folder = folder_ / "parts",
            .plan = {{"gun", {{"seed", 42}}}},
            .mesh = mesh_,
            .geometry = "SiW",
            .num_events = 25,
            .events_per_part = 10,
            .resume = resume};
  }
  void write(PartStore& store, std::int64_t part) {
    calo::Showers showers(mesh_.num_cells(), {"SiW"});
    const auto first = static_cast<std::size_t>(store.first_event(part));
    const auto end = static_cast<std::size_t>(store.end_event(part));
    showers.append(all_, first, end);
    store.write(part, showers, pool_);
  }
  calo::Showers assembled(const PartStore& store, const std::string& name) {
    const auto writer = calo::ShowerWriter::create(
        folder_ / name, {.layout = calo::Layout::kPar04, .mesh = mesh_, .geometries = {"SiW"}}, pool_);
    store.append_all(*writer, pool_, [](std::int64_t) {});
    writer->commit();
    return calo::read_all(*calo::ShowerReader::open(folder_ / name, {.mesh = mesh_}, pool_));
  }

  test::TempFolder folder_;
  core::ThreadPool pool_{2};
  calo::VoxelMesh mesh_ = test::small_mesh();
  calo::Showers all_ = test::random_showers(mesh_, 25, 5);
};

TEST_F(PartsTest, GiveTheSameWhetherBrokenOrNot) {
  {
    PartStore store(options());
    EXPECT_EQ(store.num_parts(), 3);
    write(store, 1);
    store.keep_number("sampling_fraction", 0.0271);
    EXPECT_EQ(store.events_done(), 10);
  }  // killed here
  PartStore store(options(true));
  EXPECT_TRUE(store.has(1));
  EXPECT_FALSE(store.has(0));
  EXPECT_EQ(store.number("sampling_fraction"), 0.0271);
  EXPECT_FALSE(store.number("other").has_value());
  write(store, 2);
  write(store, 0);
  EXPECT_EQ(store.events_done(), 25);
  const calo::Showers showers = assembled(store, "showers.h5");
  EXPECT_EQ(showers.cells, all_.cells);
  EXPECT_EQ(showers.energies_mev, all_.energies_mev);
  store.remove();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "parts"));
}

TEST_F(PartsTest, AreNotTakenForAnotherPlan) {
  {
    PartStore store(options());
    write(store, 0);
  }
  EXPECT_THROW(PartStore(options(false)), core::UsageError);
  PartStore::Options other = options(true);
  other.plan["gun"]["seed"] = 43;
  try {
    PartStore store(other);
    ADD_FAILURE();
  } catch (const core::UsageError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("gun.seed was 42 and is 43"));
  }
  other = options(true);
  other.events_per_part = 5;
  EXPECT_THROW(PartStore{other}, core::UsageError);
}

TEST_F(PartsTest, AreForgottenWhereThereAreNone) {
  {
    PartStore store(options());
    store.keep_number("sampling_fraction", 0.03);
  }
  PartStore::Options other = options();
  other.plan["gun"]["seed"] = 43;
  EXPECT_FALSE(PartStore(other).number("sampling_fraction").has_value());
}

TEST_F(PartsTest, DoNotMixWithOtherFiles) {
  core::write_file(folder_ / "parts" / "thesis.tex", "x");
  EXPECT_THROW(PartStore{options()}, core::UsageError);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "parts" / "thesis.tex"));
  core::write_file(folder_ / "parts" / "plan.json", "{}");
  EXPECT_THROW(PartStore{options()}, core::UsageError);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "parts" / "thesis.tex"));
}

TEST_F(PartsTest, AreCheckedWhenPutTogether) {
  PartStore store(options());
  for (const std::int64_t part : {0, 1, 2}) write(store, part);
  std::filesystem::resize_file(folder_ / "parts" / "part-00000001.h5", 500);
  EXPECT_THROW(assembled(store, "showers.h5"), core::InputError);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "showers.h5"));
}

TEST(DataFolders, StandInForTheVariablesThatAreMissing) {
  std::filesystem::path folder;
  {
    const geant4::DataFolders data({"G4ENSDFSTATEDATA", "G4LEDATA"});
    folder = data.folder();
    ASSERT_NE(std::getenv("G4LEDATA"), nullptr);
    EXPECT_TRUE(std::filesystem::is_directory(std::getenv("G4LEDATA")));
    EXPECT_TRUE(std::filesystem::exists(folder / "G4ENSDFSTATEDATA" / "ENSDFSTATE.dat"));
  }
  EXPECT_EQ(std::getenv("G4LEDATA"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(folder));
}

}  // namespace
