#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>
#include <numeric>

#include "calo/models/architectures.h"
#include "core/philox.h"
#include "support/random_showers.h"

namespace {

using calo::ModelDescription;

// The same network in plain LibTorch: dense input, autograd, torch::optim.
class Reference {
 public:
  Reference(const ModelDescription& description, const calo::Weights& weights) : description_(description) {
    for (const auto& [name, tensor] : weights) {
      const bool statistic = name.find("running_") != std::string::npos;
      tensors[name] = torch::tensor(tensor.values).reshape(tensor.shape).set_requires_grad(!statistic);
    }
  }

  torch::Tensor loss(const torch::Tensor& cells, const torch::Tensor& conditions,
                     const torch::Tensor& noise) {
    torch::Tensor x = torch::cat({cells, conditions}, 1);
    const auto layers = description_.intermediate_dims.size();
    for (std::size_t i = 0; i < layers; ++i) x = layer(x, "encoder." + std::to_string(i));
    const torch::Tensor mean = dense(x, "encoder.mean"), log_var = dense(x, "encoder.log_var");
    x = torch::cat({mean + torch::exp(0.5 * log_var) * noise, conditions}, 1);
    for (std::size_t i = 0; i < layers; ++i) x = layer(x, "decoder." + std::to_string(i));
    const torch::Tensor z = dense(x, "decoder.output");
    const std::string& name = description_.out_activation;
    const torch::Tensor mean_loss = name == "relu"       ? torch::mse_loss(torch::relu(z), cells)
                                    : name == "softplus" ? torch::mse_loss(torch::softplus(z), cells)
                                    : name == "linear"
                                        ? torch::mse_loss(z, cells)
                                        : torch::binary_cross_entropy(torch::sigmoid(z), cells);
    const torch::Tensor reconstruction = static_cast<double>(cells.size(1)) * mean_loss;
    const torch::Tensor kl = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean();
    return description_.w_reco * reconstruction + description_.w_kl * kl;
  }

  std::map<std::string, torch::Tensor> tensors;

 private:
  torch::Tensor dense(const torch::Tensor& x, const std::string& name) {
    return torch::matmul(x, tensors.at(name + ".weight").t()) + tensors.at(name + ".bias");
  }
  torch::Tensor layer(const torch::Tensor& x, const std::string& name) {
    return torch::batch_norm(torch::leaky_relu(dense(x, name), description_.activation_slope),
                             tensors.at(name + ".norm.weight"), tensors.at(name + ".norm.bias"),
                             tensors.at(name + ".norm.running_mean"), tensors.at(name + ".norm.running_var"),
                             true, 1 - description_.batch_norm_momentum, description_.batch_norm_epsilon,
                             false);
  }

