// Writes small models for onnx_fuzz to start from. usage: onnx_fuzz_seeds FOLDER
#include <fstream>

#include "support/onnx_writer.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const std::string contract : {"plain", "par04-vae", "par04-calodit"})
    for (const std::string out : {"sigmoid", "Softplus"})
      std::ofstream(std::string(argv[1]) + "/" + contract + "-" + out, std::ios::binary)
          << test::GeneratorModel{.contract = contract,
                                  .latent = 2,
                                  .hidden = {3},
                                  .n_r = 2,
                                  .n_phi = 2,
                                  .n_z = 2,
                                  .out_activation = out}
                 .bytes();
}
