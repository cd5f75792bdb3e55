// The same shower by the C++ API. usage: consumer_cc MODEL
#include <calo/infer/generator.h>
#include <core/error.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto generator = calo::infer::Generator::load(argv[1]);
    calo::infer::Workspace workspace;
    calo::infer::SparseShowers showers;
    const calo::infer::Particle particle{.energy_mev = 64000, .theta_rad = 1.5f, .event = 1};
    generator.generate({&particle, 1}, 7, 0.5f, workspace, showers);
    double sum = 0;
    for (const float energy : showers.energies_of(0)) sum += energy;
    std::printf("%zu hits, %.3f MeV\n", showers.num_hits(), sum);
  } catch (const core::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