  ModelDescription description_;
};

class VaeStep : public testing::TestWithParam<std::string> {};

// Three steps: losses, weights and running statistics agree with plain LibTorch.
TEST_P(VaeStep, AgreesWithAutograd) {
  const calo::VoxelMesh mesh(calo::VoxelMesh::Cylinder{
      .n_r = 6, .n_phi = 10, .n_z = 11});  // 660 cells: whole blocks and a remainder
  const ModelDescription description{.intermediate_dims = {20, 9},
                                     .latent_dim = 4,
                                     .out_activation = GetParam(),
                                     .kernel_initializer = "glorot_uniform",
                                     .bias_initializer = "random_normal",
                                     .w_reco = 0.7,
                                     .w_kl = 1.3,
                                     .optimizer = "sgd",
                                     .lr = GetParam() == "sigmoid" ? 1e-2 : 1e-4,
                                     .momentum = 0.9,
                                     .weight_decay = 0.01};
  const calo::Transform transform{.mesh = mesh, .max_energy_mev = 4000};
  const calo::Showers showers = test::random_showers(mesh, 24, 5);
  constexpr std::uint64_t kSeed = 9;
  core::ThreadPool pool(2);
  const auto vae = calo::new_model({.description = description, .transform = transform, .seed = kSeed}, pool);
  Reference reference(description, vae->weights());
  std::vector<torch::Tensor> trained;
  for (auto& [name, tensor] : reference.tensors)
    if (tensor.requires_grad()) trained.push_back(tensor);
  const double lr = description.lr;
  torch::optim::SGD torch_optimizer(trained, torch::optim::SGDOptions(lr).momentum(0.9).weight_decay(0.01));

  std::vector<std::uint32_t> batch(showers.size());
  std::iota(batch.begin(), batch.end(), 0u);
  torch::Tensor cells = torch::zeros({24, mesh.num_cells()}), conditions = torch::zeros({24, 4});
  for (std::int64_t i = 0; i < 24; ++i) {
    const auto index = static_cast<std::size_t>(i);
    showers.to_dense(
        index, {cells.data_ptr<float>() + i * mesh.num_cells(), static_cast<std::size_t>(mesh.num_cells())});
    cells[i] /= showers.conditions[index].incident_energy_mev;
    transform.encode(showers.conditions[index], "SiW", {conditions.data_ptr<float>() + i * 4, 4});
  }
  calo::Optimizer optimizer(description);
  for (std::uint64_t step = 0; step < 3; ++step) {
    torch::Tensor noise = torch::empty({24, 4});
    for (std::uint32_t i = 0; i < 24; ++i) {
      core::Philox random(kSeed, step << 32 | i, 0x6e6f6973);
      for (int j = 0; j < 4; ++j) noise[i][j] = random.normal();
    }
    torch_optimizer.zero_grad();
    const torch::Tensor expected = reference.loss(cells, conditions, noise);
    expected.backward();
    torch_optimizer.step();
    optimizer.begin_step(static_cast<std::int64_t>(step) + 1, lr);
    const calo::Loss loss = vae->train_step({.showers = showers, .indices = batch}, step, optimizer);
    EXPECT_NEAR(loss.total() / expected.item<double>(), 1, 1e-4) << "step " << step;
  }
  for (const auto& [name, tensor] : vae->weights()) {
    const torch::Tensor ours = torch::tensor(tensor.values).reshape(tensor.shape);
    const torch::Tensor theirs = reference.tensors.at(name).detach();
    EXPECT_LT((ours - theirs).abs().max().item<double>(), 1e-4 * (theirs.abs().max().item<double>() + lr))
        << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Outputs, VaeStep, testing::Values("sigmoid", "relu", "softplus", "linear"),
                         [](const auto& test) { return test.param; });

class TorchStep : public testing::TestWithParam<std::string> {};

// The step for a GPU, run on the CPU, learns the same as the fused step, also after setting its state.
TEST_P(TorchStep, AgreesWithTheFusedStep) {
  const calo::VoxelMesh mesh(calo::VoxelMesh::Cylinder{.n_r = 6, .n_phi = 10, .n_z = 11});
  ModelDescription description{.intermediate_dims = {20, 9},
                               .latent_dim = 4,
                               .kernel_initializer = "glorot_uniform",
                               .rotate_phi = true,
                               .optimizer = GetParam(),
                               .weight_decay = 0.01};
  if (GetParam() == "sgd") description.momentum = 0.9;
  const calo::Transform transform{.mesh = mesh, .max_energy_mev = 4000};
  const calo::Showers showers = test::random_showers(mesh, 24, 5);
  core::ThreadPool pool(2);
  const auto fused = calo::new_model({.description = description, .transform = transform, .seed = 9}, pool);
  const auto by_torch = calo::new_model({.description = description,
                                         .transform = transform,
                                         .seed = 9,
                                         .device = calo::TrainingDevice::kCpuByTorch},
                                        pool);
  std::vector<std::uint32_t> batch(showers.size());
  std::iota(batch.begin(), batch.end(), 0u);
  calo::Optimizer optimizer(description);
  for (std::int64_t step = 1; step <= 4; ++step) {
    // rmsprop and adam divide by gradients that are almost zero: only small steps are comparable.
    optimizer.begin_step(step, 1e-5);
    const calo::Loss ours = fused->train_step({.showers = showers, .indices = batch},
                                              static_cast<std::uint64_t>(step), optimizer);
    const calo::Loss theirs = by_torch->train_step({.showers = showers, .indices = batch},
                                                   static_cast<std::uint64_t>(step), optimizer);
    EXPECT_NEAR(theirs.parts[0] / ours.parts[0], 1, 1e-4) << "step " << step;
    EXPECT_NEAR(theirs.parts[1] / ours.parts[1], 1, 1e-3) << "step " << step;
    if (step == 2) by_torch->set_parameters([](std::vector<calo::Parameter>&) {});
    if (step == 3)
      by_torch->set_parameters([&](std::vector<calo::Parameter>& all) { all = fused->parameters(); });
  }
  EXPECT_NEAR(by_torch->evaluate({.showers = showers, .indices = batch}).total() /
                  fused->evaluate({.showers = showers, .indices = batch}).total(),
              1, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, TorchStep, testing::Values("adam", "adamw", "sgd", "rmsprop", "adagrad"),
                         [](const auto& test) { return test.param; });

class OptimizerStep : public testing::TestWithParam<std::string> {};

// Ten steps of calopipe's optimiser and torch::optim with the same gradients.
TEST_P(OptimizerStep, AgreesWithTorchOptim) {
  const std::string name = GetParam();
  const bool has_momentum = name == "sgd" || name == "rmsprop";
  const ModelDescription description{
      .optimizer = name, .momentum = has_momentum ? 0.9 : 0.0, .weight_decay = 0.02};
  torch::manual_seed(1);
  torch::Tensor theirs = torch::randn({1001}).set_requires_grad(true);
  calo::Parameter ours{
      .values = std::vector<float>(theirs.data_ptr<float>(), theirs.data_ptr<float>() + 1001),
      .first = std::vector<float>(1001),
      .second = std::vector<float>(1001)};
  const double lr = 0.03, decay = 0.02;
  std::unique_ptr<torch::optim::Optimizer> reference;
  using namespace torch::optim;
  if (name == "adam")
    reference = std::make_unique<Adam>(std::vector{theirs}, AdamOptions(lr).weight_decay(decay));
  if (name == "adamw")
    reference = std::make_unique<AdamW>(std::vector{theirs}, AdamWOptions(lr).weight_decay(decay));
  if (name == "sgd")
    reference = std::make_unique<SGD>(std::vector{theirs}, SGDOptions(lr).momentum(0.9).weight_decay(decay));
  if (name == "rmsprop")
    reference =
        std::make_unique<RMSprop>(std::vector{theirs}, RMSpropOptions(lr).momentum(0.9).weight_decay(decay));
  if (name == "adagrad")
    reference = std::make_unique<Adagrad>(std::vector{theirs}, AdagradOptions(lr).weight_decay(decay));
  ASSERT_TRUE(reference);
  calo::Optimizer optimizer(description);
  for (int step = 1; step <= 10; ++step) {
    const torch::Tensor gradient = torch::randn({1001});
    theirs.mutable_grad() = gradient.clone();
    reference->step();
    optimizer.begin_step(step, lr);
    optimizer.update(ours, 0, 500, gradient.data_ptr<float>());
    optimizer.update(ours, 500, 501, gradient.data_ptr<float>() + 500);
  }
  EXPECT_LT((torch::tensor(ours.values) - theirs.detach()).abs().max().item<double>(), 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, OptimizerStep,
                         testing::Values("adam", "adamw", "sgd", "rmsprop", "adagrad"),
                         [](const auto& test) { return test.param; });

}  // namespace
