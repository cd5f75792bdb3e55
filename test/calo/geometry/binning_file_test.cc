#include "calo/geometry/binning_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <clocale>
#include <optional>

#include "calo/geometry/detail/particle_names.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/data_set_1.h"
#include "support/temp_folder.h"

namespace {

using calo::Binning;
using calo::VoxelMesh;

class BinningFile : public testing::Test {
 protected:
  Binning read(const std::string& text, const std::string& particle = "") {
    core::write_file(folder_ / "binning.xml", text);
    return Binning::read(folder_ / "binning.xml", particle);
  }
  VoxelMesh mesh(const std::string& text, std::uint64_t cells, const std::string& particle = "") {
    return read(text, particle).mesh(cells, "data.h5", "showers");
  }
  void expect_refused(const std::string& text, const std::vector<std::string>& words,
                      const std::string& particle = "", std::optional<std::uint64_t> cells = std::nullopt) {
    try {
      const Binning binning = read(text, particle);
      if (cells) binning.mesh(*cells, "data.h5", "showers");
      ADD_FAILURE() << "was read: " << text;
    } catch (const core::InputError& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find("binning.xml"), std::string::npos) << what;
      for (const std::string& word : words)
        EXPECT_NE(what.find(word), std::string::npos) << word << " in " << what;
    }
  }

  test::TempFolder folder_;
};

std::string bin(const std::string& attributes, const std::string& layers) {
  return "<Bin " + attributes + ">" + layers + "</Bin>";
}
std::string layer(const std::string& id, const std::string& edges, const std::string& n_phi) {
  return fmt::format(R"(<Layer{} r_edges="{}" n_bin_alpha="{}"/>)",
                     id.empty() ? "" : fmt::format(" id=\"{}\"", id), edges, n_phi);
}
std::string bins(const std::string& text) {
  return "<Bins>" + text + "</Bins>";
}

// The challenge's first file: particles differ by pid and have no names.
const std::string kByPid = bins(
    bin(R"(pid="22" etaMin="0" etaMax="130")", layer("0", "0,5,10,30", "1") + layer("1", "0,2,4", "10")) +
    bin(R"(pid="211" etaMin="0" etaMax="130")", layer("0", "0,5,10,30", "1") + layer("1", "0,2,4,6", "10")));

TEST_F(BinningFile, ChoosesByPidNameOrNumberOfCells) {
  for (const char* photon : {"22", "photon", "gamma", "Photon", "+22", "pid 22, eta 0 to 130"})
    EXPECT_EQ(mesh(kByPid, 23, photon).num_cells(), 23) << photon;
  for (const char* pion : {"211", "pion", "pi+", "piplus"})
    EXPECT_EQ(mesh(kByPid, 33, pion).num_cells(), 33) << pion;
  EXPECT_EQ(mesh(kByPid, 23).num_cells(), 23);
  EXPECT_EQ(mesh(kByPid, 33).num_cells(), 33);
  expect_refused(kByPid, {"pid 22", "pid 211", "electron"}, "electron");
  expect_refused(kByPid, {"pid 22", "pid 211"}, "-211");
  // The message has the numbers of cells of the data and of the file.
  expect_refused(kByPid,
                 {"data.h5", "showers", "24 cells", "pid 22, eta 0 to 130: 23", "pid 211, eta 0 to 130: 33"},
                 "", 24);
  expect_refused(kByPid, {"33 cells", "pid 22, eta 0 to 130: 23"}, "22", 33);
}

TEST_F(BinningFile, ChoosesByNameWithoutPid) {
  const std::string text =
      bins(bin(R"(name="e-")", layer("", "0,1,3", "2")) + bin(R"(name="my beam")", layer("", "0,1", "2")));
  EXPECT_EQ(mesh(text, 4, "11").num_cells(), 4);
  EXPECT_EQ(mesh(text, 4, "electron").num_cells(), 4);
  EXPECT_EQ(mesh(text, 2, "My Beam").num_cells(), 2);
  expect_refused(text, {"e-; my beam"}, "22");
}

