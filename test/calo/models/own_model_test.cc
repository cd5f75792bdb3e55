// A new architecture, as in doc/add-a-model.md, from the interface to showers and an ONNX file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "calo/convert/convert.h"
#include "calo/generate/generate.h"
#include "calo/io/shower_reader.h"
#include "calo/models/architectures.h"
#include "calo/models/stored_model.h"
#include "calo/onnx/contract_graph.h"
#include "calo/train/trainer.h"
#include "core/error.h"
#include "support/temp_folder.h"
#include "support/toy_showers.h"

namespace {

using calo::Parameter;

// Energy of a cell = incident energy x the mean fraction of the cell x exp(spread x noise), with one random
// number per shower: a minimal generator.
class ScaledMean : public calo::TrainableModel {
 public:
  ScaledMean(std::int64_t cells, std::uint64_t seed) {
    core::Philox random(seed, 0);
    Parameter mean{.name = "mean", .shape = {cells}};
    for (std::int64_t i = 0; i < cells; ++i) mean.values.push_back(0.001f * random.uniform());
    parameters_ = {mean, Parameter{.name = "log_spread", .shape = {1}, .values = {-1}}};
    for (Parameter& parameter : parameters_)
      parameter.first = parameter.second = std::vector<float>(parameter.values.size());
  }

  std::vector<std::string> loss_parts() const override { return {"cells", "response"}; }

  calo::Loss train_step(const calo::Batch& batch, std::uint64_t, const calo::Optimizer& optimizer) override {
    std::vector<float> mean_gradient(parameters_[0].values.size()), spread_gradient(1);
    calo::Loss loss = pass(batch, &mean_gradient, &spread_gradient);
    optimizer.update(parameters_[0], 0, mean_gradient.size(), mean_gradient.data());
    optimizer.update(parameters_[1], 0, 1, spread_gradient.data());
    return loss;
  }

  calo::Loss evaluate(const calo::Batch& batch) override { return pass(batch, nullptr, nullptr); }

  const std::vector<Parameter>& parameters() override { return parameters_; }
  void set_parameters(const std::function<void(std::vector<Parameter>&)>& change) override {
    change(parameters_);
  }
  calo::Weights weights() override {
    calo::Weights weights;
    for (const Parameter& parameter : parameters_)
      weights[parameter.name] = {parameter.shape, parameter.values};
    return weights;
  }

 private:
  // Squared error of the cells, and the likelihood of a normal distribution of ln(response).
  calo::Loss pass(const calo::Batch& batch, std::vector<float>* mean_gradient,
                  std::vector<float>* spread_gradient) {
    const calo::Showers& showers = batch.showers;
    const std::vector<float>& mean = parameters_[0].values;
    const double log_spread = parameters_[1].values[0], spread = std::exp(log_spread);
    const auto size = static_cast<double>(batch.size());
    double cells = 0, response = 0, sum_of_means = 0;
    for (const float value : mean) sum_of_means += value;
    std::vector<float> dense(mean.size());
    for (const std::uint32_t shower : batch.indices) {
      showers.to_dense(shower, dense);
      const double energy = showers.conditions[shower].incident_energy_mev;
      double total = 0;
      for (std::size_t i = 0; i < mean.size(); ++i) {
        const double difference = mean[i] - dense[i] / energy;
        cells += difference * difference / size;
        total += dense[i] / energy;
        if (mean_gradient) (*mean_gradient)[i] += static_cast<float>(2 * difference / size);
      }
      const double distance = std::log(total / std::max(sum_of_means, 1e-9)) / spread;
      response += (log_spread + distance * distance / 2) / size;
      if (spread_gradient) (*spread_gradient)[0] += static_cast<float>((1 - distance * distance) / size);
    }
    return {.parts = {cells, response}};
  }

