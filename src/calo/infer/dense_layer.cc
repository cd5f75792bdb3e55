#include "calo/infer/dense_layer.h"

#include <algorithm>

#include "calo/infer/float_functions.h"

namespace calo::infer {

void DenseLayer::forward(const float* input, std::int64_t rows, float* output,
                         LargeArray<std::byte>& scratch) const {
  const FloatFunction function = float_function(activation.kind, isa);
  const std::int64_t rows_at_once = layer.rows_at_once();
  constexpr auto kPanel = static_cast<std::size_t>(PackedLayer::kPanel);
  scratch.make_room(layer.prepared_bytes(rows));
  layer.prepare(input, layer.in(), rows, scratch.data());
  const auto out = static_cast<std::size_t>(layer.out());
  float z[PackedLayer::kMaxRows * PackedLayer::kPanel];
  const PackedLayer::Use use(layer);
  for (std::int64_t panel = 0; panel < layer.panels(); ++panel) {
    const std::size_t first = static_cast<std::size_t>(panel) * kPanel;
    const std::size_t columns = std::min(kPanel, out - first);
    for (std::int64_t begin = 0; begin < rows; begin += rows_at_once) {
      const std::int64_t count = std::min(rows_at_once, rows - begin);
      layer.multiply(use, panel, scratch.data() + static_cast<std::size_t>(begin) * layer.row_bytes(), count,
                     z, PackedLayer::kPanel);
      for (std::int64_t row = 0; row < count; ++row) {
        float* const to = output + static_cast<std::size_t>(begin + row) * out + first;
        const float* const from = z + row * PackedLayer::kPanel;
        function(activation, from, to, columns);
        if (scale.empty()) continue;
        for (std::size_t j = 0; j < columns; ++j) to[j] = to[j] * scale[first + j] + shift[first + j];
      }
    }
  }
}

}  // namespace calo::infer