// Several regions of one particle.
TEST_F(BinningFile, TellsRegionsInEtaApart) {
  const std::string layers = layer("0", "0,5,9", "3"), others = layer("0", "0,4,9", "3");
  const std::string text = bins(bin(R"(pid="22" name="photon" etaMin="0" etaMax="20")", layers) +
                                bin(R"(pid="22" name="photon" etaMin="20" etaMax="40")", others));
  expect_refused(text, {"photon (pid 22), eta 0 to 20; photon (pid 22), eta 20 to 40", "--particle"}, "22",
                 6);
  EXPECT_EQ(mesh(text, 6, "photon (pid 22), eta 20 to 40").layer(0).r_edges_mm[1], 4);
  // Equal meshes need no choice.
  const std::string equal =
      bins(bin(R"(pid="22" etaMin="0")", layers) + bin(R"(pid="11" etaMin="0")", layers));
  EXPECT_EQ(mesh(equal, 6).num_cells(), 6);
}

TEST_F(BinningFile, ReadsNumbersFromEndToEnd) {
  const auto one = [](const std::string& edges, const std::string& n_phi = "2") {
    return bins(bin(R"(name="e-")", layer("0", "0, 1", "2") + layer("1", edges, n_phi)));
  };
  EXPECT_EQ(mesh(one(" 0 ,\t5,\n 1e1 "), 6).layer(1).r_edges_mm, (std::vector<double>{0, 5, 10}));
  EXPECT_EQ(mesh(one("0,5", " 3 "), 5).layer(1).n_phi, 3);
  for (const char* edges : {"0,2mm,4", "0, 5 ,10,30,", ",0,5", "0,,5", "", " ", "0,x", "0,inf", "0,nan",
                            "0 5", "0,5;7", "0,0x10", "0,5,", "1.5.2,3"})
    expect_refused(one(edges), {"e-, Layer 1", "which is not a number"});
  for (const char* edges : {"0,5,3", "0,5,5", "-1,0,5"}) expect_refused(one(edges), {"e-", "layer 1"});
  for (const char* n_phi : {"10.5", "abc", "", "0", "-3", "1e2", "99999999999", "10 5"})
    expect_refused(one("0,5", n_phi), {"e-, Layer 1", "n_bin_alpha"});
  expect_refused(bins(bin(R"(name="e-")", R"(<Layer id="0" n_bin_alpha="2"/>)")),
                 {"Layer 0", "r_edges is missing"});
  expect_refused(bins(bin(R"(name="e-")", R"(<Layer id="0" r_edges="0,1"/>)")),
                 {"Layer 0", "n_bin_alpha is missing"});
}

// These files have a decimal point even if the locale has a comma.
TEST_F(BinningFile, DoesNotMindTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr)
    GTEST_SKIP() << "the locale de_DE.UTF-8 is not installed";
  const VoxelMesh read = mesh(bins(bin("", layer("", "0.5,2.5", "1"))), 1);
  std::setlocale(LC_ALL, before.c_str());
  EXPECT_EQ(read.layer(0).r_edges_mm, (std::vector<double>{0.5, 2.5}));
}

TEST_F(BinningFile, PutsLayersInTheOrderOfTheirIds) {
  const VoxelMesh turned = mesh(bins(bin("", layer("1", "0,1,2", "1") + layer("0", "0,5", "1"))), 3);
  EXPECT_EQ(turned.layer(0).r_edges_mm, (std::vector<double>{0, 5}));
  EXPECT_EQ(turned.layer(1).r_edges_mm, (std::vector<double>{0, 1, 2}));
  // Layers that are missing have no cells, like layers with one edge.
  const VoxelMesh gaps = mesh(bins(bin("", layer("0", "0,5", "1") + layer("3", "0,1,2", "4"))), 9),
                  full = mesh(bins(bin("", layer("0", "0,5", "1") + layer("1", "0", "1") +
                                               layer("2", "0", "1") + layer("3", "0,1,2", "4"))),
                              9);
  EXPECT_EQ(gaps.num_layers(), 4);
  EXPECT_EQ(gaps.layer(1).num_cells(), 0);
  EXPECT_TRUE(gaps.is_alike(full));
  expect_refused(bins(bin("pid=\"22\"", layer("0", "0,5", "1") + layer("0", "0,6", "1"))),
                 {"pid 22, Layer 0", "two layers"});
  expect_refused(bins(bin("pid=\"22\"", layer("0", "0,5", "1") + layer("", "0,6", "1"))),
                 {"pid 22", "do not"});
  for (const char* id : {"x", "-1", "1.5", "", "1000000000"})
    expect_refused(
        bins(bin("pid=\"22\"", fmt::format(R"(<Layer id="{}" r_edges="0,1" n_bin_alpha="1"/>)", id))),
        {"pid 22", "id="});
}

