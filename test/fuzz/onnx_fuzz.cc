// Whatever the bytes: a model that runs, or core::InputError.
#include <cstddef>
#include <cstdint>

#include "calo/infer/onnx_reader.h"
#include "calo/infer/program.h"
#include "core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace calo::infer;
  const OnnxLimits limits{.elements = 1 << 16, .work = 1 << 22};
  for (const bool fuse : {true, false}) {
    try {
      compile(read_onnx({reinterpret_cast<const std::byte*>(data), size}, limits),
              {.precision = fuse ? Precision::kInt8 : Precision::kFp32, .fuse = fuse, .limits = limits});
    } catch (const core::InputError&) {
    }
  }
  return 0;
}
