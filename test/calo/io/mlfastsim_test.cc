#include <gtest/gtest.h>

#include <numbers>

#include "calo/io/layouts/detail/mlfastsim_names.h"
#include "support/dense_files.h"
#include "support/temp_folder.h"

namespace {

using calo::layouts::energy_gev_of;
using calo::layouts::parse_file_name;

TEST(MlFastSimNames, TellEnergies) {
  for (const char* name : {"64", "64.0", "64.", "0064", "6.4e1", "64GeV", "64 GeV", "64_GeV", "64gev", " 64 ",
                           "64000MeV", "0.064 TeV"})
    EXPECT_DOUBLE_EQ(energy_gev_of(name).value_or(0), 64) << name;
  for (const char* name : {"", "0", "-64", "+64", "64,0", "64_0", "1_000", "128x", "abcGeV", "inf", "nan",
                           "E64", "64 GeV 2", "0x40"})
    EXPECT_FALSE(energy_gev_of(name)) << name;
}

TEST(MlFastSimNames, TellGeometryAndAngle) {
  const auto angle = [](const char* name) {
    const auto parsed = parse_file_name(name);
    return parsed && parsed->angle_deg ? *parsed->angle_deg : -1000;
  };
  for (const char* name :
       {"SiW_angle_90.h5", "SiW_Angle_90_6showers_0.h5", "SiW_ANGLE_90deg.h5", "SiW_angle_90 (1).h5",
        "SiW_angle_90_part1.HDF5", "SiW_angle_090.h5", "SiW_angle_90e.h5", "SiW_angle_90-1.h5"}) {
    EXPECT_EQ(angle(name), 90) << name;
    EXPECT_EQ(parse_file_name(name)->geometry, "SiW") << name;
  }
  EXPECT_EQ(angle("SiW_angle_0.h5"), 0);
  EXPECT_EQ(angle("SiW_angle_90.5.h5"), 90.5);
  EXPECT_EQ(angle("SiW_angle_-30.h5"), -30);
  EXPECT_NEAR(angle("SiW_angle_1.5707963rad.h5"), 90, 1e-5);
  EXPECT_EQ(parse_file_name("Par04_SiW_angle_70.h5")->geometry, "Par04_SiW");
  for (const char* name : {"SiW_angle_x.h5", "SiW_angle_.h5", "SiW_angle_nan.h5", "SiW_angle_22p5.h5",
                           "SiW_angle_22,5.h5", "SiW_angle_90_angle_70.h5"})
    EXPECT_EQ(angle(name), -1000) << name;
  EXPECT_FALSE(parse_file_name("SiW_90.h5"));
}

TEST(MlFastSim, JoinsTheNamesOfOneEnergy) {
  const test::TempFolder folder;
  test::write_columns(folder / "SiW_angle_91.h5", {test::energy("64", 3, 1), test::energy("64.0", 3, 2),
                                                   test::energy("64GeV", 2, 3), test::energy("128", 1, 4)});
  const calo::Showers showers = test::read(folder / "SiW_angle_91.h5");
  ASSERT_EQ(showers.size(), 9u);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(showers.conditions[i].incident_energy_mev, 64000);
  EXPECT_EQ(showers.conditions[8].incident_energy_mev, 128000);
  // In the order of the names.
  test::write_columns(folder / "SiW_angle_92.h5", {test::energy("64.0", 3, 2)});
  const calo::Showers second = test::read(folder / "SiW_angle_92.h5");
  EXPECT_EQ(showers.energies_of(3)[0], second.energies_of(0)[0]);
  EXPECT_TRUE(test::info_of(folder / "SiW_angle_91.h5").not_read.empty());
}

TEST(MlFastSim, LosesNoShowersForTheirName) {
  const test::TempFolder folder;
  const auto path = folder / "SiW_angle_91.h5";
  for (const char* name : {"128x", "abcGeV", "64_0", "0"}) {
    test::write_columns(path, {test::energy("64", 2, 1), test::energy(name, 3, 2)});
    EXPECT_NE(test::refusal(path).find(name), std::string::npos);
    EXPECT_NE(test::refusal(path).find("3 showers"), std::string::npos);
    // Inspecting it is allowed and shows a note.
    const calo::DatasetInfo info = test::info_of(path, {.tolerant = true});
    EXPECT_EQ(info.num_showers, 2);
    EXPECT_NE(test::text_of(info.notes).find(name), std::string::npos);
    EXPECT_NE(test::text_of(info.not_read).find(name), std::string::npos);
    // Choosing energies excludes it.
    EXPECT_EQ(test::info_of(path, {.energies_mev = {64000}}).num_showers, 2);
  }
}

TEST(MlFastSim, NamesWhatElseAFileHolds) {
  const test::TempFolder folder;
  const auto path = folder / "SiW_angle_91.h5";
  test::write_columns(path, {test::energy("64", 2, 1), {"metadata", {1, 2, 3, 4}, {2, 2}}});
  const calo::DatasetInfo info = test::info_of(path);
  ASSERT_EQ(info.not_read.size(), 1u);
  EXPECT_EQ(info.not_read[0].object, "metadata");
  EXPECT_EQ(info.not_read[0].text, "is a dataset of 2 x 2");
}

// Links inside a file.
TEST(MlFastSim, ReadsADatasetOnce) {
  const test::TempFolder folder;
  const auto path = folder / "SiW_angle_91.h5";
  test::write_columns(path, {test::energy("64", 2, 1)});
  const auto link = [&](const char* name) {
    const calo::hdf5::Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    ASSERT_GE(H5Lcreate_hard(file, "64", file, name, H5P_DEFAULT, H5P_DEFAULT), 0);
  };
  link("64.0");
  EXPECT_EQ(test::info_of(path).num_showers, 2);
  EXPECT_NE(test::text_of(test::info_of(path).not_read).find("is the same dataset as"), std::string::npos);
  link("128");
  EXPECT_NE(test::refusal(path).find("other conditions"), std::string::npos);
}

TEST(MlFastSim, TakesTheAngleFromNameOrAttribute) {
  const test::TempFolder folder;
  const auto angle_deg = [&](const std::string& name, std::optional<double> attribute) {
    calo::hdf5::File file = calo::hdf5::File::create(folder / name);
    const test::Column column = test::energy("64", 1, 1);
    file.write(column.name, column.values, column.shape);
    if (attribute) file.set_attribute("angle_deg", *attribute);
    file.close();
    return test::read(folder / name).conditions[0].theta_rad * 180 / std::numbers::pi;
  };
  EXPECT_NEAR(angle_deg("SiW_Angle_90_6showers_0.h5", std::nullopt), 90, 1e-4);
  EXPECT_EQ(angle_deg("SiW_angle_0.h5", std::nullopt), 0);
  EXPECT_NEAR(angle_deg("SiW_angle_x.h5", 70), 70, 1e-4);
  EXPECT_NEAR(angle_deg("SiW.h5", 0), 0, 1e-4);
  EXPECT_NEAR(angle_deg("SiW_angle_57.h5", 57.29578), 57.29578, 1e-4);  // a rounded name
  EXPECT_THROW(angle_deg("SiW_angle_90.h5", 70), core::InputError);
  EXPECT_THROW(angle_deg("SiW_angle_181.h5", std::nullopt), core::InputError);
  EXPECT_THROW(angle_deg("SiW_angle_-30.h5", std::nullopt), core::InputError);
  EXPECT_THROW(angle_deg("SiW_angle_y.h5", 200), core::InputError);
  EXPECT_THROW(angle_deg("SiW_90.h5", std::nullopt), core::InputError);
}

}  // namespace
