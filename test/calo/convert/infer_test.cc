// The inference engine makes the same showers from a converted file as the model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "calo/infer/generator.h"
#include "calo/infer/noise.h"
#include "calo/models/architectures.h"
#include "calo/models/generator_graph.h"
#include "support/random_model.h"
#include "support/random_showers.h"

namespace {

TEST(InferOfConverted, AgreesWithTheModel) {
  const calo::Transform transform{.mesh = test::small_mesh(),
                                  .max_energy_mev = 250000,
                                  .max_theta_deg = 70,
                                  .one_hot_order = {"ODD", "SiW", "SciPb"},
                                  .min_trained_energy_mev = 1000,
                                  .max_trained_energy_mev = 200000,
                                  .min_trained_theta_deg = 50,
                                  .max_trained_theta_deg = 90,
                                  .trained_geometries = {"SciPb", "SiW"}};
  for (const char* activation : {"leaky_relu", "relu", "elu", "selu", "gelu", "tanh", "sigmoid"})
    for (const char* out : {"sigmoid", "relu", "softplus", "linear"}) {
      const calo::ModelFolder model = test::random_model(
          {.intermediate_dims = {30, 11}, .latent_dim = 4, .activation = activation, .out_activation = out},
          transform);
      for (const calo::Contract contract :
           {calo::Contract::kPlain, calo::Contract::kPar04Vae, calo::Contract::kPar04CaloDit}) {
        const std::string bytes =
            calo::generator_graph(model, calo::map_contract(contract, transform, ""), {});
        const calo::infer::Generator generator(
            calo::infer::Model::from_bytes({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}));
        EXPECT_TRUE(generator.model().is_generator()) << activation << out;
        EXPECT_TRUE(generator.model().runs_any_batch());
        EXPECT_EQ(generator.num_cells(), transform.mesh.num_cells());
        const auto& names = generator.geometries();
        const auto siw =
            static_cast<std::uint32_t>(std::find(names.begin(), names.end(), "SiW") - names.begin());
        ASSERT_LT(siw, names.size());
        std::vector<calo::infer::Particle> particles;
        std::vector<calo::Conditions> conditions;
        std::vector<float> latents;
        for (std::uint64_t i = 0; i < 9; ++i) {
          const float energy = 2000.0f * static_cast<float>(i * i + 1),
                      theta = 1 + 0.05f * static_cast<float>(i);
          particles.push_back({.energy_mev = energy, .theta_rad = theta, .geometry = siw, .event = i});
          conditions.push_back({.incident_energy_mev = energy, .theta_rad = theta});
          core::Philox random(3, i, calo::infer::kLatentStream);
          for (int j = 0; j < 4; ++j) latents.push_back(random.normal());
        }
        calo::infer::Workspace workspace;
        const auto cells = static_cast<std::size_t>(transform.mesh.num_cells());
        std::vector<float> got(9 * cells);
        generator.generate_dense(particles, 3, workspace, got);
        const std::vector<std::string> asked(9, "SiW");
        const std::vector<double> all = calo::architecture_of(model).reference_mev(
            model, {.latents = latents, .conditions = conditions, .geometries = asked});
        for (std::size_t i = 0; i < 9; ++i) {
          const std::span<const double> wanted(all.data() + i * cells, cells);
          const double largest = *std::max_element(wanted.begin(), wanted.end());
          ASSERT_GT(largest, 0);
          for (std::size_t cell = 0; cell < cells; ++cell)
            ASSERT_NEAR(got[i * cells + cell], wanted[cell], 1e-4 * wanted[cell] + 1e-5 * largest)
                << activation << " " << out << " " << to_string(contract);
        }
      }
    }
}

}  // namespace