TEST_F(BinningFile, IsACylinderWhereAllLayersAreAlike) {
  const auto cylinder = mesh(
      bins(bin(R"(name="electron")", layer("1", "0,4.65,9.3", "16") + layer("2", "0,4.65,9.3", "16"))), 64);
  ASSERT_TRUE(cylinder.is_cylinder());
  EXPECT_DOUBLE_EQ(cylinder.cylinder().size_r_mm, 4.65);
  EXPECT_EQ(cylinder.cylinder().n_z, 2);
  EXPECT_FALSE(mesh(bins(bin("", layer("0", "1,2,3", "16") + layer("1", "1,2,3", "16"))), 64).is_cylinder());
  EXPECT_FALSE(mesh(bins(bin("", layer("0", "0,2,5", "16") + layer("1", "0,2,5", "16"))), 64).is_cylinder());
}

TEST_F(BinningFile, TakesXmlAsItComes) {
  const std::string text =
      "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><!DOCTYPE Bins><!-- rings -->\n"
      "<b:Bins xmlns:b=\"urn:b\"><!-- photons --><b:Bin pid=\"22\" xmlns=\"urn:c\">"
      "<!-- front --><b:Layer id=\"0\" r_edges=\"0,5\" n_bin_alpha=\"3\"></b:Layer></b:Bin></b:Bins>\n";
  EXPECT_EQ(mesh(text, 3, "22").num_cells(), 3);
  expect_refused("<Bins><Bin>", {"is not a binning file"});
  expect_refused("", {"is not a binning file"});
  expect_refused("<html><body/></html>", {"no element Bins"});
  expect_refused("<Bins/>", {"no element Bin"});
  expect_refused(bins("<Bin pid=\"22\"/>"), {"pid 22", "no element Layer"});
  expect_refused(bins("<Bin pid=\"x\"/>"), {"Bin 1", "pid"});
  expect_refused(bins("<Cell/>"), {"unknown element Cell"});
  expect_refused(bins(bin("pid=\"22\"", "<Ring/>")), {"pid 22", "unknown element Ring"});
  expect_refused(bins(bin("pid=\"22\"", layer("0", "0", "1"))), {"pid 22", "no cells"});
  EXPECT_THROW(Binning::read(folder_ / "missing.xml", ""), core::InputError);
  EXPECT_THROW(Binning::read(folder_.path(), ""), core::InputError);
}

TEST_F(BinningFile, SurvivesJson) {
  const Binning binning = Binning::from_json(read(kByPid).to_json());
  ASSERT_EQ(binning.bins().size(), 2u);
  EXPECT_EQ(binning.bins()[0].to_string(), "pid 22, eta 0 to 130");
  EXPECT_EQ(binning.mesh(33, "", "").num_cells(), 33);
  EXPECT_THROW(Binning::from_json({{"bins", 3}}), core::InputError);
}

// The public data set 1 is known by its number of cells, and equals the binning in XML.
TEST_F(BinningFile, OfDataSet1IsKnownByTheNumberOfCells) {
  for (const auto& [cells, text] : {std::pair{368u, test::kPhotons}, std::pair{533u, test::kPions}}) {
    const auto known = calo::mesh_of_cells(cells);
    ASSERT_TRUE(known);
    EXPECT_EQ(static_cast<std::uint64_t>(known->num_cells()), cells);
    EXPECT_EQ(known->num_layers(), 24);
    EXPECT_EQ(*known, mesh(text, cells));
  }
  for (const std::uint64_t cells : {0u, 367u, 369u, 40500u}) EXPECT_FALSE(calo::mesh_of_cells(cells));
}

TEST(ParticleNames, AreThoseOfThePdg) {
  EXPECT_EQ(calo::particle_id("22"), 22);
  EXPECT_EQ(calo::particle_id("-11"), -11);
  EXPECT_EQ(calo::particle_id("GAMMA"), 22);
  EXPECT_EQ(calo::particle_id("e-"), 11);
  EXPECT_EQ(calo::particle_id("positron"), -11);
  EXPECT_EQ(calo::particle_id("pi-"), -211);
  EXPECT_EQ(calo::particle_id("22x"), std::nullopt);
  EXPECT_EQ(calo::particle_id(""), std::nullopt);
}

}  // namespace
