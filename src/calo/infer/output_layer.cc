#include "calo/infer/output_layer.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "calo/infer/detail/parallel.h"

namespace calo::infer {
namespace {

constexpr std::int64_t kPanel = PackedLayer::kPanel;
constexpr std::size_t kStreamed = std::size_t{16} << 20;  // bytes of an output that no cache keeps

constexpr std::size_t kBlockSumBytes = std::size_t{48} << 10;      // about the first-level cache
constexpr std::size_t kBlockWeightBytes = std::size_t{512} << 10;  // well inside of the second-level cache

// Panels of a block. Large blocks have few ends, which share lines of memory with others; several threads
// need small ones to share the work evenly.
std::int64_t block_panels(const PackedLayer& layer, const core::ThreadPool* pool) {
  constexpr std::int64_t kFewest = 4;
  if (pool != nullptr && pool->size() > 1) return kFewest;
  const auto rows = static_cast<std::size_t>(layer.rows_at_once());
  const std::size_t most = std::min(kBlockSumBytes / (rows * kPanel * sizeof(float)),
                                    kBlockWeightBytes / std::max<std::size_t>(1, layer.panel_bytes()));
  return std::max(kFewest, static_cast<std::int64_t>(most));
}

}  // namespace

void OutputLayer::sparse(const float* rows, std::span<const float> scale, float threshold,
                         core::ThreadPool* pool, Work& work, SparseShowers& out) const {
  const std::size_t count = scale.size();
  const auto rows_at_once = static_cast<std::size_t>(layer_.rows_at_once());
  const std::size_t row_bytes = layer_.row_bytes();
  work.rows.make_room(layer_.prepared_bytes(static_cast<std::int64_t>(count)));
  work.smallest.resize(count);
  layer_.prepare(rows, layer_.in(), static_cast<std::int64_t>(count), work.rows.data());
  for (std::size_t i = 0; i < count; ++i)
    work.smallest[i] = scale[i] > 0 && scale[i] < std::numeric_limits<float>::infinity()
                           ? activation_.surely_below(static_cast<double>(threshold) / scale[i])
                           : -std::numeric_limits<float>::infinity();

  // Each piece of cells collects the hits of every row, block by block, so that a block's weights are fetched
  // once for all rows; together the pieces are in ascending order. More pieces than threads: hits are not
  // evenly spread.
  const std::int64_t in_block = block_panels(layer_, pool), block_cells = in_block * kPanel;
  const std::int64_t blocks = (layer_.panels() + in_block - 1) / in_block;
  const int threads = pool != nullptr ? pool->size() : 1;
  const std::int64_t pieces = threads == 1 ? 1 : std::min<std::int64_t>(8 * threads, blocks);
  work.found.resize(static_cast<std::size_t>(pieces));
  for_each(pool, work.found.size(), [&](std::size_t piece) {
    Work::Hits& hits = work.found[piece];
    const auto p = static_cast<std::int64_t>(piece);
    const std::int64_t first_block = blocks * p / pieces, last_block = blocks * (p + 1) / pieces;
    // Room for the worst case: pages that are not written cost nothing.
    const auto most =
        static_cast<std::size_t>((last_block - first_block) * block_cells) * count + CellKernels::kGroup;
    hits.cells.make_room(most);
    hits.energies.make_room(most);
    hits.size = 0;
    hits.end.clear();
    hits.end.reserve(static_cast<std::size_t>(last_block - first_block) * count);
    alignas(64) float z[kBlockSumBytes / sizeof(float)];
    const PackedLayer::Use use(layer_);
    for (std::int64_t block = first_block; block < last_block; ++block) {
      const std::int64_t first = block * in_block;
      const std::int64_t panels = std::min(in_block, layer_.panels() - first);
      for (std::size_t begin = 0; begin < count; begin += rows_at_once) {
        const std::size_t group = std::min(rows_at_once, count - begin);
        for (std::int64_t panel = 0; panel < panels; ++panel)
          layer_.multiply(use, first + panel, work.rows.data() + begin * row_bytes,
                          static_cast<std::int64_t>(group), z + panel * kPanel, block_cells);
        for (std::size_t i = 0; i < group; ++i) {
          hits.size = kernels_.collect(activation_, {.z = z + static_cast<std::int64_t>(i) * block_cells,
                                                     .count = static_cast<std::size_t>(panels * kPanel),
                                                     .first_cell = static_cast<std::uint32_t>(first * kPanel),
                                                     .all_cells = static_cast<std::uint32_t>(cells()),
                                                     .smallest = work.smallest[begin + i],
                                                     .scale = scale[begin + i],
                                                     .threshold = threshold,
                                                     .cells = hits.cells.data(),
                                                     .energies = hits.energies.data(),
                                                     .size = hits.size});
          hits.end.push_back(hits.size);
        }
      }
    }
  });

  out.offsets_.assign(count + 1, 0);
  for (const Work::Hits& hits : work.found) {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < hits.end.size(); ++i) {
      // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): without rows there are no hits
      out.offsets_[i % count + 1] += hits.end[i] - begin;
      begin = hits.end[i];
    }
  }
  for (std::size_t i = 0; i < count; ++i) out.offsets_[i + 1] += out.offsets_[i];
  const std::size_t most = count * static_cast<std::size_t>(cells());
  out.cells_.make_room(most);
  out.energies_.make_room(most);
  out.not_finite_.assign(count, 0);
  for_each(pool, count, [&](std::size_t i) {
    std::size_t place = out.offsets_[i];
    for (const Work::Hits& hits : work.found)
      for (std::size_t at = i; at < hits.end.size(); at += count) {
        const std::size_t begin = at > 0 ? hits.end[at - 1] : 0, size = hits.end[at] - begin;
        if (size == 0) continue;
        std::memcpy(out.cells_.data() + place, hits.cells.data() + begin, size * sizeof(std::uint32_t));
        std::memcpy(out.energies_.data() + place, hits.energies.data() + begin, size * sizeof(float));
        place += size;
      }
    out.not_finite_[i] = count_not_finite(out.energies_of(i));
  });
}

