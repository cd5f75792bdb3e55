// Measures a training step of calopipe and of plain LibTorch, and the machine's sgemm rate, with real
// showers; and the efficiency of two processes of one core each.
// usage: train_bench [SHOWERS]   (default: the sample in data/)
#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>

#include <numeric>

#include "bench/bench.h"
#include "bench/eager_vae.h"
#include "bench/ranks_bench.h"
#include "calo/io/shower_reader.h"
#include "calo/models/architectures.h"

int main(int argc, char** argv) {
  if (argc == 5 && std::string(argv[1]) == "--worker") return bench::worker(argv);
  const std::string showers = argc > 1 ? argv[1] : "data/mlfastsim";
  fmt::print("training by processes of one core each\n");
  for (const auto& [model, batch] : {std::pair("cascade", 16), {"cascade", 32}, {"vae", 128}, {"vae", 512}})
    bench::print_efficiency(model, static_cast<std::size_t>(batch), showers);
  core::ThreadPool pool;
  constexpr std::int64_t kBatch = 128;
  const auto reader = calo::ShowerReader::open(showers, {}, pool);
  const calo::Showers all = calo::read_all(*reader);
  const calo::Transform transform{.mesh = reader->info().mesh};
  const calo::ModelDescription description;
  const std::int64_t cells = transform.mesh.num_cells();
  // Takes showers at equal distances, so that all energies are in the batch.
  std::vector<std::uint32_t> batch;
  for (std::size_t i = 0; i < kBatch; ++i)
    batch.push_back(static_cast<std::uint32_t>(i * all.size() / kBatch));

  const auto vae = calo::new_model({.description = description, .transform = transform, .seed = 1}, pool);
  bench::EagerVae eager(description, vae->weights());
  calo::Optimizer optimizer(description);
  std::int64_t step = 0;
  const double ours = bench::best_seconds([&] {
    optimizer.begin_step(++step, description.lr);
    vae->train_step({.showers = all, .indices = batch}, static_cast<std::uint64_t>(step), optimizer);
  });

  torch::Tensor dense = torch::zeros({kBatch, cells}),
                conditions = torch::zeros({kBatch, transform.condition_dim()});
  for (std::int64_t i = 0; i < kBatch; ++i) {
    const std::uint32_t shower = batch[static_cast<std::size_t>(i)];
    all.to_dense(shower, {dense.data_ptr<float>() + i * cells, static_cast<std::size_t>(cells)});
    dense[i] /= all.conditions[shower].incident_energy_mev;
    transform.encode(all.conditions[shower], "SiW",
                     {conditions.data_ptr<float>() + i * transform.condition_dim(), 4});
  }
  at::set_num_threads(pool.size());
  omp_set_num_threads(pool.size());
  torch::optim::Adam adam(eager.trained, torch::optim::AdamOptions(description.lr));
  const double peer = bench::best_seconds([&] {
    adam.zero_grad();
    eager.loss(dense, conditions).backward();
    adam.step();
  });

  // The dense step has five products of batch x cells x hidden: two for the first layer, three for the last.
  const std::int64_t hidden = description.intermediate_dims.front();
  std::vector<float> h(static_cast<std::size_t>(kBatch * hidden), 0.1f),
      w(static_cast<std::size_t>(cells * hidden), 0.1f), z(static_cast<std::size_t>(kBatch * cells));
  const double limit = bench::best_seconds([&] {
    for (int product = 0; product < 5; ++product)
      dnnl_sgemm('N', 'T', kBatch, cells, hidden, 1, h.data(), hidden, w.data(), hidden, 0, z.data(), cells);
  });
  fmt::print("training, batch {}, {} cells, {} threads\n", kBatch, cells, pool.size());
  const auto row = [&](const char* name, double seconds) {
    fmt::print("  {:<34} {:>9.0f} showers/s   ours / this: {:5.2f}\n", name, kBatch / seconds,
               seconds / ours);
  };
  row("calopipe", ours);
  row("plain LibTorch step", peer);
  row("sgemm limit of the dense step", limit);
}
