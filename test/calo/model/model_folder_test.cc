#include "calo/model/model_folder.h"

#include <gtest/gtest.h>

#include <limits>

#include "calo/io/hdf5.h"
#include "calo/models/architectures.h"
#include "calo/models/stored_model.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::ModelDescription;
using calo::ModelFolder;
using calo::read_model;

ModelFolder small_model() {
  core::ThreadPool pool(1);
  ModelFolder model{.description = {.intermediate_dims = {8, 5}, .latent_dim = 3},
                    .transform = {.mesh = test::small_mesh()}};
  model.weights =
      calo::new_model({.description = model.description, .transform = model.transform, .seed = 1}, pool)
          ->weights();
  return model;
}

TEST(ModelDescription, SurvivesJsonAndRefusesNonsense) {
  const ModelDescription description{.intermediate_dims = {7}, .optimizer = "sgd", .lr = 0.5};
  EXPECT_EQ(ModelDescription::from_json(description.to_json()).to_json(), description.to_json());
  EXPECT_THROW(ModelDescription::from_json({{"learning", 1}}), core::InputError);
  EXPECT_THROW(ModelDescription::from_json({{"lr", "fast"}}), core::InputError);
  EXPECT_THROW(ModelDescription::from_json(nlohmann::json::array()), core::InputError);
  for (const auto& [field, value] :
       std::map<std::string, nlohmann::json>{{"lr", -1},
                                             {"weight_decay", -0.5},
                                             {"lr_decay", -2},
                                             {"batch_size", 1},
                                             {"optimizer", "magic"},
                                             {"validation_split", 1},
                                             {"latent_dim", 0},
                                             {"intermediate_dims", nlohmann::json::array()},
                                             {"activation", "none"},
                                             {"epochs", -1},
                                             {"w_kl", -1}})
    EXPECT_ANY_THROW(ModelDescription::from_json({{field, value}}).validate()) << field;
  EXPECT_THROW(ModelDescription{.lr = -1}.validate(), core::UsageError);
  EXPECT_THROW(ModelDescription{.intermediate_dims = {}}.validate(), core::UsageError);
}

// Open fields of the optimisation have the architecture's defaults; other fields do not change.
TEST(ModelDescription, OpenFieldsAreTheArchitecturesOwn) {
  const ModelDescription cascade = ModelDescription::from_json(nlohmann::json::object());
  EXPECT_EQ(cascade.architecture, "cascade");
  EXPECT_EQ(cascade.optimizer, "adamw");
  EXPECT_EQ(cascade.batch_size, 16);
  ModelDescription vae = ModelDescription::unsaid();
  vae.architecture = "vae";
  EXPECT_EQ(vae.resolved().to_json(), ModelDescription{}.to_json());
  for (const char* architecture : {"cascade", "vae"}) {
    const nlohmann::json said = {{"architecture", architecture},
                                 {"optimizer", "sgd"},
                                 {"lr", 0.5},
                                 {"weight_decay", 0},
                                 {"epochs", 7},
                                 {"batch_size", 9},
                                 {"lr_schedule", "step"},
                                 {"lr_decay", 0.25}};
    const nlohmann::json found = ModelDescription::from_json(said).to_json();
    for (const auto& [field, value] : said.items()) EXPECT_EQ(found.at(field), value) << field;
    EXPECT_EQ(ModelDescription::from_json(found).to_json(), found);
  }
}

// An unknown field is named together with the field that was probably meant.
TEST(ModelDescription, NamesWhatWasMeant) {
  try {
    ModelDescription::from_json({{"latent_dims", 5}});
    FAIL();
  } catch (const core::InputError& error) {
    EXPECT_EQ(error.details().field, "latent_dims");
    EXPECT_NE(error.details().hint.find("latent_dim"), std::string::npos);
  }
}

TEST(ModelFolder, IsReadAsItWasWritten) {
  const test::TempFolder folder;
  const ModelFolder model = small_model();
  model.write(folder.path());
  const ModelFolder read = read_model(folder.path());
  EXPECT_EQ(read.description.to_json(), model.description.to_json());
  EXPECT_EQ(read.transform.to_json(), model.transform.to_json());
  ASSERT_EQ(read.weights.size(), model.weights.size());
  for (const auto& [name, tensor] : model.weights) {
    EXPECT_EQ(read.weights.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read.weights.at(name).values, tensor.values) << name;
  }
}

TEST(ModelFolder, RefusesWhatDoesNotFit) {
  const test::TempFolder folder;
  EXPECT_THROW(read_model(folder.path()), core::InputError);
  const auto broken = [&](const auto& spoil) {
    ModelFolder model = small_model();
    spoil(model);
    model.write(folder.path());
    EXPECT_THROW(read_model(folder.path()), core::InputError);
  };
  broken([](ModelFolder& model) { model.weights.erase("decoder.0.bias"); });
  broken([](ModelFolder& model) { model.description.latent_dim = 4; });
  broken([](ModelFolder& model) { model.transform.mesh = calo::VoxelMesh(); });
  broken([](ModelFolder& model) {
    model.weights.at("decoder.0.bias").values[0] = std::numeric_limits<float>::quiet_NaN();
  });
  small_model().write(folder.path());
  const std::string weights = core::read_file(folder / "weights.h5");
  core::write_file(folder / "weights.h5", weights.substr(0, weights.size() / 2));
  EXPECT_THROW(read_model(folder.path()), core::InputError);
  core::write_file(folder / "model.json", "{\"format_version\": 99}");
  EXPECT_THROW(read_model(folder.path()), core::InputError);
  core::write_file(folder / "model.json", "not json");
  EXPECT_THROW(read_model(folder.path()), core::InputError);
}

}  // namespace
