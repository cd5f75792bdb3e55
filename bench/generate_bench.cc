// Measures generation with the engine (to sparse hits) and with plain LibTorch, and the limits of the
// machine.
#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>

#include <cmath>
#include <numeric>

#include "bench/bench.h"
#include "bench/eager_vae.h"
#include "calo/generate/shower_source.h"
#include "calo/torch/module.h"

int main() {
  core::ThreadPool pool;
  calo::ModelFolder model;
  const std::int64_t cells = model.transform.mesh.num_cells();
  // Means decrease with the distance from the axis and along it, so that the threshold keeps as many cells as
  // in practice.
  model.description.output_bias = "data_mean";
  std::vector<float> means(static_cast<std::size_t>(cells));
  for (std::size_t i = 0; i < means.size(); ++i) {
    const calo::CellPosition at = model.transform.mesh.position(static_cast<std::uint32_t>(i));
    means[i] = 0.002f * std::exp(-0.9f * static_cast<float>(at.r) -
                                 0.02f * static_cast<float>((at.layer - 15) * (at.layer - 15)));
  }
  model.weights = calo::torch_module()
                      .vae(model.description, model.transform, 1, means, pool, calo::TrainingDevice::kCpu,
                           core::one_process())
                      ->weights();
  auto source = calo::ShowerSource::of_folder(model);
  bench::EagerVae eager(model.description, model.weights);
  const std::int64_t hidden = model.description.intermediate_dims.front();
  at::set_num_threads(pool.size());
  const torch::NoGradGuard no_gradients;

  // Rate at which the output layer's weights can be read, from cache or memory.
  const std::vector<float> weights(static_cast<std::size_t>(cells * hidden), 1.0f);
  const double reading = bench::best_seconds([&] {
    pool.for_each(static_cast<std::size_t>(pool.size()), [&](std::size_t worker) {
      const std::size_t share = weights.size() / static_cast<std::size_t>(pool.size());
      float sums[64] = {};
      const float* at = weights.data() + worker * share;
      for (std::size_t i = 0; i + 64 <= share; i += 64)
        for (std::size_t j = 0; j < 64; ++j) sums[j] += at[i + j];
      volatile float sink = std::accumulate(std::begin(sums), std::end(sums), 0.0f);
      static_cast<void>(sink);
    });
  });
  for (const std::int64_t batch : {1, 128, 1024}) {
    const auto size = static_cast<std::size_t>(batch);
    std::vector<calo::Conditions> conditions(size, {.incident_energy_mev = 64000, .theta_rad = 1.5707964f});
    std::size_t hits = 0;
    calo::Showers showers;
    const double ours = bench::best_seconds([&] {
      source.make(conditions, {"SiW"}, 0, 1, 0.0005, pool, showers);
      hits = showers.num_hits();
    });
    omp_set_num_threads(pool.size());
    const torch::Tensor encoded = torch::tensor({0.0625f, 1.0f, 0.0f, 1.0f}).repeat({batch, 1});
    const double peer = bench::best_seconds([&] {
      const torch::Tensor out = eager.decode(torch::randn({batch, 10}), encoded, false) * 64000.0;
    });
    std::vector<float> h(size * static_cast<std::size_t>(hidden), 0.1f),
        z(size * static_cast<std::size_t>(cells));
    const double product = bench::best_seconds([&] {
      dnnl_sgemm('N', 'T', batch, cells, hidden, 1, h.data(), hidden, weights.data(), hidden, 0, z.data(),
                 cells);
    });
    fmt::print("generation, batch {}, {} cells, {} threads, {:.0f} % of the cells above threshold\n", batch,
               cells, pool.size(), 100.0 * static_cast<double>(hits) / static_cast<double>(batch * cells));
    const auto row = [&](const char* name, double seconds) {
      fmt::print("  {:<34} {:>9.0f} showers/s   ours / this: {:5.2f}\n", name,
                 static_cast<double>(batch) / seconds, seconds / ours);
    };
    row("calopipe, to sparse hits", ours);
    row("plain LibTorch, to dense cells", peer);
    row("sgemm of the output layer", product);
    if (batch == 1) row("reading the output weights once", reading);
  }
}
