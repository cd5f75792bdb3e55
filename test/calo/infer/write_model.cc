// Writes a small generator as `calopipe convert` does, for tests outside of this program. usage: write_model
// FILE
#include <fstream>

#include "support/onnx_writer.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ofstream(argv[1], std::ios::binary)
      << test::GeneratorModel{.hidden = {11, 100}, .size_r_mm = 6, .size_z_mm = 10}.bytes();
}