bool OutputLayer::dense(const float* rows, std::span<const float> scale, core::ThreadPool* pool, Work& work,
                        float* out) const {
  const std::size_t count = scale.size();
  const auto rows_at_once = static_cast<std::size_t>(layer_.rows_at_once());
  const std::size_t row_bytes = layer_.row_bytes();
  const auto width = static_cast<std::size_t>(cells());
  work.rows.make_room(layer_.prepared_bytes(static_cast<std::int64_t>(count)));
  layer_.prepare(rows, layer_.in(), static_cast<std::int64_t>(count), work.rows.data());
  const std::int64_t in_block = block_panels(layer_, pool), block_cells = in_block * kPanel;
  const std::int64_t blocks = (layer_.panels() + in_block - 1) / in_block;
  const CellKernels::Dense finish =
      count * width * sizeof(float) > kStreamed ? kernels_.stream : kernels_.dense;
  std::atomic<bool> all_finite = true;
  for_each(pool, static_cast<std::size_t>(blocks), [&](std::size_t block) {
    const std::int64_t first = static_cast<std::int64_t>(block) * in_block;
    const std::int64_t panels = std::min(in_block, layer_.panels() - first);
    const std::size_t first_cell = static_cast<std::size_t>(first * kPanel);
    const std::size_t columns = std::min(static_cast<std::size_t>(panels * kPanel), width - first_cell);
    alignas(64) float z[kBlockSumBytes / sizeof(float)];
    const PackedLayer::Use use(layer_);
    bool finite = true;
    for (std::size_t begin = 0; begin < count; begin += rows_at_once) {
      const std::size_t group = std::min(rows_at_once, count - begin);
      for (std::int64_t panel = 0; panel < panels; ++panel)
        layer_.multiply(use, first + panel, work.rows.data() + begin * row_bytes,
                        static_cast<std::int64_t>(group), z + panel * kPanel, block_cells);
      for (std::size_t i = 0; i < group; ++i) {
        finite &= finish(activation_, z + i * static_cast<std::size_t>(block_cells), columns,
                         scale[begin + i], out + (begin + i) * width + first_cell);
      }
    }
    if (!finite) all_finite = false;
    if (finish == kernels_.stream) stream_fence();
  });
  return all_finite;
}

}  // namespace calo::infer
