#include "calo/convert/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "calo/convert/check.h"
#include "calo/infer/model.h"
#include "calo/models/generator_graph.h"
#include "calo/onnx/graph_builder.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/error_of.h"
#include "support/random_model.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::Contract;
using testing::HasSubstr;

calo::Transform siw_transform() {
  return {.mesh = test::small_mesh(),
          .min_trained_energy_mev = 1000,
          .max_trained_energy_mev = 64000,
          .min_trained_theta_deg = 50,
          .max_trained_theta_deg = 90,
          .trained_geometries = {"SiW"}};
}

calo::ModelFolder small_model(const calo::Transform& transform = siw_transform()) {
  return test::random_model({.intermediate_dims = {9, 7}, .latent_dim = 3}, transform);
}

using test::error_of;

std::vector<float> contract_row(const calo::ContractMapping& mapping, const calo::Conditions& condition,
                                double phi_rad, const std::string& geometry) {
  std::vector<float> row(mapping.columns.size());
  mapping.encode(condition, phi_rad, geometry, row);
  return row;
}

TEST(Contract, IsPar04sOwnEncoding) {
  const calo::Conditions condition{.incident_energy_mev = 512000, .theta_rad = 0.78539816f};
  const auto vae = calo::map_contract(Contract::kPar04Vae, siw_transform(), "");
  EXPECT_THAT(contract_row(vae, condition, 1, "SiW"), testing::ElementsAre(0.5f, 0.5f, 0, 1));
  EXPECT_THAT(contract_row(vae, condition, 1, "SciPb"), testing::ElementsAre(0.5f, 0.5f, 1, 0));
  EXPECT_EQ(vae.to_mev(0.25, 1000), 250);
  const auto calodit = calo::map_contract(Contract::kPar04CaloDit, siw_transform(), "");
  EXPECT_THAT(contract_row(calodit, condition, -2, "SiW"),
              testing::ElementsAre(512, -2, 0.78539816f, 1, 0, 0, 0, 0));
  EXPECT_THAT(contract_row(calodit, condition, -2, "SciPb"),
              testing::ElementsAre(512, -2, 0.78539816f, 0, 1, 0, 0, 0));
  EXPECT_EQ(calodit.to_mev(0.25, 77), 250);
  const auto plain = calo::map_contract(Contract::kPlain, siw_transform(), "");
  EXPECT_THAT(contract_row(plain, condition, 1, "SciPb"), testing::ElementsAre(512000, 0.78539816f, 1, 0));
}

// Par04 always sets the same column, for any detector.
TEST(Contract, PutsAnyGeometryAtThePlaceThatPar04Sets) {
  calo::Transform transform = siw_transform();
  transform.one_hot_order = {"SiW", "Mine", "SciPb", "ODD"};
  transform.trained_geometries = {"Mine", "SciPb"};
  const calo::Conditions condition{.incident_energy_mev = 1000};
  const auto last_two = [&](const char* geometry) {
    const auto row =
        contract_row(calo::map_contract(Contract::kPar04Vae, transform, geometry), condition, 0, geometry);
    return std::vector<float>(row.begin() + 2, row.end());
  };
  EXPECT_THAT(last_two("Mine"), testing::ElementsAre(0, 1));
  EXPECT_THAT(last_two("SciPb"), testing::ElementsAre(0, 1));
  const auto calodit = calo::map_contract(Contract::kPar04CaloDit, transform, "SciPb");
  EXPECT_EQ(calodit.columns[3].number.geometry, "SciPb");
  EXPECT_EQ(calodit.columns[4].number.geometry, "SiW");
  EXPECT_EQ(calodit.columns[5].number.geometry, "ODD");
  EXPECT_EQ(calodit.columns[6].model_column, -1);  // the model does not know FCCeeCLD
  EXPECT_EQ(calodit.columns[7].number.geometry, "Mine");
  EXPECT_EQ(calo::map_contract(Contract::kPar04CaloDit, transform, "Mine").columns[3].number.geometry,
            "Mine");
}