  std::vector<Parameter> parameters_;
};

class ScaledMeanArchitecture : public calo::Architecture {
 public:
  std::string name() const override { return "scaled-mean"; }
  calo::TrainingDevice device(const std::string&) const override { return calo::TrainingDevice::kCpu; }
  std::unique_ptr<calo::TrainableModel> start(const calo::ModelStart& start,
                                              core::ThreadPool&) const override {
    return std::make_unique<ScaledMean>(start.transform.mesh.num_cells(), start.seed);
  }
  calo::TensorShapes tensor_shapes(const calo::ModelDescription&,
                                   const calo::Transform& transform) const override {
    return {{"mean", {transform.mesh.num_cells()}}, {"log_spread", {1}}};
  }
  std::int64_t latent_dim(const calo::ModelFolder&) const override { return 1; }
  void add_generator(calo::GraphBuilder& graph, const calo::ModelFolder& model,
                     const calo::ContractMapping& mapping) const override {
    const calo::VoxelMesh& mesh = model.transform.mesh;
    const calo::ContractInputs inputs = calo::add_contract_inputs(graph, mapping, 1);
    graph.floats("mean", {1, mesh.num_cells()}, model.weights.at("mean").values);
    graph.floats("spread", {}, {std::exp(model.weights.at("log_spread").values[0])});
    graph.node("Mul", {inputs.latent, "spread"}, "log_response");
    graph.node("Exp", {"log_response"}, "response");
    graph.node("Mul", {inputs.energy_mev, "response"}, "shower_mev");
    graph.node("Relu", {"mean"}, "fractions");
    graph.node("Mul", {"shower_mev", "fractions"}, "cells_mev");
    calo::add_contract_output(graph, mapping, mesh, inputs, "cells_mev");
  }
  std::vector<double> reference_mev(const calo::ModelFolder& model,
                                    const calo::GivenNoise& wanted) const override {
    const double spread = std::exp(static_cast<double>(model.weights.at("log_spread").values[0]));
    std::vector<double> cells;
    for (std::size_t i = 0; i < wanted.conditions.size(); ++i)
      for (const float mean : model.weights.at("mean").values)
        cells.push_back(wanted.conditions[i].incident_energy_mev * std::exp(spread * wanted.latents[i]) *
                        std::max(static_cast<double>(mean), 0.0));
    return cells;
  }
  calo::Agreement agreement() const override { return {.with = "its definition", .tolerance = 1e-5}; }
  bool runs_in_libtorch() const override { return false; }
};

const ScaledMeanArchitecture kScaledMean;

TEST(OwnModel, IsTrainedStoredGeneratedAndConverted) {
  calo::add_architecture(kScaledMean, {.lr = 0.01, .batch_size = 20, .epochs = 200});
  EXPECT_THAT(calo::ModelDescription::known_architectures(),
              testing::ElementsAre("cascade", "scaled-mean", "vae"));

  // Trained like `calopipe train`.
  calo::ModelDescription open = calo::ModelDescription::unsaid();
  open.architecture = "scaled-mean";
  const calo::ModelDescription description = open.resolved();
  EXPECT_EQ(description.lr, 0.01);
  description.validate();
  const calo::VoxelMesh mesh = test::uneven_mesh();
  const calo::Showers showers = test::toy_showers(mesh, 200, 5);
  core::ThreadPool pool(2);
  const calo::TrainResult result = calo::train(showers, test::toy_transform(mesh), description, {}, pool);
  EXPECT_LT(result.history.back().loss, result.history.front().loss);
  EXPECT_TRUE(result.history.back().parts.contains("response"));

  // Stored, and read back with its shapes checked.
  const test::TempFolder folder;
  const calo::ModelFolder model{
      .description = description, .transform = test::toy_transform(mesh), .weights = result.weights};
  calo::write_model(folder.path(), model);
  EXPECT_EQ(calo::read_model(folder.path()).weights.at("mean").values, model.weights.at("mean").values);

  // Generated: the mean response is that of the training showers.
  calo::ShowerSource source = calo::ShowerSource::open(folder.path());
  calo::Showers made;
  std::vector<calo::Conditions> conditions(showers.conditions.begin(), showers.conditions.end());
  source.make(conditions, {"SiW"}, 0, 3, 0, pool, made);
  const auto mean_log_response = [](const calo::Showers& some) {
    double sum = 0;
    for (std::size_t i = 0; i < some.size(); ++i) {
      double total = 0;
      for (const float energy : some.energies_of(i)) total += energy;
      sum += std::log(total / some.conditions[i].incident_energy_mev);
    }
    return sum / static_cast<double>(some.size());
  };
  EXPECT_NEAR(mean_log_response(made), mean_log_response(showers), 0.05);

  // Converted for every contract, each checked against reference_mev().
  for (const calo::Contract contract :
       {calo::Contract::kPlain, calo::Contract::kPar04Vae, calo::Contract::kPar04CaloDit}) {
    const auto report = calo::convert(model, {.contract = contract}, folder / "model.onnx");
    EXPECT_EQ(report.check.same, report.check.showers) << to_string(contract);
  }
}

// A model description allows exactly the names of the existing architectures.
TEST(Architectures, AreThoseOfTheDescription) {
  std::vector<std::string> names;
  for (const calo::Architecture* one : calo::architectures()) names.push_back(one->name());
  EXPECT_EQ(names, calo::ModelDescription::known_architectures());
  EXPECT_THROW(calo::architecture("gan"), core::InputError);
}

}  // namespace