TEST(Contract, RefusesWhatCannotBeMapped) {
  calo::Transform transform = siw_transform();
  EXPECT_THROW(calo::parse_contract("par05"), core::UsageError);
  EXPECT_THROW(calo::map_contract(Contract::kPar04Vae, transform, "ODD"), core::UsageError);
  EXPECT_THROW(calo::map_contract(Contract::kPlain, transform, "SiW"), core::UsageError);
  transform.trained_geometries = {"SciPb"};
  const auto untrained =
      error_of<core::UsageError>([&] { calo::map_contract(Contract::kPar04Vae, transform, ""); });
  EXPECT_EQ(untrained.field, "geometry");
  EXPECT_THAT(untrained.hint, HasSubstr("SciPb"));
  transform.one_hot_order = {"ODD"};
  transform.trained_geometries = {"ODD"};
  EXPECT_THAT(
      error_of<core::UsageError>([&] { calo::map_contract(Contract::kPar04CaloDit, transform, ""); }).hint,
      HasSubstr("ODD"));
  EXPECT_NO_THROW(calo::map_contract(Contract::kPar04CaloDit, transform, "ODD"));
  transform = siw_transform();
  transform.mesh = calo::VoxelMesh(std::vector<calo::LayerBinning>{{{0, 1, 3}, 4}, {{0, 2}, 1}});
  EXPECT_THAT(
      error_of<core::UsageError>([&] { calo::map_contract(Contract::kPar04Vae, transform, ""); }).hint,
      HasSubstr("plain"));
}

// A layered mesh has no [r, phi, z]: plain has its cells in their own order.
TEST(Convert, TakesLayeredMeshesForPlain) {
  const test::TempFolder folder;
  calo::Transform transform = siw_transform();
  transform.mesh = calo::VoxelMesh(std::vector<calo::LayerBinning>{{{0, 1, 3}, 4}, {{0, 2}, 1}});
  EXPECT_LT(calo::convert(small_model(transform), {}, folder / "model.onnx").check.largest_difference, 2e-6);
  const auto model = calo::infer::Model::load(folder / "model.onnx");
  calo::infer::Workspace workspace;
  const std::vector<float> latents(6, 0.5f), energies_mev = {1000, 2000}, thetas_rad = {1.5f, 1.5f},
                                             geometries = {0, 1, 0, 1};
  const std::vector<std::int64_t> three = {2, 3}, one = {2, 1}, two = {2, 2};
  model.run(std::vector<calo::infer::InputView>{{.shape = three, .floats = latents},
                                                {.shape = one, .floats = energies_mev},
                                                {.shape = one, .floats = thetas_rad},
                                                {.shape = two, .floats = geometries}},
            {}, workspace);
  EXPECT_THAT(model.output(workspace, 0).shape, testing::ElementsAre(2, 9));
}

TEST(Convert, GivesTheSameBytesForTheSameModel) {
  const test::TempFolder folder;
  for (const Contract contract : {Contract::kPlain, Contract::kPar04Vae, Contract::kPar04CaloDit}) {
    calo::convert(small_model(), {.contract = contract}, folder / "a.onnx");
    calo::convert(small_model(), {.contract = contract, .check_showers = 3, .seed = 7}, folder / "b.onnx");
    EXPECT_TRUE(core::read_file(folder / "a.onnx") == core::read_file(folder / "b.onnx"));
  }
}

TEST(Convert, WritesNothingWhereTheCheckFails) {
  const test::TempFolder folder;
  core::write_file(folder / "model.onnx", "what was there");
  calo::ModelFolder model = small_model();
  model.weights.at("decoder.1.bias").values[2] = std::numeric_limits<float>::quiet_NaN();
  const auto error = error_of<core::Error>(
      [&] { calo::convert(model, {.contract = Contract::kPar04Vae}, folder / "model.onnx"); });
  EXPECT_THAT(error.message, HasSubstr("not finite"));
  EXPECT_TRUE(core::read_file(folder / "model.onnx") == "what was there");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  model.weights.erase("decoder.1.bias");
  EXPECT_THROW(calo::convert(model, {}, folder / "model.onnx"), core::InputError);
}

// The check finds a difference in any single weight, for every contract.
TEST(ConvertCheck, RefusesTheGraphOfAnotherModel) {
  for (const Contract contract : {Contract::kPlain, Contract::kPar04Vae, Contract::kPar04CaloDit}) {
    const calo::ModelFolder model = small_model();
    const auto mapping = calo::map_contract(contract, model.transform, "");
    EXPECT_LT(calo::check_generator(calo::generator_graph(model, mapping, {}), model, mapping, 8, 1)
                  .largest_difference,
              1e-6);
    for (const char* name : {"decoder.0.weight", "decoder.0.norm.running_var", "decoder.1.norm.bias",
                             "decoder.1.weight", "decoder.output.bias"}) {
      calo::ModelFolder other = model;
      for (float& value : other.weights.at(name).values) value *= 1.001f;
      const std::string graph = calo::generator_graph(other, mapping, {});
      const auto error = error_of<core::Error>([&] { calo::check_generator(graph, model, mapping, 8, 1); });
      EXPECT_THAT(error.message, HasSubstr("differs from LibTorch")) << name;
    }
    calo::ModelFolder elsewhere = model;
    elsewhere.transform.max_energy_mev *= 1.001;
    const auto other = calo::map_contract(contract, elsewhere.transform, "");
    EXPECT_THROW(calo::check_generator(calo::generator_graph(elsewhere, other, {}), model, mapping, 8, 1),
                 core::Error);
    EXPECT_THROW(calo::check_generator("no ONNX", model, mapping, 8, 1), core::Error);
  }
}

TEST(GraphBuilder, RefusesNamesThatAreTakenOrUnknown) {
  calo::GraphBuilder graph("graph", "");
  graph.input("x", {1, 2});
  EXPECT_THROW(graph.input("x", {1, 2}), std::logic_error);
  EXPECT_THROW(graph.input("a.b", {1, 2}), std::logic_error);
  EXPECT_THROW(graph.input("", {1, 2}), std::logic_error);
  EXPECT_THROW(graph.input("1x", {1, 2}), std::logic_error);
  EXPECT_THROW(graph.node("Relu", {"y"}, "z"), std::logic_error);
  EXPECT_THROW(graph.output("z", {1, 2}), std::logic_error);
}

std::string macro_for(const calo::ModelFolder& model, Contract contract, const std::string& geometry,
                      const calo::Par04MacroOptions& options) {
  return calo::par04_macro(model, calo::map_contract(contract, model.transform, geometry), options);
}

// Every command is one of Par04's (its messengers and examplePar04_onnx_*.mac) or of the Geant4 kernel.
TEST(Par04Macro, UsesPar04sCommandsInPar04sOrder) {
  const std::set<std::string> known = {"/process/had/verbose",
                                       "/Par04/detector/setDetectorInnerRadius",
                                       "/Par04/detector/setDetectorLength",
                                       "/Par04/detector/setNbOfLayers",
                                       "/Par04/detector/setAbsorber",
                                       "/Par04/parallel/setNbOfSlices",
                                       "/Par04/parallel/setNbOfRows",
                                       "/Par04/mesh/setSizeOfRhoCells",
                                       "/Par04/mesh/setSizeOfZCells",
                                       "/Par04/mesh/setNbOfRhoCells",
                                       "/Par04/mesh/setNbOfPhiCells",
                                       "/Par04/mesh/setNbOfZCells",
                                       "/run/initialize",
                                       "/Par04/inference/setSizeLatentVector",
                                       "/Par04/inference/setSizeConditionVector",
                                       "/Par04/inference/setModelPathName",
                                       "/Par04/inference/setModelType",
                                       "/Par04/inference/setProfileFlag",
                                       "/Par04/inference/setOptimizationFlag",
                                       "/Par04/inference/setCudaFlag",
                                       "/Par04/inference/setInferenceLibrary",
                                       "/Par04/inference/setSizeOfRhoCells",
                                       "/Par04/inference/setSizeOfZCells",
                                       "/Par04/inference/setNbOfRhoCells",
                                       "/Par04/inference/setNbOfPhiCells",
                                       "/Par04/inference/setNbOfZCells",
                                       "/param/ActivateModel",
                                       "/gun/particle",
                                       "/gun/position",
                                       "/gun/energy",
                                       "/gun/direction",
                                       "/analysis/setFileName",
                                       "/run/beamOn"};
  const calo::ModelFolder model = small_model();
  for (const Contract contract : {Contract::kPar04Vae, Contract::kPar04CaloDit}) {
    const std::string macro = macro_for(model, contract, "", {.model_path = "model.onnx"});
    std::istringstream lines(macro);
    for (std::string line; std::getline(lines, line);)
      if (!line.empty() && line[0] != '#') {
        EXPECT_TRUE(known.contains(line.substr(0, line.find(' ')))) << line;
      }
    const auto at = [&](const char* text) {
      EXPECT_NE(macro.find(text), std::string::npos) << text;
      return macro.find(text);
    };
    // Detector and mesh come before the run is initialised, inference after; the library comes after
    // everything that it opens.
    EXPECT_LT(at("/Par04/mesh/setNbOfZCells 5"), at("/run/initialize"));
    EXPECT_LT(at("/run/initialize"), at("/Par04/inference/setModelPathName model.onnx\n"));
    EXPECT_LT(at("/Par04/inference/setModelPathName"), at("/Par04/inference/setInferenceLibrary ONNX"));
    EXPECT_LT(at("/Par04/inference/setModelType"), at("/Par04/inference/setInferenceLibrary"));
    EXPECT_LT(at("/param/ActivateModel defineMesh"), at("/param/ActivateModel inferenceModel"));
    EXPECT_LT(at("/param/ActivateModel inferenceModel"), at("/run/beamOn"));
  }
}

TEST(Par04Macro, SaysWhatWasAskedFor) {
  const calo::ModelFolder model = small_model();
  const std::string macro = macro_for(
      model, Contract::kPar04Vae, "",
      {.energies_gev = {1, 0.5}, .angles_deg = {90, 60}, .events = 7, .model_path = "my models/a.onnx"});
  EXPECT_THAT(macro, HasSubstr("/Par04/detector/setAbsorber 0 G4_W 1.4 mm true\n"));
  EXPECT_THAT(macro, HasSubstr("/Par04/inference/setSizeLatentVector 3\n"));
  EXPECT_THAT(macro, HasSubstr("/Par04/inference/setSizeConditionVector 4\n"));
  EXPECT_THAT(macro, HasSubstr("/Par04/inference/setModelType VAE\n"));
  EXPECT_THAT(macro, HasSubstr("/Par04/inference/setModelPathName my models/a.onnx\n"));
  EXPECT_THAT(macro, HasSubstr("/gun/energy 0.5 GeV\n/gun/direction 0 1 0\n"));
  EXPECT_THAT(macro, HasSubstr("/gun/direction 0 0.866025403784 0.5\n"));
  std::size_t runs = 0;
  for (std::size_t at = 0; (at = macro.find("/run/beamOn 7\n", at)) != std::string::npos; ++at) ++runs;
  EXPECT_EQ(runs, 4u);
  const std::string other = macro_for(model, Contract::kPar04CaloDit, "SciPb", {.model_path = "a.onnx"});
  EXPECT_THAT(other, HasSubstr("/Par04/detector/setAbsorber 0 G4_Pb 4.4 mm true\n"));
  EXPECT_THAT(other, HasSubstr("/Par04/inference/setModelType CaloDiT-2\n"));
  EXPECT_THAT(other, HasSubstr("/gun/energy 10 GeV\n"));
  EXPECT_THAT(other, testing::Not(HasSubstr("setSizeLatentVector")));
  const auto refused = [&](const calo::Par04MacroOptions& options) {
    EXPECT_THROW(macro_for(model, Contract::kPar04Vae, "", options), core::UsageError);
  };
  refused({.energies_gev = {0}, .model_path = "a"});
  refused({.angles_deg = {180}, .model_path = "a"});
  for (const char* path : {"a\n/control/shell x", "", "a#b", "\"a b\"", "a  b", "{a}"})
    refused({.model_path = path});
}

TEST(Convert, WritesTheMacroBesideTheModel) {
  const test::TempFolder folder;
  std::filesystem::create_directories(folder / "macros");
  calo::convert(small_model(), {.contract = Contract::kPar04Vae, .macro_file = folder / "macros/par04.mac"},
                folder / "model.onnx");
  EXPECT_THAT(core::read_file(folder / "macros/par04.mac"), HasSubstr("setModelPathName ../model.onnx\n"));
  EXPECT_THROW(calo::convert(small_model(), {.macro_file = folder / "none.mac"}, folder / "b.onnx"),
               core::UsageError);
  EXPECT_FALSE(std::filesystem::exists(folder / "b.onnx"));
}

}  // namespace
